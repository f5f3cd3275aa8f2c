import { z } from "zod";
import type { PromptMessage } from "../../engine/tokens.js";
import type { DeclaredTool, ToolChoice } from "../../engine/tool-calls.js";
import type { SimulatedModel } from "../../models/model.js";
import type { DialectRequest } from "../dialect.js";
import { ServiceError } from "./answers.js";
import { readJson } from "./request.js";
import type { Service } from "./service.js";

const PARTS_AS_CONTENT = "[json.exception.type_error.302] type must be string, but is array";

const chatSchema = z.looseObject({
  model: z.string().default(""),
  messages: z.array(
    z.looseObject({
      role: z.string(),
      content: z.union([z.string(), z.array(z.unknown())]).nullish(),
    }),
  ),
  stream: z.boolean().nullish(),
  max_tokens: z.number().int().nullish(),
  max_completion_tokens: z.number().int().nullish(),
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
  tools: z
    .array(
      z.looseObject({ function: z.looseObject({ name: z.string(), parameters: z.unknown() }) }),
    )
    .nullish(),
  tool_choice: z
    .union([z.string(), z.looseObject({ function: z.looseObject({ name: z.string() }) })])
    .nullish(),
  /** Seconds, as for a load. */
  ttl: z.number().nullish(),
});

export interface ChatRequest {
  readonly model: SimulatedModel;
  /** What the answer repeats. */
  readonly name: string;
  readonly messages: readonly PromptMessage[];
  readonly stream: boolean;
  /** `null`: the service's own limit. */
  readonly maxTokens: number | null;
  readonly tools: readonly DeclaredTool[];
  readonly choice: ToolChoice;
  readonly ttl: number | null;
}

/** @throws {ServiceError} 500 for an argument that does not fit, 400 for a model that is not there. */
export async function readChatRequest(
  service: Service,
  request: DialectRequest,
): Promise<ChatRequest> {
  const body = await readJson(request, chatSchema, 500);
  const model = service.find(body.model);
  if (model === null) throw ServiceError.noProvider(400, body.model);
  const { top_p: topP, tool_choice: choice } = body;
  if (typeof topP === "number" && (topP < 0 || topP > 1)) {
    throw failure(service, "top_p must be between 0.0 and 1.0");
  }
  const messages = body.messages.map(({ role, content }) => {
    if (Array.isArray(content)) throw failure(service, PARTS_AS_CONTENT);
    return { role, content: content ?? "" };
  });
  return {
    model,
    name: body.model,
    messages,
    stream: body.stream ?? false,
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? null,
    tools: (body.tools ?? []).map((tool) => tool.function),
    choice: choiceOf(choice),
    ttl: body.ttl ?? null,
  };
}

/** A 500, with words on the revisions that have any. */
export function failure({ switches }: Service, words: string): ServiceError {
  return new ServiceError(500, switches.errorBody === "text" ? words : "");
}

function choiceOf(choice: z.output<typeof chatSchema>["tool_choice"]): ToolChoice {
  if (typeof choice === "object" && choice !== null) return choice.function;
  return choice === "none" || choice === "required" ? choice : "auto";
}
