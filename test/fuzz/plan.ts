/** The seed and the number of inputs of a run: fixed in the test suite, chosen by `npm run fuzz`. */
export const SEED = Number(process.env["FUZZ_SEED"] ?? 20_261_128);
export const INPUTS = Number(process.env["FUZZ_INPUTS"] ?? 20_000);
/** Inputs of one run of a property: what a failure is reduced from. */
export const PER_RUN = 50;

export const parameters = {
  seed: SEED,
  numRuns: Math.ceil(INPUTS / PER_RUN),
  endOnFailure: true,
  verbose: 0,
} as const;

/** Generous for two times the inputs on a machine that is busy with other work. */
export const TEST_TIMEOUT_MS = 900_000;
