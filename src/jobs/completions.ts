import { type CompletionRequest, type CompletionStatus, checkOptions } from "../foundry/index.js";
import {
  closedError,
  FoundryError,
  parseArguments,
  toFoundryError,
  waitFor,
} from "../lib/index.js";
import {
  type AdoptOptions,
  type BatchEntry,
  type BeginOptions,
  type Cancelled,
  type CompletionChange,
  type CompletionRecord,
  type CompletionService,
  type CompletionsOptions,
  type EnlistOptions,
  listenerArgument,
  type OpenOptions,
  type Started,
  type StartOptions,
  startOptions,
  waitOptions,
} from "./completion-options.js";
import {
  type BegunWaitOptions,
  CompletionRun,
  type CompletionState,
  type RunEvent,
  type RunParts,
  stoppedError,
  type WaitOptions,
} from "./completion-run.js";
import { CompletionStore, STORE_LIMITS } from "./completion-store.js";
import { CompletionStream, refusedCompletion } from "./completion-stream.js";
import { Ids, notFound, requestKey } from "./ids.js";
import { Listeners } from "./listeners.js";
import { Queue } from "./queue.js";
import { ResponseCache } from "./response-cache.js";
import { routed } from "./routes.js";

const QUEUE_LIMIT = 64;
/** A limit for the end of a stopped completion. */
const STOP_MS = 2000;
/** A completion that has run for so long is joined by the same request of the same session. */
const REPEAT_MS = 3000;

/**
 * Completions that outlive a call. A call starts, reads, awaits or stops them. They wait in the queue
 * of their model.
 *
 * @example
 * const { state } = client.completions.start({ prompt: "Tell me a long story" });
 * const later = await client.completions.wait(state.id, { withinMs: 45_000 });
 * later.text; // all of it, or the text after 45 s
 */
export class Completions {
  /** @internal Of batches, too. */
  readonly ids = new Ids();
  readonly #service: CompletionService;
  readonly #options: CompletionsOptions;
  readonly #store: CompletionStore;
  readonly #queue: Queue;
  readonly #cache: ResponseCache | null;
  readonly #listeners: Listeners<[id: string, what: CompletionChange]>;
  #isClosed = false;

