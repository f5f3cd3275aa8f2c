import { type Clock, LATE_MS } from "../clock.js";
import type { RawAnswer } from "./script.js";

/** Tokens that are made before other tasks get a turn, when there is no speed limit. */
const BURST = 32;

export interface Pace {
  /** From the request to the first token, in milliseconds. */
  readonly firstTokenMs: number;
  /** `Infinity`: no limit. */
  readonly tokensPerSecond: number;
}

/** A failure of the native engine, with its own message. */
export class EngineFailure extends Error {}

/**
 * Makes the tokens of an answer at its pace, at most `maxTokens`.
 *
 * @param cancelled called before each token; `true` ends the generation.
 * @throws {EngineFailure} when the script fails.
 */
export async function* generate(
  answer: RawAnswer,
  maxTokens: number,
  pace: Pace,
  clock: Clock,
  cancelled: () => boolean,
): AsyncGenerator<string> {
  let start = performance.now() + pace.firstTokenMs;
  const interval = 1000 / pace.tokensPerSecond;
  const { tokens, forever, failAfterTokens } = answer;
  for (let made = 0; made < maxTokens; made += 1) {
    const token = forever ? tokens[made % tokens.length] : tokens[made];
    const fails = made === failAfterTokens;
    if (token === undefined && !fails) return;
    const wait = start + made * interval - performance.now();
    // It does not make up for the time for which the process stood still.
    if (wait < -LATE_MS && pace.tokensPerSecond !== Number.POSITIVE_INFINITY) start -= wait;
    if (wait > 0) await clock.sleep(wait);
    else if (made % BURST === 0) await clock.yield();
    if (cancelled()) return;
    if (fails || token === undefined) throw new EngineFailure(answer.failure);
    yield token;
  }
}
