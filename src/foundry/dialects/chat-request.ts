import { errorWordsOf } from "../../http/index.js";
import type { FoundryError } from "../../lib/index.js";
import type { ChatMessage, ChatRequest } from "./dialect.js";
import { isAboutSchema } from "./schema-refusals.js";
import { type ThinkingQuirks, thinkingFields, withThinkingSwitch } from "./thinking-switch.js";

/**
 * The body of a chat request. Engines differ in what they accept: most ignore an unknown field, some
 * refuse it by its name.
 */

/**
 * What an engine may refuse of a request: an optional field, the role `system`, or this one schema in the
 * field `response_format`.
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
  "system",
  "schema",
] as const;
export type Refusable = (typeof REFUSABLE)[number];
export type Refused = ReadonlySet<Refusable>;

/** `named` is the form of the OpenAI API, `{ name, schema }`. `bare` is the schema itself. */
export type SchemaForm = "named" | "bare";

interface BodyQuirks extends ThinkingQuirks {
  readonly namesSeedRandomSeed?: boolean;
  /** The form of `response_format` with a JSON Schema that the service holds an answer to. */
  readonly schemaForm?: SchemaForm | null;
}

/** The fields of a request without those that are refused. */
export function bodyOf(
  request: ChatRequest,
  refused: Refused,
  quirks: BodyQuirks = {},
): Readonly<Record<string, unknown>> {
  const { namesSeedRandomSeed = false, schemaForm = null } = quirks;
  const messages = withThinkingSwitch(request.messages, request);
  const fields = {
    model: request.model.id,
    messages: refused.has("system") ? withoutSystem(messages) : messages,
    // Always sent: the default of the services cuts answers off silently (#217).
    max_tokens: request.maxTokens,
    max_completion_tokens: refused.has("max_tokens") ? request.maxTokens : undefined,
    // Sampling is the model's own unless the caller gave it.
    temperature: request.temperature,
    top_p: request.topP,
    seed: request.seed,
    random_seed: namesSeedRandomSeed ? request.seed : undefined,
    response_format:
      schemaForm && request.schema ? formatOf(request.schema, schemaForm) : undefined,
    ...thinkingFields(request, quirks),
    stream: true,
    stream_options: { include_usage: true },
  };
  const isRefused = (name: string) => REFUSABLE.some((each) => each === name && refused.has(each));
  return Object.fromEntries(
    Object.entries(fields).filter(([name, value]) => value !== undefined && !isRefused(name)),
  );
}

/** Not `strict`, which forbids most schemas in the OpenAI API. */
const formatOf = (schema: Readonly<Record<string, unknown>>, form: SchemaForm) => ({
  type: "json_schema",
  json_schema: form === "named" ? { name: "answer", schema } : schema,
});

/**
 * The text of system messages in front of the first user message. Templates that refuse the role want
 * the other roles to alternate, so neighbours of the same role are joined.
 */
function withoutSystem(messages: readonly ChatMessage[]): ChatMessage[] {
  const system = messages.filter(({ role }) => role === "system");
  const others = messages.filter(({ role }) => role !== "system");
  const joined: ChatMessage[] = [];
  for (const { role, content } of [
    ...system.map(({ content }) => ({ role: "user" as const, content })),
    ...others,
  ]) {
    const last = joined.at(-1);
    if (last?.role !== role) joined.push({ role, content });
    else joined.splice(-1, 1, { role, content: `${last.content}\n\n${content}` });
  }
  return joined;
}

const REFUSES =
  /extra (?:inputs|fields?) (?:are )?not permitted|extra_forbidden|unrecogni[sz]ed|unknown (?:field|parameter|argument|property|key|name|request)|unexpected (?:keyword|field|parameter|argument|property|key)|unsupported|unpermitted|not (?:yet |currently |an? )?(?:supported|implemented|allowed|permitted|available|enabled|recogni[sz]ed|accepted|known|valid)\b|(?:does|do|can)(?:n't|not| not)(?: yet| currently)? (?:support|accept|allow)|additional propert|invalid (?:field|parameter|argument)s?\b(?! value)|no such (?:field|parameter)|cannot (?:find field|be (?:used|set|specified))|use ['"`]?max_completion_tokens|favor of ['"`]?max_completion_tokens/i;

/** A field that is accepted, with another value than the one that was sent. */
const WRONG_VALUE =
  /must be (?!(?:removed|omitted|unset|null|empty))|too (?:large|high|low|small|long)|out of range|exceed|at (?:most|least)|maximum (?:is|of|value)|(?:greater|less) than|valid (?:integer|number|boolean|string)/i;

/** What follows names fields that are accepted. */
const ACCEPTED =
  /expected one of|\b(?:allowed|permitted|supported|valid|accepted|known) (?:fields|parameters|arguments|keys|properties|options)/i;

const NO_STREAM =
  /only non-?stream|(?<!\w)stream['"`]? (?:must|should|has to) be (?:set to )?['"`]?(?:false|off|disabled)/i;

const SYSTEM =
  /system (?:role|message|prompt|instruction)s?[^.]{0,60}\b(?:not|unsupported)\b|(?:unexpected|invalid|unknown|unsupported) (?:message )?role:? ['"`]?system|(?:role|got) ['"`]?system['"`]?|['"`]system['"`] (?:role )?is not|support (?:the |a )?['"`]?system\b|roles must alternate|roles? (?:are|is) (?:supported|allowed)|should be ['"]user['"] or ['"]assistant['"]|developer instruction is not enabled/i;

/** The engine holds no answer to a schema, or not to this one. */
const CONSTRAINT =
  /response[_ ]?format|response guidance|json[_ ]?schema|grammar|guided[_ ](?:decoding|json)|structured[_ ]outputs?|xgrammar|llguidance|\boutlines\b/i;

const THINKING_FIELDS = ["chat_template_kwargs", "reasoning_effort"] as const;

const CODES = new Set([
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
  const isSystemSent =
    !refused.has("system") && request.messages.some(({ role }) => role === "system");
  if (isSystemSent && SYSTEM.test(text)) return ["system"];
  if (!refused.has("stream") && NO_STREAM.test(text)) return ["stream"];
  const sent = bodyOf(request, refused, quirks);
  if ("response_format" in sent && CONSTRAINT.test(text)) {
    return [isAboutSchema(text, request.schema ?? {}) ? "schema" : "response_format"];
  }
  // Their values are the only ones that this client sends.
  const ofThinking = THINKING_FIELDS.filter((name) => name in sent && wordOf(name).test(text));
  if (ofThinking.length > 0) return ofThinking;
  if (!REFUSES.test(text) || WRONG_VALUE.test(text)) return [];
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

/** What the caller must know of what was left out. */
export function warningsOf(
  refused: Refused,
  isNew: (name: Refusable) => boolean,
  request: ChatRequest,
): string[] {
  const warnings: string[] = [];
  const given = { temperature: request.temperature, top_p: request.topP, seed: request.seed };
  for (const [name, value] of Object.entries(given)) {
    const isLeftOut = REFUSABLE.some((each) => each === name && refused.has(each));
    if (value !== undefined && isLeftOut) {
      warnings.push(`This engine refuses ${name}, so the request was sent without it.`);
    }
  }
  if (refused.has("system") && request.messages.some(({ role }) => role === "system")) {
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
