import { simulatedJson } from "../../engine/text.js";
import type { SimulatedModel } from "../../models/model.js";
import type { Switches } from "../../switches.js";
import { C2Error, LateError } from "./errors.js";
import { promptMessages, readMessage } from "./messages.js";
import { JsonError, type ParsedJson } from "./nlohmann.js";
import { integerOf, numberOf, refusePenalties } from "./sampling.js";
import { asArray, asBoolean, asObject, asString, at, isObject } from "./shape.js";
import { sourceText } from "./source-lines.js";
import { declaredTools, toolChoice } from "./tools.js";
import type { Turn } from "./turn.js";

/** A chat request that passed the checks that come before the model is looked up. */
export interface ChatRequest {
  readonly model: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly turn: (model: SimulatedModel) => Turn;
}

/** @throws {C2Error} 400, in the words of the service. */
export function readChatRequest(json: ParsedJson, switches: Switches): ChatRequest {
  try {
    return readFields(json, switches);
  } catch (error) {
    if (error instanceof JsonError) throw new C2Error(400, `Invalid request: ${error.message}`);
    throw error;
  }
}

function readFields(json: ParsedJson, switches: Switches): ChatRequest {
  const model = asString(at(json.value, "model"));
  const messages = asArray(at(json.value, "messages")).map((m) => readMessage(m, switches));
  const body = asObject(json.value);
  const metadata = readMetadata(body["metadata"]);
  const tools = declaredTools(body["tools"], switches);
  const choice = toolChoice(body["tool_choice"], tools, switches);
  const stream = body["stream"] === true;
  const includeUsage = readIncludeUsage(body["stream_options"]);
  if (model === "") throw new C2Error(400, "Missing required field: model");
  if (messages.length === 0) throw new C2Error(400, "Missing required field: messages");
  refusePenalties(body, switches);
  const sampling = {
    temperature: numberOf(body["temperature"]),
    topP: numberOf(body["top_p"]),
    maxTokens: integerOf(json, "max_completion_tokens") ?? integerOf(json, "max_tokens"),
    metadata,
  };
  const turn = (found: SimulatedModel): Turn => ({
    model: found,
    messages: () => {
      checkGuidance(body["response_format"], switches);
      return promptMessages(messages, switches);
    },
    nothingToSay: "nothingToSay",
    sampling,
    tools,
    choice,
    stop: body["stop"],
    json: constrainedJson(body["response_format"], switches),
  });
  return { model, stream, includeUsage, turn };
}

function readMetadata(value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  return Object.fromEntries(
    Object.entries(asObject(value)).map(([key, item]) => [key, asString(item)]),
  );
}

function readIncludeUsage(value: unknown): boolean {
  if (!isObject(value) || value["include_usage"] === undefined) return false;
  return asBoolean(value["include_usage"]);
}

/** @throws {LateError} when a format that constrains comes without what to constrain to. */
function checkGuidance(format: unknown, switches: Switches): void {
  const incomplete =
    isObject(format) && format["type"] === "json_schema" && !isObject(format["json_schema"]);
  if (incomplete && switches.responseFormat === "honoured") {
    throw new LateError(sourceText("guidanceIncomplete", switches), true);
  }
}

function constrainedJson(format: unknown, switches: Switches): string | null {
  if (switches.responseFormat === "ignored" || !isObject(format)) return null;
  if (format["type"] === "json_object") return simulatedJson(null);
  const definition = format["json_schema"];
  if (format["type"] !== "json_schema" || !isObject(definition)) return null;
  return simulatedJson(definition["schema"] ?? null);
}
