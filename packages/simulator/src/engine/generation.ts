import type { Clock } from "../clock.js";
import type { RawAnswer } from "./script.js";

/** Tokens that are made before anything else gets a turn, when there is no speed limit. */
const BURST = 32;

export interface Pace {
  /** From the request to the first token, in milliseconds. */
  readonly firstTokenMs: number;
  /** `Infinity`: as fast as it goes. */
  readonly tokensPerSecond: number;
}

/** The native engine failed; the text is its own. */
export class EngineFailure extends Error {}

/**
 * Makes the tokens of an answer in their time, at most `maxTokens`.
 *
 * @param cancelled asked before each token; `true` ends the generation.
 * @throws {EngineFailure} where the script says so.
 */
export async function* generate(
  answer: RawAnswer,
  maxTokens: number,
  pace: Pace,
  clock: Clock,
  cancelled: () => boolean,
): AsyncGenerator<string> {
  const start = performance.now() + pace.firstTokenMs;
  const interval = 1000 / pace.tokensPerSecond;
  const { tokens, forever, failAfterTokens } = answer;
  for (let made = 0; made < maxTokens; made += 1) {
    const token = forever ? tokens[made % tokens.length] : tokens[made];
    const fails = made === failAfterTokens;
    if (token === undefined && !fails) return;
    const wait = start + made * interval - performance.now();
    if (wait > 0) await clock.sleep(wait);
    else if (made % BURST === 0) await clock.yield();
    if (cancelled()) return;
    if (fails || token === undefined) throw new EngineFailure(answer.failure);
    yield token;
  }
}
