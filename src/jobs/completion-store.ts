import type {
  Completion,
  CompletionEvent,
  CompletionStatus,
  StatusUpdate,
} from "../foundry/index.js";
import { FoundryError, toFoundryError } from "../lib/index.js";
import type { Logger } from "../log.js";
import { Listeners } from "./listeners.js";

export interface StoreLimits {
  /** How long a finished completion is kept, in milliseconds. */
  readonly keptMs: number;
  /** How many finished completions are kept. */
  readonly most: number;
  /** The size of all texts that are kept, in bytes. */
  readonly mostBytes: number;
}

export const STORE_LIMITS: StoreLimits = {
  keptMs: 30 * 60_000,
  most: 200,
  mostBytes: 64 * 1024 * 1024,
};

interface Finished {
  readonly bytes: number;
  /** By the clock of the store. */
  readonly since: number;
}

/** The completions that a call can read: the running ones, and the finished ones until their eviction. */
export class CompletionStore {
  readonly #limits: StoreLimits;
  readonly #now: () => number;
  /** In the order in which they began. */
  readonly #runs = new Map<string, CompletionRun>();
  /** In the order in which they ended. */
  readonly #finished = new Map<string, Finished>();
  /** Completions that their batch has not returned yet. */
  readonly #pinnedIds = new Set<string>();
  /** The finished ones of these. The limit on their number does not apply: a batch may exceed it. */
  readonly #pinned = new Map<string, Finished>();
  #bytes = 0;
  readonly #onGone: (id: string) => void;

  /**
   * @param now Milliseconds that only grow: a clock that is set must not empty the store.
   * @param onGone Called with the id of each evicted completion.
   */
  constructor(limits: StoreLimits, now: () => number, onGone: (id: string) => void = () => {}) {
    this.#limits = limits;
    this.#now = now;
    this.#onGone = onGone;
  }

