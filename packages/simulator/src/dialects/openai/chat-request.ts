import { z } from "zod";
import type { PromptMessage } from "../../engine/tokens.js";
import type { DeclaredTool, ToolChoice } from "../../engine/tool-calls.js";
import type { SimulatedModel } from "../../models/model.js";
import type { DialectRequest } from "../dialect.js";
import { OpenAIError, readJson } from "./request.js";

const content = z
  .union([z.string(), z.null(), z.array(z.looseObject({ text: z.string().optional() }))])
  .optional()
  .transform((value) =>
    typeof value === "string" ? value : (value ?? []).map((part) => part.text ?? "").join(""),
  );

const chatSchema = z.looseObject({
  model: z.string(),
  messages: z.array(z.looseObject({ role: z.string(), content })).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  max_tokens: z.number().int().nullish(),
  max_completion_tokens: z.number().int().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  tools: z
    .array(
      z.looseObject({ function: z.looseObject({ name: z.string(), parameters: z.unknown() }) }),
    )
    .nullish(),
  tool_choice: z
    .union([
      z.enum(["auto", "none", "required"]),
      z.looseObject({ function: z.looseObject({ name: z.string() }) }),
    ])
    .nullish(),
  response_format: z
    .looseObject({
      type: z.string(),
      json_schema: z.looseObject({ schema: z.unknown() }).optional(),
    })
    .nullish(),
});

export interface ChatRequest {
  readonly model: SimulatedModel;
  readonly messages: readonly PromptMessage[];
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** `null`: whatever fits the context. */
  readonly maxTokens: number | null;
  readonly stop: readonly string[];
  readonly tools: readonly DeclaredTool[];
  readonly choice: ToolChoice;
  /** `undefined`: no JSON is asked for; `null`: any JSON. */
  readonly schema: unknown;
}

/** @throws {OpenAIError} 400 for what does not fit, 404 for a model that is not there. */
export async function readChatRequest(
  request: DialectRequest,
  models: readonly SimulatedModel[],
): Promise<ChatRequest> {
  const parsed = chatSchema.safeParse(await readJson(request));
  if (!parsed.success) {
    const message = z.prettifyError(parsed.error);
    throw new OpenAIError(400, message, "invalid_request_error", null);
  }
  const body = parsed.data;
  const model = models.find(({ id }) => id === body.model);
  if (model === undefined) throw OpenAIError.modelNotFound(body.model);
  const { stop, tool_choice: choice, response_format: format } = body;
  return {
    model,
    messages: body.messages,
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? null,
    stop: typeof stop === "string" ? [stop] : (stop ?? []),
    tools: (body.tools ?? []).map((tool) => tool.function),
    choice: typeof choice === "object" && choice !== null ? choice.function : (choice ?? "auto"),
    schema: schemaOf(format),
  };
}

function schemaOf(format: z.output<typeof chatSchema>["response_format"]): unknown {
  if (format?.type === "json_object") return null;
  return format?.type === "json_schema" ? (format.json_schema?.schema ?? null) : undefined;
}
