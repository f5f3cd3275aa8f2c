import type { WholeAnswer } from "../../wire/profile.js";
import { toJson } from "./system-text-json.js";

/** An answer other than 200 that a handler gives, in its envelope. */
export class Core1Error extends Error {
  constructor(
    readonly status: 400 | 404 | 500,
    message: string,
    readonly code: string | null = null,
    /** Said only where a response is named. */
    readonly param: string | null = null,
  ) {
    super(message);
  }

  get type(): "server_error" | "invalid_request_error" {
    return this.status >= 500 ? "server_error" : "invalid_request_error";
  }

  answer(): WholeAnswer {
    const { message, type, code, param } = this;
    const error = { message, type, ...(param !== null && { param }), code };
    return json({ error }, this.status);
  }
}

export function json(value: unknown, status = 200): WholeAnswer {
  return { status, body: toJson(value), contentType: "application/json" };
}

/** Kestrel's own answers, and those to loads and unloads, have no body. */
export function empty(status: number): WholeAnswer {
  return { status, body: "", contentType: null };
}
