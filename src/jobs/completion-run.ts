import type {
  Completion,
  CompletionEvent,
  CompletionStatus,
  StatusUpdate,
} from "../foundry/index.js";
import { type FoundryError, toFoundryError } from "../lib/index.js";
import type { Logger } from "../log.js";
import { Listeners } from "./listeners.js";

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
