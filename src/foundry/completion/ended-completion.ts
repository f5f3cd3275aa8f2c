import {
  type FoundryError,
  type MeteredTrace,
  type OpenCall,
  traceFields,
} from "../../lib/index.js";
import type { Logger } from "../../log.js";
import type { KnownModel } from "../models/index.js";
import type { Completion } from "./completion.js";

export interface EndedCompletion {
  readonly completion: Completion;
  readonly failure: FoundryError | null;
  /** `null`: it ended before its model was known. */
  readonly model: KnownModel | null;
  readonly isOnThisMachine: boolean;
  /** Tokens that came before the first piece, at most: those of thinking that the service hides. */
  readonly hiddenTokens: number;
}

interface EndContext {
  readonly trace: MeteredTrace;
  readonly log: Logger;
  readonly call: OpenCall;
}

/** Counts a completion that has ended, and logs its end. */
export function noteEnd(
  { completion, failure }: EndedCompletion,
  { trace, log, call }: EndContext,
): void {
  const { status, model, usage, timing, attempts, cached } = completion;
  const isEnd = status === "completed" || status === "interrupted" || status === "cancelled";
  const { inputTokens, outputTokens } = usage;
  const { queuedMs: queueMs, firstTokenMs, tokensPerSecond, totalMs: ms } = timing;
  call.model = model;
  call.end(isEnd ? status : "failed", failure?.code ?? null, {
    cached,
    // What was never sent has no tokens.
    inputTokens: attempts === null ? null : inputTokens,
    outputTokens,
    queueMs,
    firstTokenMs,
    tokensPerSecond,
  });
  const tokens = { input: inputTokens, output: outputTokens };
  const fields = { ...traceFields(trace), status, model, ms, tokens, attempts };
  if (failure === null || status === "cancelled") {
    log.debug(fields, "completion ended");
  } else {
    const { code, requestId } = failure;
    log.warn({ ...fields, code, requestId }, "completion failed");
  }
}
