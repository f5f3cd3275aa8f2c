import { onAbort } from "./abort.js";
import { cancelledError } from "./errors.js";

/**
 * Waits for a promise that others wait for too: a caller who aborts stops waiting with `CANCELLED`,
 * while the work goes on for the rest.
 */
export async function untilAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return work;
  if (signal.aborted) {
    // Nobody here waits for it any more, so nobody here would see it fail.
    work.catch(() => {});
    throw cancelledError();
  }
  return new Promise<T>((resolve, reject) => {
    const stopListening = onAbort(signal, () => reject(cancelledError()));
    work.then(resolve, reject).finally(stopListening);
  });
}
