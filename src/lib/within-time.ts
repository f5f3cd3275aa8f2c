import { createContext, isContext, Script } from "node:vm";

const SCRIPT = new Script("work()");
/** What the script sees. It is made a context once, with the first work: that takes a millisecond. */
const scope: { work?: (() => void) | undefined } = {};

/** A machine that a model keeps busy may give this process only a small part of its time. */
const MOST_TRIES = 5;

/**
 * Runs synchronous work, and ends it after so many milliseconds. No timer fires while such work runs;
 * V8 can end a script, also in the middle of a regular expression. Work that was ended although this process
 * had less than half of that time is begun again, with twice the time.
 *
 * @returns `null` where it was ended.
 */
export function withinTime<T>(timeout: number, work: () => T): { readonly value: T } | null {
  for (let tries = 1; ; tries += 1) {
    const before = process.cpuUsage();
    const found = tryWithin(timeout * 2 ** (tries - 1), work);
    const { user, system } = process.cpuUsage(before);
    const hadTime = (user + system) / 1000 >= timeout / 2;
    if (found !== null || hadTime || tries === MOST_TRIES) return found;
  }
}

function tryWithin<T>(timeout: number, work: () => T): { readonly value: T } | null {
  const results: { readonly value: T }[] = [];
  if (!isContext(scope)) createContext(scope);
  scope.work = () => void results.push({ value: work() });
  try {
    SCRIPT.runInContext(scope, { timeout });
  } catch (thrown) {
    if (isTimeout(thrown)) return null;
    throw thrown;
  } finally {
    scope.work = undefined;
  }
  return results[0] ?? null;
}

/** It is an error of the script's context, so no `Error` of this one. */
const isTimeout = (thrown: unknown): boolean =>
  typeof thrown === "object" &&
  thrown !== null &&
  "code" in thrown &&
  thrown.code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
