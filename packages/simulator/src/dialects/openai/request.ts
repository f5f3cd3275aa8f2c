import type { WholeAnswer } from "../../wire/profile.js";
import type { DialectRequest } from "../dialect.js";

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

  answer(): WholeAnswer {
    const { message, type, code } = this;
    const body = JSON.stringify({ error: { message, type, param: null, code } });
    return { status: this.status, body, contentType: "application/json" };
  }
}

/** The body as an object. @throws {OpenAIError} 400 when it is none. */
export async function readJson(request: DialectRequest): Promise<Record<string, unknown>> {
  const bytes = await request.readBody();
  try {
    const value: unknown = JSON.parse(bytes?.toString() ?? "");
    if (typeof value === "object" && value !== null)
      return Object.fromEntries(Object.entries(value));
  } catch {
    // Answered below, as a body that is JSON but no object.
  }
  throw new OpenAIError(
    400,
    "The request body is not a JSON object.",
    "invalid_request_error",
    null,
  );
}
