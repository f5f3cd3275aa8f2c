import * as z from "zod";
import type { OnCancel } from "../settings.js";

/** How long a call may take to answer, and what its cancellation means. */
export interface CallPolicy {
  /** After so long a call answers with what it has; the work goes on. */
  readonly replyWithinMs: number;
  readonly onCancel: OnCancel;
}

export const DEFAULT_CALL_POLICY: CallPolicy = { replyWithinMs: 45_000, onCancel: "auto" };

/**
 * The SDK's clients say `McpError: MCP error -32001: Request timed out`, those that hand on an
 * `AbortSignal.timeout()` say `TimeoutError: …`.
 */
const TIMEOUT = /-32001|\btime(?:d[ -]?|[ -]?)out|deadline exceeded/i;

/**
 * What the host wants of a call that it cancelled. A user who pressed stop wants the machine back; a
 * host that only ran out of time does not want the work lost.
 */
export function cancellationOf(signal: AbortSignal, onCancel: OnCancel): "stop" | "detach" {
  if (onCancel !== "auto") return onCancel;
  return TIMEOUT.test(wordsOf(signal.reason)) ? "detach" : "stop";
}

/** The reason is the text of the host's notification; without one it is an exception of Node's. */
function wordsOf(reason: unknown): string {
  if (reason instanceof Error) return `${reason.name}: ${reason.message}`;
  return typeof reason === "string" ? reason : "";
}

const ALLOWED = "a number of seconds from 0 to 3600";

/** The argument `reply_within`; {@link replyWithinMs} converts it. */
export const replyWithin = z.number(ALLOWED).min(0, ALLOWED).max(3600, ALLOWED).optional();

/** How long a call waits before it answers with what it has, in milliseconds. */
export const replyWithinMs = (given: number | undefined, policy: CallPolicy): number =>
  given === undefined ? policy.replyWithinMs : given * 1000;
