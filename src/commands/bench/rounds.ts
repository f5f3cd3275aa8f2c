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
