import { errorWordsOf } from "../../http/index.js";
import type { ErrorCode, FoundryError } from "../../lib/index.js";
import type { JsonSchema } from "../structured/index.js";
import { ANSWER_TOOL } from "../tools/index.js";
import {
  messagesFor,
  type ToolQuirks,
  toolNotes,
  wireMessage,
  withoutSystem,
  withShortIds,
} from "./chat-messages.js";
import type { ChatMessage, ChatRequest } from "./dialect.js";
import { callParameters, forcedTools, isAboutSchema, wireTool } from "./json-schema.js";
import {
  ACCEPTED,
  CALL_IDS,
  CALL_MEMBERS,
  CONSTRAINT,
  isTemplateFailure,
  NO_STREAM,
  NO_TOOL_ROLE,
  NO_TOOLS,
  REFUSES,
  REFUSES_THINKING,
  SYSTEM,
  THINKING,
  WRONG_VALUE,
} from "./refusal-words.js";

/**
 * The body of a chat request. Engines differ in what they accept: most ignore an unknown field, some
 * refuse it by its name.
 */

/**
 * What an engine may refuse of a request: an optional field, the role `system`, the name of the tool to call,
 * the ids of calls, bounds in the parameters of tools, or this one schema.
 */
const REFUSABLE = [
  "stream_options",
  "stream",
  "max_tokens",
  "max_completion_tokens",
  "temperature",
  "top_p",
  "seed",
  "random_seed",
  "response_format",
  "chat_template_kwargs",
  "reasoning_effort",
  "thinking_budget_tokens",
  "thinking_token_budget",
  "tools",
  "tool_choice",
  "named_tool",
  "call_ids",
  "bounds",
  "system",
  "schema",
] as const;
export type Refusable = (typeof REFUSABLE)[number];
export type Refused = ReadonlySet<Refusable>;

/**
 * The form in which a service takes the schema of an answer. `named` is that of the OpenAI API,
 * `{ name, schema }`. `bare` is the schema itself. `call`: as the parameters of a tool that must be called.
 */
type SchemaForm = "named" | "bare" | "call";

/** The differences between servers in the body of a chat request. */
export interface BodyQuirks extends ToolQuirks {
  // There is no common way to ask for an answer without thinking, or after little of it: some models have a
  // switch in their prompt, templates have arguments, and some engines take `reasoning_effort` or a budget.
  /** `chat_template_kwargs`: arguments of the model's template. */
  readonly takesTemplateArguments?: boolean;
  /** `reasoning_effort`: Ollama takes no other way on its OpenAI-compatible routes. */
  readonly takesReasoningEffort?: boolean;
  /** A number of tokens, under the name that llama.cpp has for it or that of vLLM. */
  readonly takesReasoningBudget?: boolean;
  /** It may only accept a seed under the name `random_seed`. */
  readonly namesSeedRandomSeed?: boolean;
  /** The form of `response_format` with a JSON Schema that the service holds an answer to. */
  readonly schemaForm?: SchemaForm;
}

/** It always thinks, and least with this. */
const LEAST_IS_LOW = /gpt-?oss/i;

/** The fields of a request without those that are refused. */
export function bodyOf(
  request: ChatRequest,
  refused: Refused,
  quirks: BodyQuirks,
): Readonly<Record<string, unknown>> {
  const { schemaForm } = quirks;
  const asText = sentAsText(refused, quirks);
  const given = messagesFor(request, asText);
  const messages = refused.has("call_ids") ? withShortIds(given) : given;
  const isWithoutThinking = request.reasoning === "off";
  const budget = quirks.takesReasoningBudget ? request.reasoningBudget : undefined;
  const parameters = forcedParameters(request, refused, quirks);
  const wanted = refused.has("named_tool") ? withOneTool(request) : request;
  const offered = asText.tools ? {} : offeredTools(wanted, quirks);
  const fields = {
    model: request.model.id,
    messages: (refused.has("system") ? withoutSystem(messages) : messages).map(wireMessage),
    // Always sent: the default of the services cuts answers off silently (#217).
    max_tokens: request.maxTokens,
    max_completion_tokens: refused.has("max_tokens") ? request.maxTokens : undefined,
    // Sampling is the model's own unless the caller gave it.
    temperature: request.temperature,
    top_p: request.topP,
    seed: request.seed,
    random_seed: quirks.namesSeedRandomSeed ? request.seed : undefined,
    // Beside tools, C1 and C2 2.0 hold an answer to nothing.
    response_format:
      schemaForm && schemaForm !== "call" && request.schema && !request.tools
        ? formatOf(request.schema, schemaForm)
        : undefined,
    tools: parameters
      ? [answerTool(parameters)]
      : offered.tools?.map((tool) => wireTool(tool, refused.has("bounds"))),
    tool_choice: parameters ? "required" : offered.toolChoice,
    thinking_budget_tokens: budget,
    thinking_token_budget: budget,
    chat_template_kwargs:
      isWithoutThinking && quirks.takesTemplateArguments ? { enable_thinking: false } : undefined,
    reasoning_effort:
      isWithoutThinking && quirks.takesReasoningEffort
        ? LEAST_IS_LOW.test(request.model.id)
          ? "low"
          : "none"
        : undefined,
    stream: true,
    stream_options: refused.has("stream") ? undefined : { include_usage: true },
  };
  const names: ReadonlySet<string> = refused;
  return Object.fromEntries(
    Object.entries(fields).filter(([name, value]) => value !== undefined && !names.has(name)),
  );
}

