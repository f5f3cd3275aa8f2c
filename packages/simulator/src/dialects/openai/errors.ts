import type { WholeAnswer } from "../../wire/http.js";
import { json, Refusal } from "../answers.js";

/** An answer other than 200, in OpenAI's envelope. */
export class OpenAIError extends Refusal {
  constructor(
    status: number,
    message: string,
    readonly type: string,
    readonly code: string | null,
  ) {
    super(status, message);
  }

  static modelNotFound(id: string): OpenAIError {
    const message = `The model \`${id}\` does not exist.`;
    return new OpenAIError(404, message, "invalid_request_error", "model_not_found");
  }

  static scripted(status: number, message: string): OpenAIError {
    const type = status >= 500 ? "server_error" : "invalid_request_error";
    return new OpenAIError(status, message, type, null);
  }

  answer(): WholeAnswer {
    const { message, type, code } = this;
    return json({ error: { message, type, param: null, code } }, this.status);
  }
}
