import type { WholeAnswer } from "../../wire/profile.js";

/** An answer other than 200: a text, often empty, and never a JSON envelope. */
export class ServiceError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }

  /** The text that clients search for; for unknown models and for those that are not downloaded. */
  static noProvider(status: number, name: string): ServiceError {
    return new ServiceError(status, `No OpenAIService provider found for modelName:${name}`);
  }

  answer(): WholeAnswer {
    return this.message === "" ? empty(this.status) : text(this.status, this.message);
  }
}

export function json(value: unknown): WholeAnswer {
  return { status: 200, body: JSON.stringify(value), contentType: "application/json" };
}

export function text(status: number, body: string): WholeAnswer {
  return { status, body, contentType: "text/plain; charset=utf-8" };
}

export function empty(status: number): WholeAnswer {
  return { status, body: "", contentType: null };
}

/** A time as .NET writes it: `2025-11-18T11:45:01+00:00`. */
export function dotnetTime(unixSeconds: number): string {
  return `${new Date(unixSeconds * 1000).toISOString().slice(0, 19)}+00:00`;
}
