import fc from "fast-check";

/** The seed and the number of inputs of a run: fixed in the test suite, chosen by `npm run fuzz`. */
const SEED = Number(process.env["FUZZ_SEED"] ?? 20_261_128);
const PATH = process.env["FUZZ_PATH"];
export const INPUTS = Number(process.env["FUZZ_INPUTS"] ?? 20_000);
/** Inputs of one run of a property. A failure is reduced to the few of them that matter. */
const PER_RUN = 50;
export const RUNS = PATH === undefined ? Math.ceil(INPUTS / PER_RUN) : 1;
/** The number of runs after which permanent memory (compiled code, caches) is allocated. */
export const WARM_UP_RUNS = Math.ceil(RUNS / 4);
/** The time limit for shrinking, after which the smallest failure so far is the result. */
const SHRINK_MS = 60_000;
/** Generous for a machine that is busy with other work. */
export const TEST_TIMEOUT_MS = 900_000 * Math.max(1, INPUTS / 20_000);

export const LONGEST_STAND_MS = 250;

/**
 * Checks a property for all inputs of a sequence, in runs of {@link PER_RUN}. An error
 * names the seed and the path of the smallest failure found.
 *
 * @param only The flags that repeat only this failure.
 * @param kept Inputs that once failed: tried first.
 */
export async function hold<T>(
  only: string,
  input: fc.Arbitrary<T>,
  holds: (inputs: readonly T[]) => Promise<void>,
  kept: readonly T[] = [],
): Promise<void> {
  for (const each of kept) await holds([each]);
  // An element is reduced to null first: it is left out.
  const element = fc.option(input, { freq: 1_000_000 });
  let failedAt = Number.POSITIVE_INFINITY;
  const property = fc.asyncProperty(
    fc.tuple(...Array.from({ length: PER_RUN }, () => element)),
    async (elements) => {
      if (performance.now() - failedAt > SHRINK_MS) return;
      try {
        await holds(present(elements));
      } catch (thrown) {
        failedAt = Math.min(failedAt, performance.now());
        throw thrown;
      }
    },
  );
  const run = await fc.check(property, {
    seed: SEED,
    numRuns: RUNS,
    ...(PATH === undefined ? {} : { path: PATH, endOnFailure: true }),
  });
  if (!run.failed) return;
  const [elements] = run.counterexample ?? [[]];
  const lines = [
    `To repeat it: npm run fuzz -- --only ${only} --seed ${run.seed} --path ${run.counterexamplePath}`,
    ...present(elements).map((given) => fc.stringify(given).slice(0, 600)),
  ];
  throw new Error(lines.join("\n"), { cause: run.errorInstance });
}

const present = <T>(elements: readonly (T | null)[]): T[] =>
  elements.filter((element) => element !== null);