  /** @param isPinned Exempt from the limit on the number until {@link unpin}. */
  add(run: CompletionRun, isPinned = false): void {
    this.#runs.set(run.id, run);
    if (isPinned) this.#pinnedIds.add(run.id);
    void run.ended.then(() => this.#finish(run));
  }

  /** Its batch has returned it: the usual limits apply from now on. */
  unpin(id: string): void {
    this.#pinnedIds.delete(id);
    const finished = this.#pinned.get(id);
    if (finished === undefined) return;
    this.#pinned.delete(id);
    this.#finished.set(id, { ...finished, since: this.#now() });
    this.#prune();
  }

  get(id: string): CompletionRun | null {
    this.#prune();
    return this.#runs.get(id) ?? null;
  }

  /** The newest first. */
  all(): CompletionRun[] {
    this.#prune();
    return [...this.#runs.values()].reverse();
  }

  #finish(run: CompletionRun): void {
    const { text, reasoning, warnings } = run.state();
    const characters = text.length + (reasoning?.length ?? 0) + warnings.join("").length;
    // Two bytes a character, as strings are held.
    const bytes = 2 * characters;
    const finished = this.#pinnedIds.has(run.id) ? this.#pinned : this.#finished;
    finished.set(run.id, { bytes, since: this.#now() });
    this.#bytes += bytes;
    this.#prune();
  }

  /** The oldest go first; the one that has just ended stays whatever its size. */
  #prune(): void {
    this.#pruneOne(this.#finished, this.#limits.most);
    this.#pruneOne(this.#pinned, Number.POSITIVE_INFINITY);
  }

  #pruneOne(finished: Map<string, Finished>, most: number): void {
    const { keptMs, mostBytes } = this.#limits;
    for (const [id, { bytes, since }] of finished) {
      const isLast = finished.size === 1;
      const isTooMuch = finished.size > most || (this.#bytes > mostBytes && !isLast);
      if (this.#now() - since <= keptMs && !isTooMuch) return;
      finished.delete(id);
      this.#pinnedIds.delete(id);
      this.#runs.delete(id);
      this.#bytes -= bytes;
      this.#onGone(id);
    }
  }
}

/** A completion as it stands, whether it waits, runs or has ended. */
export interface CompletionState extends Completion {
  /** Why it ended otherwise than well; `null` while it runs and when it ended well. */
  readonly error: FoundryError | null;
  /** Its place in the queue, 1 for the next; `null` when it is not waiting there. */
  readonly place: number | null;
  /** Roughly until its turn, from what was measured, in milliseconds; `null`: nothing was. */
  readonly etaMs: number | null;
  /** What it waits for besides, such as `Starting Foundry Local with foundry server start`. */
  readonly news: string | null;
  /** Of which batch it is a part. */
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

/** A completion that a run reads to its end. */
export interface OpenedCompletion extends AsyncIterable<CompletionEvent> {
  snapshot(): Completion;
}

/** The events of a completion for its watchers. */
export type RunEvent =
  | CompletionEvent
  | { readonly type: "news"; readonly news: StatusUpdate }
  | { readonly type: "place"; readonly place: number; readonly etaMs: number | null }
  | { readonly type: "ended" };

export interface RunParts {
  readonly id: string;
  readonly batchId: string | null;
  /** What makes two requests the same; `null`: never the same as another. */
  readonly key: string | null;
  /** Whether the same request gives the same answer, so that calls may share it. */
  readonly isRepeatable: boolean;
  /** Begins it. The signal ends it. */
  readonly open: (run: CompletionRun, signal: AbortSignal) => OpenedCompletion;
  /** Of listeners that throw. Default: none. */
  readonly log?: Logger | undefined;
}

/**
 * A completion that outlives the call that started it. It runs to its end with or without watchers,
 * and watchers can leave and come back.
 */
export class CompletionRun {
  readonly id: string;
  readonly batchId: string | null;
  readonly key: string | null;
  readonly isRepeatable: boolean;
  readonly createdAt = Date.now();
  /** Whether a host gave its call up while it went on: the next identical call takes it over. */
  isDetached = false;
  /** Calls that asked for it and have not given it up. */
  claims = 1;
  /** Resolves when it has ended, however. */
  readonly ended: Promise<void>;
  readonly #stopping = new AbortController();
  /** Let go at the end: it holds the prompt, which may be much larger than the answer. */
  #stream: OpenedCompletion | null;
  #last: Completion;
  readonly #listeners: Listeners<[RunEvent]>;
  #stoppedBy: FoundryError | null = null;
  #error: FoundryError | null = null;
  #place: number | null = null;
  /** When its turn comes, as it was estimated. */
  #turnAt: number | null = null;
  #news: StatusUpdate | null = null;
  #endedAt: number | null = null;
  #watchers = 0;

  constructor({ id, batchId, key, isRepeatable, open, log }: RunParts) {
    this.#listeners = new Listeners(log);
    this.id = id;
    this.batchId = batchId;
    this.key = key;
    this.isRepeatable = isRepeatable;
    const stream = open(this, this.#stopping.signal);
    this.#stream = stream;
    this.#last = stream.snapshot();
    this.ended = this.#consume(stream);
  }

  get hasEnded(): boolean {
    return this.#endedAt !== null;
  }

  /** Whether it is over or about to be. */
  get isEnding(): boolean {
    return this.hasEnded || this.#stopping.signal.aborted;
  }

  /** Calls that wait for it now. */
  get watchers(): number {
    return this.#watchers;
  }

  /** Whether it waits for something of others, such as the load of another model. */
  get isWaitingForOthers(): boolean {
    return this.#news?.step === "waiting";
  }

  state(): CompletionState {
    if (this.#stream !== null) this.#last = this.#stream.snapshot();
    return {
      ...this.#last,
      error: this.#error,
      place: this.#place,
      etaMs:
        this.#turnAt === null ? null : Math.max(0, Math.round(this.#turnAt - performance.now())),
      news: this.#news?.message ?? null,
      batchId: this.batchId,
      createdAt: this.createdAt,
      endedAt: this.#endedAt,
    };
  }

  /** Ends it; its text stays. */
  stop(why: FoundryError | null = null): void {
    this.#stoppedBy ??= why;
    this.#stopping.abort();
  }

  /** Calls the listener with every event from now on. Returns the function that removes it. */
  watch(listener: (event: RunEvent) => void): () => void {
    const unwatch = this.#listeners.add(listener);
    this.#watchers += 1;
    return () => {
      if (unwatch()) this.#watchers -= 1;
    };
  }

  onStatus(news: StatusUpdate): void {
    this.#news = news.step === "found" ? null : news;
    this.#listeners.notify({ type: "news", news });
  }

  onPlace(place: number | null, etaMs: number | null): void {
    this.#place = place;
    this.#turnAt = etaMs === null ? null : performance.now() + etaMs;
    if (place !== null) this.#listeners.notify({ type: "place", place, etaMs });
  }

  async #consume(stream: OpenedCompletion): Promise<void> {
    try {
      for await (const event of stream) {
        // Whatever was waited for is over.
        this.#news = null;
        this.#listeners.notify(event);
      }
    } catch (thrown) {
      const error = toFoundryError(thrown);
      this.#error = error.code === "CANCELLED" ? (this.#stoppedBy ?? error) : error;
    }
    this.#news = null;
    this.onPlace(null, null);
    this.#last = stream.snapshot();
    this.#stream = null;
    this.#endedAt = Date.now();
    this.#listeners.notify({ type: "ended" });
    this.#listeners.clear();
    this.#watchers = 0;
  }
}

/** A completion that was refused before it could begin: a bad item among good ones. */
export function refusedCompletion(id: string, failure: FoundryError): OpenedCompletion {
  return {
    snapshot: () => ({
      id,
      status: "failed",
      text: "",
      reasoning: null,
      finishReason: null,
      model: null,
      usage: { inputTokens: null, outputTokens: null, estimated: true },
      timing: { queuedMs: 0, loadMs: 0, firstTokenMs: null, totalMs: 0, tokensPerSecond: null },
      attempts: 0,
      cached: false,
      warnings: [],
    }),
    // biome-ignore lint/correctness/useYield: it fails before there is anything to tell.
    async *[Symbol.asyncIterator]() {
      throw failure;
    },
  };
}

export function stoppedError(): FoundryError {
  return new FoundryError("CANCELLED", "The completion was cancelled before its end.", {
    action: "Nothing to do; ask again if the whole answer is wanted after all.",
  });
}
