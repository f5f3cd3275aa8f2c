/** The longest delay that a timer of Node can have; a longer one would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** A timer that is later than this, in milliseconds, shows that the process stood still. */
const LATE_MS = 5;

/**
 * Calls `onOver` after so many milliseconds, unless it is stopped before. Where this process stood still when the limit
 * was due (the machine slept, or other programs had its CPUs), that time is given again, since what arrived in it was
 * not read yet; in all, no more than a quarter of the limit, for it may be a part of another one.
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
