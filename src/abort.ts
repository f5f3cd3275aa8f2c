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