/** The tools of a request are described in its text where the service takes none. */
const sentAsText = (
  refused: Refused,
  { toolsAsText = false, dropsToolResults = false }: ToolQuirks,
) => {
  const tools = toolsAsText || refused.has("tools");
  return { tools, results: tools || dropsToolResults };
};

const mustCall = ({ toolChoice }: Pick<ChatRequest, "toolChoice">): boolean =>
  toolChoice === "required" || typeof toolChoice === "object";

/** Whether a model that refuses the role gets other messages: neighbours of one role are joined, too. */
function isChangedWithoutSystem(
  request: ChatRequest,
  refused: Refused,
  quirks: ToolQuirks,
): boolean {
  const messages = messagesFor(request, sentAsText(refused, quirks));
  return hasSystemText(messages) || withoutSystem(messages).length < messages.length;
}

const hasSystemText = (messages: readonly ChatMessage[]): boolean =>
  messages.some(({ role }) => role === "system");

/** The tools as they are sent. A call is left to the model where the service cannot force it. */
function offeredTools(
  { tools, toolChoice }: ChatRequest,
  { schemaForm }: BodyQuirks,
): Pick<ChatRequest, "tools" | "toolChoice"> {
  if (tools === undefined || !mustCall({ toolChoice }) || schemaForm !== "call") {
    return { tools, toolChoice };
  }
  const forced = forcedTools(tools);
  return forced === null ? { tools } : { tools: forced, toolChoice };
}

/** The request with only the tool that must be called, so that its name need not be sent. */
function withOneTool(request: ChatRequest): ChatRequest {
  const { toolChoice, tools } = request;
  if (typeof toolChoice !== "object") return request;
  const { name } = toolChoice.function;
  const named = tools?.filter((tool) => tool.function.name === name);
  return { ...request, tools: named, toolChoice: "required" };
}

/** The schema as the parameters of the tool that must be called; `null` where it is not sent so. */
const forcedParameters = (
  { schema, tools }: ChatRequest,
  refused: Refused,
  { schemaForm }: BodyQuirks,
): JsonSchema | null =>
  schemaForm !== "call" || schema === undefined || tools !== undefined || refused.has("tools")
    ? null
    : callParameters(schema);

/** Whether a body has the schema as the parameters of a tool. */
export const isForcedCall = ({ tools }: ChatRequest, body: object): boolean =>
  tools === undefined && "tools" in body;

const answerTool = (parameters: JsonSchema) => ({
  type: "function",
  function: { name: ANSWER_TOOL, description: "Gives the answer.", parameters },
});

/** Not `strict`, which forbids most schemas in the OpenAI API. */
const formatOf = (schema: JsonSchema, form: "named" | "bare") => ({
  type: "json_schema",
  json_schema: form === "named" ? { name: "answer", schema } : schema,
});

const BUDGETS = ["thinking_budget_tokens", "thinking_token_budget"] as const;
const SWITCHES = ["chat_template_kwargs", "reasoning_effort"] as const;

const CODES: ReadonlySet<ErrorCode> = new Set([
  "INVALID_REQUEST",
  "INVALID_RESPONSE",
  "INFERENCE_FAILED",
  "MODEL_CANNOT_CHAT",
  "UNSUPPORTED_BY_SERVER",
]);

/** More names than this are a quotation of the request, and the first is what the error is about. */
const MOST_NAMED = 3;

