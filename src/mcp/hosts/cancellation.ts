import type { SdkErrorCode } from "@modelcontextprotocol/server";
import type { OnCancel } from "../../settings.js";

/**
 * What a host wants of a call that it cancelled. A user who pressed stop wants the machine back; a host
 * that only ran out of time does not want the work lost; and many hosts give no reason for either.
 */
export type Cancellation = "stop" | "detach" | "unclear";

/**
 * The clients of the TypeScript SDK send `McpError: MCP error -32001: Request timed out` or
 * `SdkError: Request timed out`, those of Python's SDK `timed out after 5s`, Rust's `request timeout`,
 * Go's `context deadline exceeded`, and those that hand on an `AbortSignal.timeout()` `TimeoutError: …`.
 */
const TIMEOUT = /\btime(?:d[ -]?|[ -]?)out|deadline exceeded/i;
/**
 * The specification's example is `User requested cancellation`; Claude Code sends
 * `AbortError: user-cancel` and `interrupt`.
 */
const STOP =
  /\buser\b|\bstop(?:ped|ping)?\b|\binterrupt(?:ed)?\b|\bpressed\b|\b(?:no longer|not) (?:needed|wanted)\b|\bctrl[-+ ]?c\b|\bSIGINT\b|\bshut(?:ting)? ?down\b|\bquit\b/i;
/** A name of the platform's for every abort, in the words of an old library. */
const SAYS_NOTHING = /the user aborted a request/i;
/** Of the error that the SDK aborts with when the connection ends. */
const CONNECTION_CLOSED = "CONNECTION_CLOSED" satisfies `${SdkErrorCode.ConnectionClosed}`;
const AFTER =
  /(?:after|within|of|exceeded) (?:the )?(\d+(?:\.\d+)?) ?(ms|milliseconds?|s|sec|seconds?|min|minutes?)\b/i;

/**
 * @param reason The text of the host's notification; without one it is an exception of Node's, or the
 *   SDK's when the connection ends.
 * @param hasSession Whether the end of the connection is the end of the host, not of one request.
 */
export function cancellationOf(
  reason: unknown,
  onCancel: OnCancel,
  hasSession = true,
): Cancellation {
  if (onCancel !== "auto") return onCancel;
  if (reason instanceof Error && "code" in reason && reason.code === CONNECTION_CLOSED) {
    return hasSession ? "stop" : "unclear";
  }
  const words = wordsOf(reason);
  if (TIMEOUT.test(words)) return "detach";
  return STOP.test(words.replace(SAYS_NOTHING, "")) ? "stop" : "unclear";
}

/** When a call was cancelled, in milliseconds. */
export interface CancelledAt {
  /** Since it began. */
  readonly elapsedMs: number;
  /** Since its last progress notification; `null` if there was none. */
  readonly silentMs: number | null;
}

/** Two signs of life were missed. */
const SILENCE_MS = 2500;

/**
 * How long a host waited that cancelled for time; `null`: its limit begins again with each progress
 * notification, so it is not the time that a call may take.
 */
export function allowedMs(reason: unknown, { elapsedMs, silentMs }: CancelledAt): number | null {
  if (!TIMEOUT.test(wordsOf(reason))) return null;
  const said = saidMs(wordsOf(reason));
  if (silentMs === null) return said === null ? elapsedMs : Math.min(said, elapsedMs);
  if (said === null) return silentMs > SILENCE_MS ? null : elapsedMs;
  const isReset = Math.abs(silentMs - said) < Math.abs(elapsedMs - said);
  return isReset ? null : Math.min(said, elapsedMs);
}

function saidMs(words: string): number | null {
  const [, number, unit] = AFTER.exec(words) ?? [];
  if (number === undefined || unit === undefined) return null;
  const factor = /^mi(?:n|nutes?)$/i.test(unit) ? 60_000 : /^m/i.test(unit) ? 1 : 1000;
  return Number(number) * factor;
}

function wordsOf(reason: unknown): string {
  if (reason instanceof Error) return `${reason.name}: ${reason.message}`;
  return typeof reason === "string" ? reason : "";
}
