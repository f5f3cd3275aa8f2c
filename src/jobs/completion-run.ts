import type {
  Completion,
  CompletionEvent,
  CompletionRequest,
  CompletionStatus,
  StatusUpdate,
} from "../foundry/index.js";
import { deferred, FoundryError, throwIfAborted, toFoundryError, waitFor } from "../lib/index.js";
import type { Logger } from "../log.js";
import type { OpenedCompletion } from "./completion-stream.js";
import { Listeners } from "./listeners.js";

/** The state of a completion that waits, runs or has ended. */
export interface CompletionState extends Completion {
  /** Why it was not completed; `null` while it runs and when it was completed. */
  readonly error: FoundryError | null;
  /** Its place in the queue, 1 for the next; `null` if it does not wait there. */
  readonly place: number | null;
  /** Estimated milliseconds until its turn; `null`: nothing was measured. */
  readonly etaMs: number | null;
  /** The step before its own work, such as `Starting Foundry Local with foundry server start`. */
  readonly news: string | null;
  /** The id of its batch; `null` if it is not part of one. */
  readonly batchId: string | null;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly endedAt: number | null;
}

const ENDS: ReadonlySet<CompletionStatus> = new Set([
  "completed",
  "interrupted",
  "cancelled",
  "failed",
]);

export const hasEnded = ({ status }: Pick<Completion, "status">): boolean => ENDS.has(status);

/** The events of a completion for its watchers. */
export type RunEvent =
  | CompletionEvent
  | { readonly type: "news"; readonly news: StatusUpdate }
  | { readonly type: "place"; readonly place: number; readonly etaMs: number | null }
  | { readonly type: "ended" };

/** What a run gives its completion. */
export interface OpenParts {
  readonly id: string;
  /** Aborted when the completion shall stop. */
  readonly signal: AbortSignal;
  readonly onStatus: (update: StatusUpdate) => void;
  readonly onPlace: (place: number | null, etaMs: number | null) => void;
}

export interface WaitOptions {
  /** Longest wait, in milliseconds; 0 returns the state at once. Default: until it has ended. */
  readonly withinMs?: number | undefined;
  /** Aborting it ends the waiting with `CANCELLED` or `TIMEOUT`, and not the completion. */
  readonly signal?: AbortSignal | undefined;
  /** Called with every event during the wait. */
  readonly onEvent?: ((event: RunEvent) => void) | undefined;
}

/** The wait of a call that began or joined the completion. */
export interface BegunWaitOptions extends WaitOptions {
  readonly session?: string | undefined;
}

/** A call that waits. */
interface Watcher {
  readonly session: string | undefined;
  /** Its host has repeated the request, and has no use for its answer any more. */
  isRepeated: boolean;
}

export interface RunParts {
  readonly id: string;
  readonly batchId: string | null;
  /** Equal for identical requests; `null`: never identical to another. */
  readonly key: string | null;
  /** Whether the same request gives the same answer, so that calls may share it. */
  readonly isRepeatable: boolean;
  /** The connection of the call that started it. */
  readonly session?: string | undefined;
  /** A monotonic clock in milliseconds. For tests. */
  readonly now?: (() => number) | undefined;
  /** What it completes, until its end; `null` where only another process knows it. */
  readonly request: CompletionRequest | null;
  /** Default: now. */
  readonly createdAt?: number | undefined;
  /** Called with every event; not counted as a watcher. */
  readonly onEvent?: ((event: RunEvent) => void) | undefined;
  readonly open: (parts: OpenParts) => OpenedCompletion;
  /** Logs listeners that throw. Default: none. */
  readonly log?: Logger | undefined;
}

type RunPhase =
  | {
      readonly is: "running";
      readonly stream: OpenedCompletion;
      readonly request: CompletionRequest | null;
    }
  /** Without stream and request: the prompt may be much larger than the answer. */
  | {
      readonly is: "ended";
      readonly at: number;
      readonly completion: Completion;
      readonly error: FoundryError | null;
    };

