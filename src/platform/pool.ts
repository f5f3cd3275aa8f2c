/**
 * Work with files is done by a few threads (libuv's pool, four of them), and a thread that asks a dead
 * network share, or opens a pipe that has no other end, waits for as long as that stays so. No call of
 * the system ends such a wait. So all work on files that others put there goes through here: it is given
 * up after a time, and so little of it is in flight that two threads are left for all else.
 */
const MOST_IN_FLIGHT = 2;

let inFlight = 0;
/** Work that was given up and whose thread still waits. */
let stuck = 0;
const waiting: (() => void)[] = [];

export const LATE = Symbol("late");

/**
 * The outcome of work with files, or {@link LATE} when it took longer. The work itself goes on then, and
 * keeps its place until it ends.
 */
export async function inPool<T>(
  work: () => Promise<T>,
  timeoutMs: number,
): Promise<T | typeof LATE> {
  // Nothing that waits here now would have its turn within its time.
  if (stuck >= MOST_IN_FLIGHT) return LATE;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), timeoutMs);
  });
  try {
    return await limited(work, late);
  } finally {
    clearTimeout(timer);
  }
}

async function limited<T>(
  work: () => Promise<T>,
  late: Promise<typeof LATE>,
): Promise<T | typeof LATE> {
  if (inFlight >= MOST_IN_FLIGHT) {
    let enter = () => {};
    const turn = new Promise<null>((resolve) => {
      enter = () => resolve(null);
    });
    waiting.push(enter);
    if ((await Promise.race([turn, late])) === LATE) {
      const place = waiting.indexOf(enter);
      // Its turn came in the same moment: it goes to the next one.
      if (place < 0) leave();
      else waiting.splice(place, 1);
      return LATE;
    }
  } else {
    inFlight += 1;
  }
  let isStuck = false;
  const done = work().finally(() => {
    if (isStuck) stuck -= 1;
    leave();
  });
  const outcome = await Promise.race([done, late]);
  if (outcome === LATE) {
    isStuck = true;
    stuck += 1;
    done.catch(() => {});
  }
  return outcome;
}

/** Hands the place on, or gives it up. */
function leave(): void {
  const next = waiting.shift();
  if (next === undefined) inFlight -= 1;
  else next();
}
