import { setMaxListeners } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { cancelledError } from "./errors.js";

/** A promise, and what settles it: Node 20 has no `Promise.withResolvers`. */
export function deferred<T = void>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

/** The longest delay that a timer of Node can have; a longer one would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** What {@link waitFor} resolves with when the time is over first. */
export const TIMED_OUT = Symbol("timed out");

interface WaitLimits {
  /** In milliseconds. Default: no limit. */
  readonly withinMs?: number | undefined;
  /** Aborting it ends the waiting, not the work. */
  readonly signal?: AbortSignal | undefined;
  /** Whether the timer keeps the process alive. Default `true`. */
  readonly ref?: boolean;
  /** Whether it is a {@link timeLimit}. Default `false`: others who wait for the answer have clocks of their own. */
  readonly isPatient?: boolean;
}

/**
 * Waits for a promise that others wait for too. The work goes on when the time is over or the signal
 * is aborted; should it fail then, that is not an unhandled rejection.
 *
 * @returns what the promise resolves with, or {@link TIMED_OUT}.
 * @throws FoundryError `CANCELLED` when the signal is aborted first, and what the promise rejects with.
 */
export function waitFor<T>(
  work: PromiseLike<T>,
  { withinMs, signal, ref = true, isPatient = false }: WaitLimits = {},
): Promise<T | typeof TIMED_OUT> {
  return new Promise((resolve, reject) => {
    let stopListening = () => {};
    let stopLimit = () => {};
    const settle = (): void => {
      stopLimit();
      stopListening();
    };
    work.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        settle();
        reject(error);
      },
    );
    if (signal?.aborted === true) {
      reject(cancelledError());
      return;
    }
    if (withinMs !== undefined) {
      const onOver = (): void => {
        stopListening();
        resolve(TIMED_OUT);
      };
      stopLimit = isPatient ? timeLimit(withinMs, onOver) : afterTime(withinMs, onOver, ref);
    }
    if (signal === undefined) return;
    stopListening = onAbort(signal, () => {
      stopLimit();
      reject(cancelledError());
    });
  });
}

function afterTime(ms: number, onOver: () => void, ref: boolean): () => void {
  const timer = setTimeout(onOver, Math.max(0, Math.min(ms, MAX_TIMER_MS)));
  if (!ref) timer.unref();
  return () => clearTimeout(timer);
}

/** A timer that is later than this, in milliseconds, shows that the process stood still. */
const LATE_MS = 5;

/**
 * Calls `onOver` after so many milliseconds, unless it is stopped before. Where this process stood still when the limit
 * was due, such as on a machine without CPU for it, that time is given again, since what arrived in it was not read yet;
 * in all, no more than a quarter of the limit, for it may be a part of another one.
 *
 * @returns what stops it.
 */
export function timeLimit(limitMs: number, onOver: () => void): () => void {
  let leftMs = limitMs / 4;
  let timer: NodeJS.Timeout | undefined;
  const wait = (ms: number): void => {
    const waitMs = Math.min(ms, MAX_TIMER_MS);
    const dueAt = performance.now() + waitMs;
    timer = setTimeout(() => {
      const lateMs = Math.min(performance.now() - dueAt, leftMs);
      if (lateMs < LATE_MS) return onOver();
      leftMs -= lateMs;
      wait(lateMs);
    }, waitMs);
  };
  wait(limitMs);
  return () => clearTimeout(timer);
}

/** {@link waitFor} without a limit of time. */
export async function untilAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const result = await waitFor(work, { signal });
  // Without a limit of time nothing times out; the type does not say so.
  if (result === TIMED_OUT) throw new Error("a wait without a limit timed out");
  return result;
}

/** Resolves after so many milliseconds. @throws FoundryError `CANCELLED` when the signal is aborted before. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {
    throw cancelledError();
  });
}

/** Calls `listener` when `signal` is aborted; returns what prevents it. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  try {
    // Node 20 warns on stderr about the eleventh; a batch gives one signal to all its requests.
    setMaxListeners(0, signal);
  } catch {
    // It is not Node's own, but jsdom's for one, which has no such limit.
  }
  // A function of its own: the same listener may be given twice.
  const forward = () => listener();
  signal.addEventListener("abort", forward, { once: true });
  return () => signal.removeEventListener("abort", forward);
}

/** A signal that is aborted with the first of several, until it is disposed. */
export interface JoinedSignal {
  readonly signal: AbortSignal;
  readonly dispose: () => void;
}

/**
 * In place of `AbortSignal.any` where one of the signals lives as long as the process: Node 20 and 22 keep
 * a reference in it for each signal that was ever made of it.
 */
export function joinedSignal(...signals: readonly (AbortSignal | undefined)[]): JoinedSignal {
  const controller = new AbortController();
  const stops: (() => void)[] = [];
  for (const each of signals) {
    if (each === undefined) continue;
    const abort = () => controller.abort(each.reason);
    if (each.aborted) abort();
    else stops.push(onAbort(each, abort));
  }
  const dispose = () => {
    for (const stop of stops.splice(0)) stop();
  };
  return { signal: controller.signal, dispose };
}

/** A value that is made when it is first wanted, and then kept. A failure is not kept. */
export class Lazy<T> {
  readonly #make: () => Promise<T>;
  #making: Promise<T> | null = null;
  #made: T | null = null;

  constructor(make: () => Promise<T>) {
    this.#make = make;
  }

  /** The value, if it has been made. */
  get made(): T | null {
    return this.#made;
  }

  /** The value, also if it is still being made; `null` if it was not wanted or could not be made. */
  async ifBegun(): Promise<T | null> {
    return (await this.#making?.catch(() => null)) ?? null;
  }

  get(): Promise<T> {
    this.#making ??= this.#make().then(
      (value) => {
        this.#made = value;
        return value;
      },
      (error: unknown) => {
        this.#making = null;
        throw error;
      },
    );
    return this.#making;
  }
}