  /** @internal */
  constructor(service: CompletionService, options: CompletionsOptions = {}) {
    this.#service = service;
    this.#options = options;
    this.#listeners = new Listeners(options.log);
    const now = options.now ?? (() => performance.now());
    const { concurrency, queueLimit: limit = QUEUE_LIMIT, rateLimit } = options;
    const slots = concurrency === "auto" ? undefined : concurrency;
    this.#queue = new Queue({ limit, now, concurrency: slots, rateLimit });
    this.#cache = ResponseCache.from(options, now);
    this.#store = new CompletionStore({ ...STORE_LIMITS, ...options.limits }, now, (id) =>
      this.#listeners.notify(id, "gone"),
    );
  }

  /** How many completions have a place and how many wait. */
  get queue(): { readonly running: number; readonly waiting: number } {
    return { running: this.#queue.running, waiting: this.#queue.waiting };
  }

  /** Completion starts a minute, and how long until the next one; `null`: no limit. */
  get rateLimit(): { readonly perMinute: number; readonly nextStartInMs: number } | null {
    return this.#queue.rateLimit;
  }

  /** Answers in the cache, and how often one was used; `null`: no cache. */
  async cacheStats(): Promise<{ readonly entries: number; readonly hits: number } | null> {
    if (this.#cache === null) return null;
    const { entries } = await this.#cache.size();
    return { entries, hits: this.#service.metrics.cacheHits };
  }

  /**
   * Starts a completion and returns at once. Joins an identical completion instead, if a host ended its
   * call by a timeout, if it runs at temperature 0, or if it has run for some seconds in this session.
   *
   * @throws FoundryError `INVALID_ARGUMENT`.
   */
  start(request: CompletionRequest, options: StartOptions = {}): Started {
    checkOptions(startOptions, options);
    return this.begin(request, options);
  }

  /** @internal As `start`, also with what only this package may ask for. */
  begin(request: CompletionRequest, options: BeginOptions): Started {
    this.assertOpen();
    const key = requestKey(request);
    const { session, trace, caller, cache, open, goesOn } = options;
    const same = options.join === false || key === null ? null : this.#sameAs(key, session);
    if (same !== null) {
      same.join(same.isRepeated(session, REPEAT_MS));
      return { state: same.state(), joined: true };
    }
    const id = this.ids.next("completion");
    this.#add({
      id,
      batchId: null,
      key,
      session,
      isRepeatable: key !== null && this.routed(request).temperature === 0,
      request: open === undefined ? request : null,
      open: (parts) =>
        open?.({ ...parts, caller }) ??
        this.stream(request, { ...parts, trace, caller, cache, goesOn }),
    });
    return { state: this.get(id), joined: false };
  }

  /**
   * An item of a batch. It begins when its turn comes, is never joined by another call, and is pinned
   * until its batch releases it. An invalid item becomes a completion that has failed.
   * @internal
   */
  enlist(entry: BatchEntry, { gate, trace, ...own }: EnlistOptions): void {
    this.assertOpen();
    this.#add({
      ...own,
      key: null,
      isRepeatable: false,
      request: entry instanceof FoundryError || typeof entry === "function" ? null : entry,
      open: (parts) => {
        const more = { ...parts, caller: own.batchId, gate };
        try {
          if (entry instanceof FoundryError) throw entry;
          if (typeof entry === "function") return entry(more);
          return this.stream(entry, { ...more, trace });
        } catch (thrown) {
          return refusedCompletion(parts.id, toFoundryError(thrown));
        }
      },
    });
  }

  /**
   * A completion that another process runs, or ran. An identical request joins it. If it has ended, that is known
   * here a moment later.
   * @internal
   */
  adopt(parts: AdoptOptions): void {
    this.assertOpen();
    const run = this.#add({ ...parts, isRepeatable: false, request: null });
    if (parts.batchId === null) run.detach();
  }

  /** @internal What another process needs to go on with a completion; `null` if it is not kept here. */
  recordOf(id: string): CompletionRecord | null {
    const run = this.#store.get(id);
    return run === null ? null : { key: run.key, request: run.request, state: run.state() };
  }

  /**
   * A completion that its reader runs, and that is not kept here. It waits in the same queue.
   * @internal
   */
  stream(given: CompletionRequest, options: OpenOptions = {}): CompletionStream {
    const { isRouted, cache, caller = "", isBatch = options.gate !== undefined, ...own } = options;
    const request = isRouted === true ? given : this.routed(given);
    return new CompletionStream({
      ...own,
      completion: this.#service.openCompletion(request, own),
      queue: this.#queue,
      caller,
      isBatch,
      cache: cache === false ? null : (this.#cache?.slotOf(request) ?? null),
    });
  }

  /** @internal A request with the settings of the route that it names. */
  routed(request: CompletionRequest): CompletionRequest {
    const { routes } = this.#options;
    return routes === undefined ? request : routed(request, routes);
  }

  /** @internal */
  assertOpen(): void {
    if (this.#isClosed) throw closedError();
  }

  /** @internal The batch of a completion has returned its result. */
  unpin(id: string): void {
    this.#store.unpin(id);
  }

  /** @internal How many places a model has, as far as the service is known. */
  get slots(): number {
    return this.#queue.slots;
  }

  /** @throws FoundryError `COMPLETION_NOT_FOUND` where it is not kept any more, or never was. */
  get(id: string): CompletionState {
    return this.#find(id).read();
  }

  /** @internal Whether an offset that a call was given is one into another text, which turned out to be thinking. */
  isReplaced(id: string): boolean {
    return this.#store.get(id)?.isReplaced ?? false;
  }

  /** @internal A call returns the text: from its beginning, where it was replaced. */
  noteReturned(id: string): void {
    const run = this.#store.get(id);
    if (run !== null) run.isReplaced = false;
  }

  /** All that run or are kept, the newest first. */
  list(): CompletionState[] {
    return this.#store.all().map((run) => run.state());
  }

  /**
   * Waits until a completion has ended, or for the given time. Resolves with its state then, also if it
   * failed: `error` says why.
   *
   * @throws FoundryError `COMPLETION_NOT_FOUND`, `CANCELLED` for the waiting.
   */
  async wait(id: string, options: WaitOptions = {}): Promise<CompletionState> {
    const run = this.#find(id);
    checkOptions(waitOptions, options);
    return run.wait(options);
  }

  /** @internal The wait of a call that began or joined a completion. A call that repeats it takes its place. */
  async waitBegun(id: string, options: BegunWaitOptions): Promise<CompletionState> {
    return this.#find(id).wait(options);
  }

  /**
   * Stops a completion; its text so far stays. An ended completion does not change.
   *
   * @throws FoundryError `COMPLETION_NOT_FOUND`.
   */
  async cancel(id: string): Promise<Cancelled> {
    const run = this.#find(id);
    if (run.hasEnded) return { state: run.read(), deviceBusy: false };
    // A load that waits for another one will never begin.
    const status = run.isWaitingForOthers ? "queued" : run.state().status;
    run.stop(stoppedError());
    await waitFor(run.ended, { withinMs: STOP_MS, ref: false });
    const state = run.read();
    // It may have come to its end in the same moment.
    const cameToItsEnd = run.hasEnded && state.status !== "cancelled";
    const deviceBusy = cameToItsEnd ? false : await this.#isBusyAfter(status);
    return { state, deviceBusy };
  }

  /**
   * A call does not want a completion any more. Stops it, unless another call does. Returns whether it was stopped.
   */
  abandon(id: string): boolean {
    return this.#store.get(id)?.abandon(false) ?? false;
  }

  /**
   * The host abandoned its call. The completion goes on, and an identical call can join it.
   *
   * @returns what {@link abandon}s it, unless a call has asked for it since.
   */
  detach(id: string): () => void {
    const run = this.#store.get(id);
    // Also where it has just ended: its answer came too late for the host.
    run?.detach();
    const asked = run?.asked;
    return () => {
      if (run?.asked === asked) run?.abandon(true);
    };
  }

  /** How many calls wait for a completion now. */
  watchersOf(id: string): number {
    return this.#store.get(id)?.watchers ?? 0;
  }

  /** Calls the listener at every change of a completion. Returns the function that removes it. */
  onChange(listener: (id: string, what: CompletionChange) => void): () => void {
    parseArguments(listenerArgument, { listener });
    return this.#listeners.add(listener);
  }

  /** Stops all completions. Their waiters get the states. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const running = this.#store.all().filter((run) => !run.hasEnded);
    for (const run of running) run.stop(closedError());
    const ended = Promise.all(running.map((run) => run.ended));
    await waitFor(ended, { withinMs: STOP_MS, ref: false });
  }

  /** Whether the device stays busy with a completion that was stopped in this status. */
  async #isBusyAfter(status: CompletionStatus): Promise<boolean | null> {
    // No service can cancel a load.
    if (status === "loading") return true;
    if (status !== "running") return false;
    const stops = await this.#service.stopsWhenLeft();
    return stops === null ? null : !stops;
  }

  #add(parts: Omit<RunParts, "now" | "log">): CompletionRun {
    const { id, batchId } = parts;
    const { now, log } = this.#options;
    const onEvent = (event: RunEvent): void => {
      this.#listeners.notify(id, event.type);
      parts.onEvent?.(event);
    };
    const run = new CompletionRun({ ...parts, now, log, onEvent });
    this.#store.add(run, batchId !== null);
    this.#listeners.notify(id, "started");
    return run;
  }

  #sameAs(key: string, session: string | undefined): CompletionRun | null {
    const isSame = (run: CompletionRun): boolean =>
      run.key === key && (run.isJoinable || run.isRepeated(session, REPEAT_MS));
    return this.#store.all().find(isSame) ?? null;
  }

  #find(id: string): CompletionRun {
    const run = this.#store.get(id);
    if (run !== null) return run;
    throw notFound(id, "completion", this.ids);
  }
}
