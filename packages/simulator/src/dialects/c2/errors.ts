import type { WholeAnswer } from "../../wire/http.js";
import { json, Refusal } from "../answers.js";
import type { Core2Version } from "./version.js";

type ErrorType = "invalid_request_error" | "server_error";

/** An answer other than 200. */
export class C2Error extends Refusal {
  answer(): WholeAnswer {
    const type = this.status >= 500 ? "server_error" : "invalid_request_error";
    return json(envelope(this.message, type), this.status);
  }
}

/** An error that only the generation finds: in a stream it comes after the 200. */
export class LateError extends Error {
  constructor(
    message: string,
    /** Whether the newer versions blame the request. */
    readonly callersMistake: boolean,
  ) {
    super(message);
  }

  type(version: Core2Version): ErrorType {
    return this.callersMistake ? version.lateRequestErrors : "server_error";
  }

  /** As the answer to a request that is not streamed. */
  toC2Error(version: Core2Version): C2Error {
    return this.type(version) === "server_error"
      ? new C2Error(500, `Inference failed: ${this.message}`)
      : new C2Error(400, `Invalid request: ${this.message}`);
  }
}

export function envelope(message: string, type: ErrorType): Record<string, unknown> {
  return { error: { code: null, message, param: null, type } };
}

/** oatpp's own answer: text without a Content-Type, and the connection is closed. */
export function noMapping(method: string, target: string): WholeAnswer {
  const message = `No mapping for HTTP-method: '${method}', URL: '${target}'`;
  return {
    status: 404,
    body: `server=oatpp/1.3.0\ncode=404\ndescription=Not Found\nmessage=${message}\n`,
    contentType: null,
    close: true,
  };
}