/**
 * A completion that outlives the call that started it. It runs to its end with or without watchers,
 * and watchers can leave and come back.
 */
export class CompletionRun {
  readonly id: string;
  readonly batchId: string | null;
  readonly key: string | null;
  readonly createdAt: number;
  readonly #isRepeatable: boolean;
  readonly #session: string | undefined;
  readonly #now: () => number;
  readonly #startedAt: number;
  /** Resolves when it has ended, whether it succeeded or not. */
  readonly ended: Promise<void>;
  readonly #stopping = new AbortController();
  readonly #listeners: Listeners<[RunEvent]>;
  #phase: RunPhase;
  #stoppedBy: FoundryError | null = null;
  #place: number | null = null;
  /** The estimated time of its turn. */
  #turnAt: number | null = null;
  #news: StatusUpdate | null = null;
  readonly #watchers = new Set<Watcher>();
  /** Calls that requested it and did not abandon it. */
  #claims = 1;
  /** How many of the claims are of detached calls. The next call takes them over. */
  #detachedClaims = 0;
  #isDetached = false;
  /** Another text took the place of one that calls may have read, and was not returned from its beginning yet. */
  isReplaced = false;
  /** How often a call has read or joined it. */
  asked = 0;

  constructor({ id, batchId, key, isRepeatable, request, onEvent, open, log, ...own }: RunParts) {
    this.createdAt = own.createdAt ?? Date.now();
    this.#listeners = new Listeners(log);
    if (onEvent !== undefined) this.#listeners.add(onEvent);
    this.id = id;
    this.batchId = batchId;
    this.key = key;
    this.#isRepeatable = isRepeatable;
    this.#session = own.session;
    this.#now = own.now ?? (() => performance.now());
    this.#startedAt = this.#now();
    const stream = open({
      id,
      signal: this.#stopping.signal,
      onStatus: (news) => this.#onStatus(news),
      onPlace: (place, etaMs) => this.#onPlace(place, etaMs),
    });
    this.#phase = { is: "running", stream, request };
    this.ended = this.#consume(stream);
  }

  get hasEnded(): boolean {
    return this.#phase.is === "ended";
  }

  get request(): CompletionRequest | null {
    return this.#phase.is === "running" ? this.#phase.request : null;
  }

  /** Whether an identical request may share it. */
  get isJoinable(): boolean {
    // A detached completion is joined also after its end: its result has not been read.
    const phase = this.#phase;
    if (phase.is === "ended") return this.#isDetached && phase.completion.status === "completed";
    return !this.#stopping.signal.aborted && (this.#isDetached || this.#isRepeatable);
  }

