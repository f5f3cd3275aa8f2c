interface FanOut {
  readonly listeners: Set<() => void>;
  readonly forward: () => void;
}

/**
 * One listener per signal, however many calls share it: Node warns on stderr about the eleventh
 * listener of a signal, and a batch gives one signal to all its requests.
 */
const fanOuts = new WeakMap<AbortSignal, FanOut>();

/** Calls `listener` when `signal` is aborted; returns what prevents it. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  let fanOut = fanOuts.get(signal);
  if (fanOut === undefined) {
    const listeners = new Set<() => void>();
    const forward = () => {
      for (const each of [...listeners]) each();
    };
    fanOut = { listeners, forward };
    fanOuts.set(signal, fanOut);
    signal.addEventListener("abort", forward, { once: true });
  }
  const { listeners, forward } = fanOut;
  listeners.add(listener);
  return () => {
    if (!listeners.delete(listener) || listeners.size > 0) return;
    fanOuts.delete(signal);
    signal.removeEventListener("abort", forward);
  };
}

/** A signal that is aborted with the first of several, until it is disposed. */
export interface JoinedSignal {
  readonly signal: AbortSignal;
  readonly dispose: () => void;
}

/**
 * In place of `AbortSignal.any` where one of the signals lives as long as the process: Node 20 keeps
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
