import type { SdkErrorCode } from "@modelcontextprotocol/server";
import { requestKey } from "../jobs/index.js";
import { onAbort, RecentMap } from "../lib/index.js";
import type { OnCancel } from "../settings.js";
import type { Clock, ProgressReporter } from "./progress-reporter.js";

/**
 * Hosts by the `clientInfo.name` that they send, with the seconds after which they end a call. Only
 * those whose limit is far from {@link DEFAULT_REPLY_WITHIN_MS}. Many frameworks send the name of an
 * SDK (`mcp` of Python's: OpenAI Agents, AutoGen, LlamaIndex, LangChain), which says nothing about
 * their limit, or a name that a user chose (OpenAI Agents for JavaScript, Mastra).
 */
const KNOWN: readonly (readonly [name: RegExp, limitSeconds: number])[] = [
  // Google ADK 2.13.0, tools/mcp_tool/session_context.py: `_CLIENT_INFO` and `timeout: float = 5.0`.
  [/^google-adk$/, 5],
  // Claude Code 2.1.332 has a limit of hours; its changelog of 2.1.212: a call moves to the background
  // after two minutes.
  [/^claude-code$/, 120],
  // Gemini CLI 0.61.0, core/src/tools/mcp-client.ts: `MCP_DEFAULT_TIMEOUT_MSEC`, ten minutes.
  [/^gemini-cli-mcp-client/, 600],
  // Qwen Code 0.24.4: the same, and its name ends with the name of the server.
  [/^qwen-cli-mcp-client/, 600],
];

/** What a call may take in most hosts, whose limit is 60 seconds. */
const DEFAULT_REPLY_WITHIN_MS = 45_000;

/** Of a host's limit, this part is used: the answer takes time to arrive. */
const SHARE = 0.8;
const SHORTEST_MS = 500;
/** Hosts of one server. The one that called longest ago is forgotten. */
const MOST_HOSTS = 500;
/**
 * The limits of hosts, as they are in use. A host that ends a call without a notification shows its
 * limit only by the time of the next call, which also includes the time that its model needed.
 */
const COMMON_LIMITS_MS = [5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 600].map(
  (seconds) => seconds * 1000,
);

/** How long one host waits for an answer, as far as it is known or was learnt. */
export class HostLimit {
  readonly #isKnown: boolean;
  #replyWithinMs: number;

  constructor(clientName: string) {
    const seconds = KNOWN.find(([name]) => name.test(clientName))?.[1];
    this.#isKnown = seconds !== undefined;
    this.#replyWithinMs =
      seconds === undefined ? DEFAULT_REPLY_WITHIN_MS : SHARE * (seconds * 1000);
  }

  /** How long a call may take, unless it or a setting says otherwise. */
  get replyWithinMs(): number {
    return this.#replyWithinMs;
  }

  /** The host ended a call by its time limit, after so long. Calls answer earlier from now on. */
  timedOut(afterMs: number): void {
    const allowed = Math.max(SHORTEST_MS, Math.round(SHARE * afterMs));
    this.#replyWithinMs = Math.min(this.#replyWithinMs, allowed);
  }

  /** The host repeated a call that had been unanswered for so long: it may have given up the first. */
  repeated(afterMs: number): void {
    // The known ones send a notification when they give up.
    if (this.#isKnown) return;
    const limitMs = COMMON_LIMITS_MS.findLast((common) => common <= afterMs);
    if (limitMs !== undefined) this.timedOut(limitMs);
  }
}

/** The limits of the hosts of a server, by the names that they send. */
export class HostLimits {
  readonly #byName = new RecentMap<string, HostLimit>(MOST_HOSTS);

