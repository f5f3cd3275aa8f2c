import type { Switches } from "../../switches.js";
import type { WholeAnswer } from "../../wire/profile.js";
import { dump } from "./json.js";

type ErrorType = "invalid_request_error" | "server_error";

/** An answer other than 200 that a handler gives. */
export class C2Error extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** Of the envelope: set only where a response is named. */
    readonly named: { readonly code: string; readonly param: string } | null = null,
  ) {
    super(message);
  }
}

/** What is found out only while generating: in a stream after its 200. */
export class LateError extends Error {
  constructor(
    message: string,
    /** Whether the newer versions see a mistake of the caller in it. */
    readonly callersMistake: boolean,
  ) {
    super(message);
  }

  type(switches: Switches): ErrorType {
    return this.callersMistake ? switches.lateRequestErrors : "server_error";
  }

  /** As the answer to a request that is not streamed. */
  toC2Error(switches: Switches): C2Error {
    return this.type(switches) === "server_error"
      ? new C2Error(500, `Inference failed: ${this.message}`)
      : new C2Error(400, `Invalid request: ${this.message}`);
  }
}

/** Something the handlers do not catch: the framework answers with text and closes. */
export class FrameworkError extends Error {}

export function envelope(message: string, type: ErrorType): Record<string, unknown> {
  return { error: { code: null, message, param: null, type } };
}

export function json(value: unknown, status = 200): WholeAnswer {
  return { status, body: dump(value), contentType: "application/json" };
}

export function errorAnswer(error: C2Error): WholeAnswer {
  const type = error.status >= 500 ? "server_error" : "invalid_request_error";
  const { code, param } = error.named ?? { code: null, param: null };
  return json({ error: { code, message: error.message, param, type } }, error.status);
}

/** oatpp's own answer: text without a Content-Type, and the connection is closed. */
export function frameworkAnswer(status: 404 | 500, message: string): WholeAnswer {
  const description = status === 404 ? "Not Found" : "Internal Server Error";
  return {
    status,
    body: `server=oatpp/1.3.0\ncode=${status}\ndescription=${description}\nmessage=${message}\n`,
    contentType: null,
    close: true,
  };
}
