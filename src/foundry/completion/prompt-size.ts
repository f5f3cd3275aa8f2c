import {
  FoundryError,
  MOST_MODELS_REMEMBERED,
  RecentMap,
  type Trace,
  toFoundryError,
} from "../../lib/index.js";
import type { ChatMessage, Dialect } from "../dialects/index.js";
import type { KnownModel } from "../models/index.js";
import type { Service } from "../service/index.js";

/**
 * The size of a prompt before it is sent. Tokenizers differ, so only a lower bound is certain: no token
 * joins two words, or two messages.
 */

/** No token of letters, digits and signs is longer. Runs of one character count as one. */
const LONGEST_TOKEN = 32;
/** What a character of Chinese, Japanese or Korean counts: tokens have fewer of them. */
const EAST_ASIAN = 2;
/** Roughly, over English and code; only for figures that are estimates. */
export const CHARACTERS_PER_TOKEN = 3.5;
/** For tokenizers that join more than is known here. */
const MARGIN = 0.9;
/** Of a shorter prompt, the tokens of the template are too large a part of the count. */
const LEAST_CHARACTERS = 1000;
/** A lower count of such a prompt leaves a part of it out, such as what the engine has cached. */
const LEAST_TOKENS = 64;

const BLANK = 0x20;
const isBlank = (code: number): boolean =>
  code <= BLANK ||
  (code >= 0x7f && code <= 0xa0) ||
  (code >= 0x2000 && code <= 0x200f) ||
  code === 0x2028 ||
  code === 0x2029 ||
  code === 0x3000;

const isLetterOrDigit = (code: number): boolean =>
  (code >= 0x30 && code <= 0x39) ||
  (code >= 0x41 && code <= 0x5a) ||
  (code >= 0x61 && code <= 0x7a);

/** Tokens that these texts have at least, each a message of its own. Takes linear time. */
export const leastTokens = (texts: readonly string[]): number =>
  Math.floor(texts.reduce((sum, text) => sum + leastTokensOf(text), 0) * MARGIN);

function leastTokensOf(text: string): number {
  let tokens = 0;
  let units = 0;
  let isWord = false;
  let last = -1;
  for (let at = 0; at <= text.length; at += 1) {
    const code = at < text.length ? text.charCodeAt(at) : BLANK;
    if (isBlank(code)) {
      // Signs alone may belong to the token of a line break.
      if (isWord) tokens += Math.ceil(units / LONGEST_TOKEN);
      units = 0;
      isWord = false;
    } else {
      isWord ||= code > 0x7f || isLetterOrDigit(code);
      if (code !== last) units += code >= 0x2e80 ? EAST_ASIAN : 1;
    }
    last = code;
  }
  return Math.max(text === "" ? 0 : 1, tokens);
}

/** What characters below 0x80 take of a token: tokenizers join letters, and split numbers and signs. */
const ASCII_TOKENS = Float64Array.from({ length: 0x80 }, (_none, code) => {
  if (isBlank(code)) return 0.2;
  if (code >= 0x30 && code <= 0x39) return 1;
  return isLetterOrDigit(code) ? 0.28 : 0.7;
});
/** Of other alphabets, whose words have more tokens; of East Asian characters and halves of pairs. */
const OTHER_ALPHABETS = 0.6;
const EAST_ASIAN_TOKENS = 1;

/** What a UTF-16 code unit is likely to take of a token, on the high side. */
export function likelyTokensOf(code: number): number {
  return ASCII_TOKENS[code] ?? (code < 0x2e80 ? OTHER_ALPHABETS : EAST_ASIAN_TOKENS);
}

/**
 * Tokens that a text is likely to have, on the high side, to cut texts so that they fit. Those of joined texts
 * are the sum of theirs. Takes linear time.
 */
export function likelyTokens(text: string): number {
  let tokens = 0;
  for (let at = 0; at < text.length; at += 1) tokens += likelyTokensOf(text.charCodeAt(at));
  return tokens;
}

/** What the counts of a service say of the bound, for one model. */
interface Measured {
  /** The lowest count of a prompt in relation to its bound; at most 1. */
  readonly lowest: number;
  /** Of the last prompt. */
  readonly charactersPerToken: number;
}

const measuredOf = new WeakMap<Service, Map<string, Measured>>();

const lengthOf = (messages: readonly ChatMessage[]): number =>
  messages.reduce((sum, { content }) => sum + content.length, 0);

/** Tokens of an image, roughly: models make some hundred to three thousand of it, by its size. */
export const IMAGE_TOKENS = 1000;

/** The characters of text that images of a message take the place of. */
export const imageCharacters = ({ images = [] }: ChatMessage): number =>
  images.length * IMAGE_TOKENS * CHARACTERS_PER_TOKEN;

const contentsOf = (messages: readonly ChatMessage[]): string[] =>
  messages.map(({ content }) => content);

/** The tokens of a prompt: at least, and by an estimate. `besides`: schemas and tools, which are part of it. */
export function promptTokens(
  messages: readonly ChatMessage[],
  besides: readonly object[],
): { readonly least: number; readonly likely: number } {
  const texts = [...contentsOf(messages), ...besides.map((each) => JSON.stringify(each))];
  const characters = texts.reduce((sum, { length }) => sum + length, 0);
  const ofImages = messages.reduce((sum, message) => sum + imageCharacters(message), 0);
  const least = leastTokens(texts);
  const likely = Math.ceil((characters + ofImages) / CHARACTERS_PER_TOKEN);
  return { least, likely: Math.max(least, likely) };
}

