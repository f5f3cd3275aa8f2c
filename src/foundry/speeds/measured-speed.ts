import type { Completion, EndedCompletion } from "../completion/index.js";
import type { Speed, SpeedMemory } from "./speed-memory.js";

/** Remembers what a completion of this machine shows. */
export function learnSpeed(
  memory: SpeedMemory | null,
  { completion, model, isOnThisMachine, hiddenTokens }: EndedCompletion,
): void {
  // The time to the first token would have that of hidden thinking.
  const isMeasured = isOnThisMachine && hiddenTokens <= MOST_HIDDEN_TOKENS;
  const speed = isMeasured ? measuredSpeed(completion) : null;
  // The service may have run another variant than the one that was chosen.
  const isOfModel = model !== null && model.id === completion.model;
  if (isOfModel && speed !== null) void memory?.learn(model, speed);
}

/** An answer without thinking may have a few tokens more than pieces. */
const MOST_HIDDEN_TOKENS = 8;
/** Below these, the figures are those of the connection and of the template. */
const LEAST_ANSWER_TOKENS = 16;
const LEAST_PROMPT_TOKENS = 200;
const LEAST_FIRST_TOKEN_MS = 100;

/** What a completion shows of the speed of its model; `null`: nothing. */
export function measuredSpeed({
  status,
  cached,
  attempts,
  usage,
  timing,
  text,
  reasoning,
}: Completion): Speed | null {
  if (status !== "completed" || cached || (attempts ?? 0) !== 1) return null;
  if (isSimulatedText(`${reasoning ?? ""}\n${text}`)) return null;
  const { inputTokens, outputTokens } = usage;
  const { firstTokenMs, tokensPerSecond } = timing;
  const hasRead = (inputTokens ?? 0) >= LEAST_PROMPT_TOKENS;
  const promptTokensPerSecond =
    inputTokens !== null && hasRead && firstTokenMs !== null && firstTokenMs > LEAST_FIRST_TOKEN_MS
      ? (inputTokens * 1000) / firstTokenMs
      : null;
  const own = (outputTokens ?? 0) >= LEAST_ANSWER_TOKENS ? tokensPerSecond : null;
  return own === null && promptTokensPerSecond === null
    ? null
    : { tokensPerSecond: own, promptTokensPerSecond };
}

/** The simulator begins its texts and thoughts so. Its speed is that of no model. */
export const isSimulatedText = (text: string): boolean =>
  /This is simulated text from|This thought is simulated\./.test(text);
