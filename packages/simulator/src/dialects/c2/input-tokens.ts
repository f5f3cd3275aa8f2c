import { promptTokens } from "../../engine/tokens.js";
import type { Family } from "../../models/store.js";
import type { DialectContext, DialectRequest } from "../dialect.js";
import { readChatRequest } from "./chat-request.js";
import { json } from "./errors.js";
import { jsonBody, loadedModel } from "./lookup.js";
import { readResponseRequest } from "./response-request.js";

/** `POST /v1/chat/completions/input_tokens`: counts, and generates nothing. */
export async function chatInputTokens(
  context: DialectContext,
  request: DialectRequest,
  family: Family,
): Promise<void> {
  const chat = readChatRequest(await jsonBody(request), context.switches);
  const model = await loadedModel(context, chat.model, family);
  const { messages, tools } = chat.turn(model);
  request.reply.whole(counted(promptTokens(model, messages(), tools)));
}

/** `POST /v1/responses/input_tokens`. */
export async function responseInputTokens(
  context: DialectContext,
  request: DialectRequest,
  family: Family,
): Promise<void> {
  const asked = readResponseRequest(await jsonBody(request), context.switches);
  const model = await loadedModel(context, asked.model, family);
  request.reply.whole(counted(promptTokens(model, asked.messages, asked.tools)));
}

function counted(tokens: number) {
  return json({ input_tokens: tokens, object: "response.input_tokens" });
}