/** What an error refuses, by name, of a request that was sent without `refused`. */
export function refusalsIn(
  error: FoundryError,
  request: ChatRequest,
  refused: Refused,
  quirks: BodyQuirks,
): Refusable[] {
  if (!CODES.has(error.code) || error.detail === null) return [];
  const { text } = errorWordsOf(error.detail, "", "");
  if (!refused.has("call_ids") && CALL_IDS.test(text)) return ["call_ids"];
  const mayJoin = !refused.has("system") && isChangedWithoutSystem(request, refused, quirks);
  if (mayJoin && SYSTEM.test(text)) return ["system"];
  const hasResults = request.messages.some(({ role }) => role === "tool");
  const isRefusal = REFUSES.test(text);
  const isWrongValue = WRONG_VALUE.test(text);
  const fails = isTemplateFailure(text);
  const refusesCalls = fails || (isRefusal && !isWrongValue && CALL_MEMBERS.test(text));
  if (hasResults && !refused.has("tools") && (refusesCalls || NO_TOOL_ROLE.test(text))) {
    return ["tools"];
  }
  if (!refused.has("stream") && NO_STREAM.test(text)) return ["stream"];
  const sent = bodyOf(request, refused, quirks);
  const isForced = isForcedCall(request, sent);
  if (("response_format" in sent || isForced) && CONSTRAINT.test(text)) {
    if (isAboutSchema(text, request.schema ?? {})) return ["schema"];
    return [isForced ? "tools" : "response_format"];
  }
  // llama.cpp makes a grammar of the parameters. A schema for the answer is not sent beside tools.
  const isOfGrammar = "tools" in sent && CONSTRAINT.test(text);
  if (isOfGrammar && !refused.has("bounds") && isAboutSchema(text, {})) return ["bounds"];
  if ("tools" in sent && (fails || isOfGrammar || NO_TOOLS.test(text))) return ["tools"];
  const choice = /\btool_choice\b/.test(text) ? sent["tool_choice"] : undefined;
  // LM Studio takes only words.
  if (typeof choice === "object") return ["named_tool"];
  // vLLM before 0.8.3, and services of models that think first, leave each call to the model.
  if (choice === "required" && request.tools !== undefined) return ["tool_choice"];
  // The values of switches are the only ones that this client sends. A budget is the caller's.
  const ofThinking = (isWrongValue ? SWITCHES : [...SWITCHES, ...BUDGETS]).filter(
    (name) => name in sent && wordOf(name).test(text),
  );
  if (ofThinking.length > 0) return ofThinking;
  const switches = SWITCHES.filter((name) => name in sent);
  if (switches.length > 0 && THINKING.test(text) && (isRefusal || REFUSES_THINKING.test(text))) {
    return switches;
  }
  if (!isRefusal || isWrongValue) return [];
  const about = text.slice(0, ACCEPTED.exec(text)?.index);
  const named = REFUSABLE.filter((name) => name in sent)
    .map((name) => ({ name, at: about.search(wordOf(name)) }))
    .filter(({ at }) => at !== -1)
    .sort((one, other) => one.at - other.at)
    .map(({ name }) => name);
  const found = named.length > MOST_NAMED ? named.slice(0, 1) : named;
  const hasOtherName = /max_completion_tokens/.test(text);
  return found.flatMap((name) =>
    name === "max_tokens" && !hasOtherName ? [name, "max_completion_tokens"] : [name],
  );
}

/** `streaming` is the same as `stream`; `stream_options` is not. */
const wordOf = (name: Refusable): RegExp =>
  name === "stream" ? /(?<!\w)stream(?:ing)?(?!\w)/i : new RegExp(`(?<!\\w)${name}(?!\\w)`, "i");

const NOT_FORCED =
  "This service cannot force a call of these tools, since the schema of their parameters refers to itself or to what is not defined in it, or is far too long without its references. The model was free to answer without a call.";

/**
 * What the caller must know of what was left out.
 *
 * @param known What the engine was known to refuse before this request.
 */
export function warningsOf(
  refused: Refused,
  known: Refused,
  request: ChatRequest,
  quirks: BodyQuirks,
): string[] {
  const isNew = (name: Refusable) => refused.has(name) && !known.has(name);
  const asText = sentAsText(refused, quirks);
  const warnings = toolNotes(request, asText);
  if (!asText.tools && offeredTools(request, quirks).toolChoice !== request.toolChoice) {
    warnings.push(NOT_FORCED);
  }
  if (!asText.tools && mustCall(request) && refused.has("tool_choice")) {
    warnings.push(
      "This engine cannot force a call of a tool, so the model was free to answer without a call.",
    );
  }
  const given = { temperature: request.temperature, top_p: request.topP, seed: request.seed };
  const names: ReadonlySet<string> = refused;
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && names.has(name)) {
      warnings.push(`This engine refuses ${name}, so the request was sent without it.`);
    }
  }
  if (request.reasoningBudget !== undefined && BUDGETS.every((name) => refused.has(name))) {
    warnings.push(
      "This engine refuses a budget for reasoning, so the request was sent without it.",
    );
  }
  if (refused.has("system") && hasSystemText(messagesFor(request, asText))) {
    warnings.push(
      "This model refuses the role system, so the system text was sent in front of the first user message.",
    );
  }
  if (refused.has("max_completion_tokens")) {
    warnings.push(
      "This engine refuses max_tokens, so the length of the answer was limited only by the engine itself.",
    );
  } else if (isNew("max_tokens")) {
    warnings.push("This engine refuses max_tokens, so max_completion_tokens was sent instead.");
  }
  if (isNew("stream")) {
    warnings.push("This engine did not stream, so the answer was requested in one piece.");
  }
  if (isNew("stream_options")) {
    warnings.push(
      "This engine refuses stream_options, so the request was sent without it. Token counts may be estimates.",
    );
  }
  return warnings;
}
