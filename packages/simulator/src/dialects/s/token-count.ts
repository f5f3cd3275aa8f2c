import { promptTokens } from "../../engine/tokens.js";
import type { DialectRequest } from "../dialect.js";
import { json, ServiceError } from "./answers.js";
import { readChatRequest } from "./chat-request.js";
import type { Service } from "./service.js";

/** `POST /v1/chat/completions/tokenizer/encode/count`: how long a prompt is, as documented. */
export async function countTokens(service: Service, request: DialectRequest): Promise<void> {
  if (!service.switches.tokenizerRoute) {
    await request.readBody();
    throw new ServiceError(404, "");
  }
  const { model, messages, tools } = await readChatRequest(service, request);
  request.reply.whole(json({ tokenCount: promptTokens(model, messages, tools) }));
}
