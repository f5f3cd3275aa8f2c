import { createHash } from "node:crypto";
import { membersKey, onAbort } from "../../lib/index.js";
import type { OnCancel } from "../../settings.js";
import type { Clock, ProgressReporter } from "../progress-reporter.js";
import { allowedMs, type Cancellation, cancellationOf } from "./cancellation.js";
import type { HostLimit } from "./host-limits.js";

/** After an unclear cancellation the work goes on for so long, and stops if nothing asks for it. */
export const GRACE_MS = 30_000;

/** A longer key is kept as its hash. */
const LONGEST_KEY = 1000;

/** A call whose answer has not been sent, or whose cancellation was unclear. */
interface OpenCall {
  readonly startedAt: number;
  /** When it was cancelled without a clear reason, in milliseconds after its start. */
  cancelledAfterMs: number | null;
}

export interface HostCall {
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
  readonly #hasSession: boolean;
  /** By tool and arguments: the latest of identical calls. */
  readonly #open = new Map<string | symbol, OpenCall>();

  /** @param hasSession Whether all calls come over one connection, or each over its own. */
  constructor(clock: Clock, onCancel: OnCancel, hasSession: boolean) {
    this.#clock = clock;
    this.#onCancel = onCancel;
    this.#hasSession = hasSession;
  }

  /** Follows a call until the function that is returned is called. */
  begin({ tool, given, signal, progress, limit }: HostCall): () => void {
    // A call without a key matches no other.
    const key = keyOf(tool, given) ?? Symbol(tool);
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
      if (this.#cancellationOf(signal, "auto") !== "unclear") return;
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
    return this.#cancellationOf(signal, this.#onCancel);
  }

  /** Runs after the time in which an agent may ask again for the work of a call. */
  afterGrace(callback: () => void): void {
    this.#clock.after(GRACE_MS, callback);
  }

  #cancellationOf(signal: AbortSignal, onCancel: OnCancel): Cancellation {
    return cancellationOf(signal.reason, onCancel, this.#hasSession);
  }

  /** The same call again shows that the host gave up the one before. */
  #learnFromRepeat(key: string | symbol, now: number, limit: HostLimit): void {
    const before = this.#open.get(key);
    if (before === undefined) return;
    if (before.cancelledAfterMs === null) limit.repeated(now - before.startedAt);
    else limit.timedOut(before.cancelledAfterMs);
  }
}

/** A hash, since arguments may be megabytes long; `null` for what is nested too deeply to be compared. */
function keyOf(tool: string, given: unknown): string | null {
  try {
    const members = typeof given === "object" && given !== null ? membersKey(given) : "";
    const key = `${tool} ${members}`;
    // A prompt may be megabytes long.
    return key.length <= LONGEST_KEY ? key : createHash("sha256").update(key).digest("base64");
  } catch {
    return null;
  }
}
