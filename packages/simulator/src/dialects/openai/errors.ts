import type { WholeAnswer } from "../../wire/http.js";
import { json, Refusal } from "../answers.js";

/** An answer other than 200, in OpenAI's envelope. */
export class OpenAIError extends Refusal {
  constructor(
    status: number,
    message: string,
    readonly code: string | null = null,
    readonly type: string = status >= 500 ? "server_error" : "invalid_request_error",
  ) {
    super(status, message);
  }

  static modelNotFound(id: string): OpenAIError {
    return new OpenAIError(404, `The model \`${id}\` does not exist.`, "model_not_found");
  }

  answer(): WholeAnswer {
    const { message, type, code } = this;
    return json({ error: { message, type, param: null, code } }, this.status);
  }
}
