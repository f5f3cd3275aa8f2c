import type { ScriptedError } from "../../engine/script.js";
import type { WholeAnswer } from "../../wire/profile.js";

/** An answer other than 200, in OpenAI's envelope. */
export class OpenAIError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly type: string,
    readonly code: string | null,
  ) {
    super(message);
  }

  static modelNotFound(id: string): OpenAIError {
    const message = `The model \`${id}\` does not exist.`;
    return new OpenAIError(404, message, "invalid_request_error", "model_not_found");
  }

  static scripted({ status, message }: ScriptedError): OpenAIError {
    const type = status >= 500 ? "server_error" : "invalid_request_error";
    return new OpenAIError(status, message, type, null);
  }

  answer(): WholeAnswer {
    const { message, type, code } = this;
    const body = JSON.stringify({ error: { message, type, param: null, code } });
    return { status: this.status, body, contentType: "application/json" };
  }
}
