import { deferred, untilAborted } from "./async.js";
import { cancelledError } from "./errors.js";

interface SharedTaskOptions {
  /** It continues when the last waiter has left. Default `false`: it is aborted then. */
  readonly runsOn?: boolean;
}

interface SharedTaskWait<Update> {
  /** Aborting it ends the waiting. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the latest update, and with every further one. If it throws, this wait fails. */
  readonly onUpdate?: ((update: Update) => void) | undefined;
}

/** One running task that any number of callers wait for. */
export class SharedTask<T, Update = never> {
  readonly result: Promise<T>;
  readonly #aborting = new AbortController();
  /** Aborted when the last waiter has left, unless the task runs on. */
  readonly signal: AbortSignal = this.#aborting.signal;
  readonly #listeners = new Set<(update: Update) => void>();
  #latest: Update | null = null;
  #runsOn: boolean;

  constructor(
    work: (task: SharedTask<T, Update>) => Promise<T>,
    { runsOn = false }: SharedTaskOptions = {},
  ) {
    this.#runsOn = runsOn;
    this.result = work(this);
    // Waiters get the rejection; without waiters, avoid an unhandled rejection.
    this.result.catch(() => {});
  }

  get waiters(): number {
    return this.#listeners.size;
  }

  get latest(): Update | null {
    return this.#latest;
  }

  /** Lets the task run on without waiters. @throws FoundryError `CANCELLED` if it was aborted. */
  runOn(): void {
    if (this.signal.aborted) throw cancelledError();
    this.#runsOn = true;
  }

  update(update: Update): void {
    this.#latest = update;
    // A copy: a listener that is added during the loop gets the update when it is added.
    for (const listener of [...this.#listeners]) listener(update);
  }

  /** @throws FoundryError `CANCELLED` when the signal is aborted, and what the task rejects with. */
  async wait({ signal, onUpdate }: SharedTaskWait<Update> = {}): Promise<T> {
    const failed = deferred<never>();
    // One function per waiter: two waiters may pass the same one.
    const listener = (update: Update): void => {
      try {
        onUpdate?.(update);
      } catch (error) {
        failed.reject(error);
      }
    };
    this.#listeners.add(listener);
    if (this.#latest !== null) listener(this.#latest);
    try {
      return await untilAborted(Promise.race([this.result, failed.promise]), signal);
    } finally {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0 && !this.#runsOn) this.#aborting.abort();
    }
  }
}

/** Running tasks by key. */
export class SharedTasks<T, Update = never> {
  readonly #options: SharedTaskOptions;
  readonly #running = new Map<string, SharedTask<T, Update>>();

  constructor(options: SharedTaskOptions = {}) {
    this.#options = options;
  }

  get size(): number {
    return this.#running.size;
  }

  /** The running task with this key, or a new one. */
  get(key: string, work: (task: SharedTask<T, Update>) => Promise<T>): SharedTask<T, Update> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const task = new SharedTask(work, this.#options);
    const remove = (): void => {
      if (this.#running.get(key) === task) this.#running.delete(key);
    };
    task.result.then(remove, remove);
    task.signal.addEventListener("abort", remove, { once: true });
    this.#running.set(key, task);
    return task;
  }

  /** The next {@link get} starts a new task: the result of a running one may be out of date. */
  clear(): void {
    this.#running.clear();
  }
}
