import type { WholeAnswer } from "../../wire/profile.js";

/** An answer other than 200 that a handler gives, in its envelope. */
export class Core1Error extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code: string | null = null,
  ) {
    super(message);
  }

  answer(): WholeAnswer {
    const { message, code } = this;
    const type = this.status >= 500 ? "server_error" : "invalid_request_error";
    return json({ error: { message, type, code } }, this.status);
  }
}

export function json(value: unknown, status = 200): WholeAnswer {
  return { status, body: JSON.stringify(value), contentType: "application/json" };
}

/** Kestrel's own answers, and those to loads and unloads, have no body. */
export function empty(status: number): WholeAnswer {
  return { status, body: "", contentType: null };
}

/** A completion that was read and cannot be served. */
export function refusal(reason: string, status: 400 | 500 = 400): Core1Error {
  return new Core1Error(status, `Failed to handle OpenAI completion: ${reason}`);
}
