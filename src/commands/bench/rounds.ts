import type { Completion } from "../../foundry/index.js";
import type { FoundryClient } from "../../jobs/index.js";
import { type FoundryError, toFoundryError } from "../../lib/index.js";
import { type CaseReport, type PromptKind, spreadOf } from "./report.js";

/** What one request gave. */
export interface Sample {
  readonly completion: Completion;
  readonly failure: FoundryError | null;
}

/** Answers that were requested at the same time. */
export interface Round {
  readonly samples: readonly Sample[];
  /** From the first request to the last token, in milliseconds. */
  readonly ms: number;
}

export interface Ask {
  readonly client: FoundryClient;
  readonly model: string;
  readonly maxTokens: number;
  readonly signal: AbortSignal;
}

/** Requests the answers to all prompts at once. Rejects only if it is aborted. */
export async function roundOf(prompts: readonly string[], ask: Ask): Promise<Round> {
  let beganAt = Number.POSITIVE_INFINITY;
  let endedAt = 0;
  const one = async (prompt: string): Promise<Sample> => {
    const { client, model, maxTokens, signal } = ask;
    const stream = client.streamComplete({ prompt, model, maxTokens }, { signal });
    try {
      for await (const event of stream) {
        const now = performance.now();
        // The list of models, which may be read again before a request, does not count.
        if (event.type === "status" && event.status === "running") beganAt = Math.min(beganAt, now);
        if (event.type !== "completed") endedAt = Math.max(endedAt, now);
      }
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      return { completion: stream.snapshot(), failure: toFoundryError(thrown) };
    }
    return { completion: stream.snapshot(), failure: null };
  };
  const samples = await Promise.all(prompts.map(one));
  return { samples, ms: Math.max(0, endedAt - beganAt) };
}

/** Below this, the figures would be those of the clock and of the network's buffers. */
const SHORTEST_ROUND_MS = 20;

export function caseOf(prompt: PromptKind, atOnce: number, rounds: readonly Round[]): CaseReport {
  const all = rounds.flatMap(({ samples }) => samples);
  const good = all.filter(isGood).map(({ completion }) => completion);
  return {
    prompt,
    at_once: atOnce,
    rounds: rounds.length,
    answers: all.length,
    failed: all.length - good.length,
    input_tokens: medianCount(good.map(({ usage }) => usage.inputTokens)),
    output_tokens: medianCount(good.map(({ usage }) => usage.outputTokens)),
    estimated: good.some(({ usage }) => usage.estimated),
    first_token_ms: spreadOf(good.map(({ timing }) => timing.firstTokenMs)),
    tokens_per_second: spreadOf(good.map(({ timing }) => timing.tokensPerSecond)),
    total_tokens_per_second: spreadOf(rounds.filter(isWhole).map(throughputOf)),
  };
}

/** A request that was sent again measures the failure before it, too. */
const isGood = ({ completion, failure }: Sample): boolean =>
  failure === null && (completion.attempts ?? 1) <= 1;

const isWhole = ({ samples }: Round): boolean => samples.every(isGood);

function throughputOf({ samples, ms }: Round): number | null {
  const counts = samples.map(({ completion }) => completion.usage.outputTokens);
  const tokens = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  return ms < SHORTEST_ROUND_MS || counts.includes(null) ? null : (tokens * 1000) / ms;
}

function medianCount(counts: readonly (number | null)[]): number | null {
  const spread = spreadOf(counts);
  return spread === null ? null : Math.round(spread.median);
}

/** Characters of the long prompt: about 1,000 tokens of English. */
const LONG_CHARACTERS = 4000;
/** A long prompt below this would not differ from a short one. */
const LEAST_LONG_CHARACTERS = 600;
/** Few tokens have fewer characters in English, so a prompt of this density fits its context. */
const CHARACTERS_PER_TOKEN = 2.5;
/** For the template of the model. */
const TEMPLATE_TOKENS = 64;

const SENTENCES = [
  "The ferry left the harbour at seven and reached the island before noon.",
  "Two of the twelve boxes had been opened, and the list did not say by which office.",
  "A meeting about the new timetable was moved from Tuesday to Thursday afternoon.",
  "The bridge is closed to lorries until the end of the month, but not to cyclists.",
  "Repairs of the north window cost less than was planned; the roof cost more.",
  "Visitors may borrow three books for two weeks and renew them once by telephone.",
  "The smaller of the two pumps was replaced, and the pressure has been steady since.",
] as const;

/**
 * A prompt of this kind that asks for a long answer.
 *
 * @param key Begins the prompt, so that no cache of an earlier prompt helps.
 * @param contextLength Tokens of prompt and answer; `null`: unknown.
 * @returns `null` where the context is too small for a long prompt.
 */
export function promptOf(
  kind: PromptKind,
  key: number,
  answerTokens: number,
  contextLength: number | null,
): string | null {
  if (kind === "short") return `Note ${key}. Write a long story about a lighthouse.`;
  const room =
    contextLength === null
      ? LONG_CHARACTERS
      : (contextLength - answerTokens - TEMPLATE_TOKENS) * CHARACTERS_PER_TOKEN;
  const longest = Math.floor(Math.min(LONG_CHARACTERS, room));
  if (longest < LEAST_LONG_CHARACTERS) return null;
  let text = `Note ${key}. Retell these notes as a long story.`;
  for (let at = 0; ; at += 1) {
    const next = `${text}\n${at + 1}. ${SENTENCES[(key + at) % SENTENCES.length]}`;
    if (next.length > longest) return text;
    text = next;
  }
}