/** A count below this part of the bound leaves out more than a tokenizer can join. */
const OF_WHOLE = 0.75;

/**
 * The tokens that a prompt has at least, where a service counted so few that it was not the whole prompt; else
 * `null`. Ollama and others cut a prompt to their context without a word.
 */
export function leastOfCut(messages: readonly ChatMessage[], tokens: number): number | null {
  if (tokens < LEAST_TOKENS || tokens >= lengthOf(messages) * EAST_ASIAN) return null;
  const least = leastTokens(contentsOf(messages));
  return tokens < least * OF_WHOLE ? least : null;
}

/**
 * Compares the service's count of a prompt with the bound, which it corrects for this model.
 *
 * @param messages All that was counted: without tools.
 */
export function promptMeasured(
  service: Service,
  model: string,
  messages: readonly ChatMessage[],
  tokens: number,
): void {
  const isText = messages.every(
    (each) => each.images === undefined && each.toolCalls === undefined,
  );
  const characters = lengthOf(messages);
  if (tokens < LEAST_TOKENS || characters < LEAST_CHARACTERS || !isText) return;
  const bound = leastTokens(contentsOf(messages));
  const all = measuredOf.get(service) ?? new RecentMap<string, Measured>(MOST_MODELS_REMEMBERED);
  const lowest = Math.min(all.get(model)?.lowest ?? 1, bound === 0 ? 1 : tokens / bound);
  all.set(model, { lowest, charactersPerToken: characters / tokens });
  measuredOf.set(service, all);
}

/** The characters of a token in the last prompt that the service counted; `null` where there is none. */
export const measuredCharacters = (service: Service, model: string): number | null =>
  measuredOf.get(service)?.get(model)?.charactersPerToken ?? null;

/**
 * Refuses a prompt that cannot fit the context of its model, whatever its tokenizer.
 *
 * @param schema Of the answer; it is part of the prompt.
 * @throws FoundryError `CONTEXT_LENGTH_EXCEEDED`
 */
export function assertFits(
  service: Service,
  model: KnownModel,
  messages: readonly ChatMessage[],
  schema: object | undefined,
): void {
  const limit = service.models.knownContext(model);
  const schemaText = schema === undefined ? "" : JSON.stringify(schema);
  const characters = lengthOf(messages) + schemaText.length;
  // The bound is at most two tokens per character, so a short prompt needs no count.
  if (limit === null || characters * EAST_ASIAN < limit) return;
  const lowest = measuredOf.get(service)?.get(model.id)?.lowest ?? 1;
  const ofSchema = Math.floor(leastTokens([schemaText]) * lowest);
  const tokens = Math.floor(leastTokens([...contentsOf(messages), schemaText]) * lowest);
  // The answer needs a token, too.
  const excess = tokens + 1 - limit;
  if (excess <= 0) return;
  const what = ofSchema >= limit ? "The schema alone" : "The prompt";
  const own = ofSchema >= limit ? ofSchema : tokens;
  const cut = Math.ceil((excess / tokens) * characters);
  const message = `${what} has at least ${own} tokens, more than the ${limit} tokens of ${model.id}. Nothing was sent.`;
  throw tooLong(message, `${excess} tokens, about ${cut} characters,`);
}

/** A prompt that by its estimate fills less of the context is not counted. */
const NEAR = 0.7;
/** The count is a help; a service that takes longer is not waited for. */
const COUNT_MS = 5000;

/** Services that failed to count once; most have no route for it. */
const servicesWithoutCount = new WeakSet<Service>();

interface Counted {
  readonly service: Service;
  readonly dialect: Dialect;
  readonly model: KnownModel;
  readonly messages: readonly ChatMessage[];
  /** Schemas and tools, which are part of the prompt and not of the count. */
  readonly besides: readonly object[];
}

/**
 * Refuses a prompt that does not fit, by the service's own count: where it counts, the model is loaded, and
 * the prompt is near the limit. A failure of the count is ignored.
 *
 * @throws FoundryError `CONTEXT_LENGTH_EXCEEDED`, `CANCELLED`
 */
export async function assertCounted(
  { service, dialect, model, messages, besides }: Counted,
  { signal, trace }: { readonly signal: AbortSignal; readonly trace?: Trace | undefined },
): Promise<void> {
  const limit = service.models.knownContext(model);
  const { countTokens } = dialect;
  // Another model would be loaded for it, and this can take minutes.
  if (countTokens === undefined || limit === null || model.loaded !== true) return;
  if (servicesWithoutCount.has(service)) return;
  if (promptTokens(messages, besides).likely < limit * NEAR) return;
  const call = { limits: { wholeMs: COUNT_MS }, signal, trace, retry: false };
  const tokens = await countTokens({ model, messages }, call).catch((thrown: unknown) => {
    if (signal.aborted) throw toFoundryError(thrown);
    return null;
  });
  if (tokens === null) {
    servicesWithoutCount.add(service);
    return;
  }
  promptMeasured(service, model.id, messages, tokens);
  // The answer needs a token, too.
  const excess = tokens + 1 - limit;
  if (excess <= 0) return;
  const message = `The prompt has ${tokens} tokens, by the count of the service, more than the ${limit} tokens of ${model.id}. It was not completed.`;
  throw tooLong(message, `${excess} tokens,`);
}

const tooLong = (message: string, excess: string): FoundryError =>
  new FoundryError("CONTEXT_LENGTH_EXCEEDED", message, {
    action: `Cut at least ${excess} and what the answer needs; or use a model with a longer context.`,
  });
