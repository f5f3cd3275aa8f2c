import { throwIfAborted, waitFor } from "../lib/index.js";
import type { WaitOptions } from "./completion-options.js";
import type { CompletionRun } from "./completion-run.js";

/** Waits until a completion has ended, or for the given time. */
export async function untilEnded(
  run: CompletionRun,
  { withinMs, signal, onEvent }: WaitOptions,
): Promise<void> {
  throwIfAborted(signal);
  if (run.hasEnded || withinMs === 0) return;
  let fail = (_defect: unknown): void => {};
  const failed = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  const unwatch = run.watch((event) => {
    try {
      onEvent?.(event);
    } catch (defect) {
      // A bug of the waiting caller must not end the completion.
      fail(defect);
    }
  });
  try {
    await waitFor(Promise.race([run.ended, failed]), { withinMs, signal });
  } catch (thrown) {
    throwIfAborted(signal);
    throw thrown;
  } finally {
    unwatch();
  }
}
