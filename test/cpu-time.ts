/** Milliseconds of CPU time of this process in the work. Some machines count it in steps of 20 ms. */
export async function cpuMsOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Of linear work, this is about 8; of quadratic work, 64. */
export const LINEAR = 24;

/**
 * How many times the CPU time of work on `count` things work on eight times as many takes. `0`: that takes
 * less than 200 ms, which needs no closer look. The lowest of up to ten measurements, since on a loaded
 * machine one may contain a garbage collection.
 */
export async function growthOf(work: (count: number) => unknown, count: number): Promise<number> {
  await work(count);
  let lowest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 10 && lowest >= LINEAR; round += 1) {
    const once = await cpuMsOf(() => work(count));
    const eightTimes = await cpuMsOf(() => work(8 * count));
    lowest = Math.min(lowest, eightTimes < 200 ? 0 : eightTimes / Math.max(once, 1));
  }
  return lowest;
}