  /** Whether an identical request of this session repeats it, after so long without its answer. */
  isRepeated(session: string | undefined, afterMs: number): boolean {
    if (session === undefined || session !== this.#session || this.hasEnded) return false;
    return !this.#stopping.signal.aborted && this.#now() - this.#startedAt > afterMs;
  }

  /**
   * A further call shares it.
   *
   * @param isRepeat Whether it repeats an earlier call of its session, which has no use for the answer any more.
   */
  join(isRepeat: boolean): void {
    this.asked += 1;
    // The new caller takes over the claims of those that are gone.
    const replaced = this.#detachedClaims > 0 || !isRepeat ? this.#detachedClaims : 1;
    this.#claims = Math.max(1, this.#claims + 1 - replaced);
    for (const each of this.#watchers) {
      if (isRepeat && each.session === this.#session) each.isRepeated = true;
    }
    this.#attach();
  }

  /** A host ended its call while the completion goes on. The next identical call joins it. */
  detach(): void {
    this.#isDetached = true;
    this.#detachedClaims = Math.min(this.#detachedClaims + 1, this.#claims);
  }

  /**
   * A call does not want it any more. Stops it, unless another call does.
   *
   * @param isDetached Whether {@link detach} was called for this call.
   * @returns whether it was stopped.
   */
  abandon(isDetached: boolean): boolean {
    if (this.hasEnded) return false;
    this.#claims = Math.max(0, this.#claims - 1);
    if (isDetached) this.#detachedClaims = Math.max(0, this.#detachedClaims - 1);
    const isLast = this.#claims === 0 && [...this.#watchers].every((each) => each.isRepeated);
    if (isLast) this.stop();
    return isLast;
  }

  /** The state for a caller. A finished completion that was read is no longer detached. */
  read(): CompletionState {
    this.asked += 1;
    if (this.hasEnded) this.#attach();
    return this.state();
  }

  /** Calls that wait for it now. After its end none does, though they may not have returned yet. */
  get watchers(): number {
    return this.hasEnded ? 0 : this.#watchers.size;
  }

  /** Whether it waits for other work, such as the load of another model. */
  get isWaitingForOthers(): boolean {
    return this.#news?.step === "waiting";
  }

  state(): CompletionState {
    const phase = this.#phase;
    return {
      ...(phase.is === "ended" ? phase.completion : phase.stream.snapshot()),
      error: phase.is === "ended" ? phase.error : null,
      place: this.#place,
      etaMs: this.#turnAt === null ? null : Math.max(0, Math.round(this.#turnAt - this.#now())),
      news: this.#news?.message ?? null,
      batchId: this.batchId,
      createdAt: this.createdAt,
      endedAt: phase.is === "ended" ? phase.at : null,
    };
  }

  /** Ends the completion; its text stays. */
  stop(why: FoundryError | null = null): void {
    this.#stoppedBy ??= why;
    this.#stopping.abort();
  }

  /** Waits until it has ended, or for the given time, and reads it. */
  async wait({ withinMs, signal, onEvent, session }: BegunWaitOptions): Promise<CompletionState> {
    throwIfAborted(signal);
    if (this.hasEnded || withinMs === 0) return this.read();
    const failed = deferred<never>();
    const unwatch = this.#listeners.add((event) => {
      try {
        onEvent?.(event);
      } catch (defect) {
        // A bug of the waiting caller must not end the completion.
        failed.reject(defect);
      }
    });
    const watcher = { session, isRepeated: false };
    this.#watchers.add(watcher);
    try {
      await waitFor(Promise.race([this.ended, failed.promise]), { withinMs, signal });
    } catch (thrown) {
      throwIfAborted(signal);
      throw thrown;
    } finally {
      unwatch();
      this.#watchers.delete(watcher);
    }
    return this.read();
  }

  #attach(): void {
    this.#isDetached = false;
    this.#detachedClaims = 0;
  }

  #onStatus(news: StatusUpdate): void {
    this.#news = news.step === "found" ? null : news;
    this.#listeners.notify({ type: "news", news });
  }

  #onPlace(place: number | null, etaMs: number | null): void {
    this.#place = place;
    this.#turnAt = etaMs === null ? null : this.#now() + etaMs;
    if (place !== null) this.#listeners.notify({ type: "place", place, etaMs });
  }

  async #consume(stream: OpenedCompletion): Promise<void> {
    let error: FoundryError | null = null;
    try {
      for await (const event of stream) {
        // The step before this event is over.
        this.#news = null;
        const { type } = event;
        if (type === "text_was_reasoning" || type === "text_dropped") this.isReplaced = true;
        this.#listeners.notify(event);
      }
    } catch (thrown) {
      error = toFoundryError(thrown);
      if (error.code === "CANCELLED") error = this.#stoppedBy ?? error;
    }
    this.#news = null;
    this.#onPlace(null, null);
    this.#phase = { is: "ended", at: Date.now(), completion: stream.snapshot(), error };
    this.#listeners.notify({ type: "ended" });
    this.#listeners.clear();
  }
}

export function stoppedError(): FoundryError {
  return new FoundryError("CANCELLED", "The completion was cancelled before its end.", {
    action: "Nothing to do; ask again if the whole answer is wanted after all.",
  });
}