  of(clientName = ""): HostLimit {
    const limit = this.#byName.get(clientName) ?? new HostLimit(clientName);
    this.#byName.set(clientName, limit);
    return limit;
  }
}

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

/** What ends with the connection of a call: the process of this server, a session of its, or the call alone. */
export type Connection = "process" | "session" | "call";

/**
 * @param reason The text of the host's notification; without one it is an exception of Node's, or the
 *   SDK's when the connection ends.
 */
export function cancellationOf(
  reason: unknown,
  onCancel: OnCancel,
  connection: Connection = "process",
): Cancellation {
  const isClosed = reason instanceof Error && "code" in reason && reason.code === CONNECTION_CLOSED;
  // The keeper goes on with what was promised, and all else ends with the process.
  if (isClosed && connection === "process") return "detach";
  if (onCancel !== "auto") return onCancel;
  if (isClosed) return connection === "session" ? "stop" : "unclear";
  const words = wordsOf(reason);
  if (TIMEOUT.test(words)) return "detach";
  return STOP.test(words.replace(SAYS_NOTHING, "")) ? "stop" : "unclear";
}

/** Two signs of life were missed. */
const SILENCE_MS = 2500;

/**
 * How long a host waited that cancelled for time, in milliseconds; `null`: its limit begins again with each
 * progress notification, so it is not the time that a call may take.
 *
 * @param silentMs Since the last progress notification; `null` if there was none.
 */
export function allowedMs(
  reason: unknown,
  { elapsedMs, silentMs }: { readonly elapsedMs: number; readonly silentMs: number | null },
): number | null {
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

/** After an unclear cancellation the work goes on for so long, and stops if nothing asks for it. */
const GRACE_MS = 30_000;

/** A call whose answer has not been sent, or whose cancellation was unclear. */
interface OpenCall {
  readonly startedAt: number;
  /** When it was cancelled without a clear reason, in milliseconds after its start. */
  cancelledAfterMs: number | null;
}

interface HostCall {
  readonly tool: string;
  readonly given: unknown;
  readonly signal: AbortSignal;
  readonly progress: ProgressReporter;
  readonly limit: HostLimit;
}

/** The calls of one session in flight. Learns from them how long the host waits. */
export class HostCalls {
  readonly #clock: Clock;
  readonly #onCancel: OnCancel;
  readonly #connection: Connection;
  /** By tool and arguments: the latest of identical calls. */
  readonly #open = new Map<string | symbol, OpenCall>();

  constructor(clock: Clock, onCancel: OnCancel, connection: Connection) {
    this.#clock = clock;
    this.#onCancel = onCancel;
    this.#connection = connection;
  }

  /** Follows a call until the function that is returned is called. */
  begin({ tool, given, signal, progress, limit }: HostCall): () => void {
    // A call without a key matches no other.
    const own = requestKey(Object(given));
    const key = own === null ? Symbol(tool) : `${tool} ${own}`;
    const startedAt = this.#clock.now();
    this.#learnFromRepeat(key, startedAt, limit);
    const call: OpenCall = { startedAt, cancelledAfterMs: null };
    this.#open.set(key, call);
    const forget = (): void => {
      if (this.#open.get(key) === call) this.#open.delete(key);
    };
    const onCancelled = (): void => {
      const now = this.#clock.now();
      const elapsedMs = now - startedAt;
      const { lastSentAt } = progress;
      const silentMs = lastSentAt === null ? null : now - lastSentAt;
      const allowed = allowedMs(signal.reason, { elapsedMs, silentMs });
      if (allowed !== null) limit.timedOut(allowed);
      // The setting decides what becomes of the work; here only the words count.
      if (cancellationOf(signal.reason, "auto", this.#connection) !== "unclear") return;
      call.cancelledAfterMs = elapsedMs;
      this.#clock.after(GRACE_MS, forget);
    };
    const stopListening = onAbort(signal, onCancelled);
    return () => {
      stopListening();
      if (call.cancelledAfterMs === null) forget();
    };
  }

  /** What the host wants of the work of a call that it cancelled. */
  cancellationOf(signal: AbortSignal): Cancellation {
    return cancellationOf(signal.reason, this.#onCancel, this.#connection);
  }

  /** Runs after the time in which an agent may ask again for the work of a call. */
  afterGrace(callback: () => void): void {
    this.#clock.after(GRACE_MS, callback);
  }

  /** The same call again shows that the host gave up the one before. */
  #learnFromRepeat(key: string | symbol, now: number, limit: HostLimit): void {
    const before = this.#open.get(key);
    if (before === undefined) return;
    if (before.cancelledAfterMs === null) limit.repeated(now - before.startedAt);
    else limit.timedOut(before.cancelledAfterMs);
  }
}
