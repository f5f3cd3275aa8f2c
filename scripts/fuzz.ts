/**
 * The property tests with a new seed each time, or once more with the seed and the path of a failure. With
 * `--cases` one run has so many inputs for each target.
 */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    cases: { type: "string" },
    only: { type: "string", default: "" },
    seed: { type: "string" },
    path: { type: "string" },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error("--minutes takes a number above 0");
const { only, path, cases } = values;
if (cases !== undefined && !(Number(cases) > 0)) throw new Error("--cases takes a number above 0");
if (!["", "stdin", "replies"].includes(only)) throw new Error("--only takes stdin or replies");
const end = Date.now() + minutes * 60_000;
do {
  const seed = values.seed ?? String(randomInt(2 ** 31));
  process.stdout.write(`seed ${seed}\n`);
  const vitest = ["node_modules/vitest/vitest.mjs", "run", "--project", "long"];
  const { status } = spawnSync(process.execPath, [...vitest, `test/long/fuzz/${only}`], {
    stdio: "inherit",
    env: {
      ...process.env,
      FUZZ_SEED: seed,
      ...(path === undefined ? {} : { FUZZ_PATH: path }),
      ...(cases === undefined ? {} : { FUZZ_INPUTS: cases }),
    },
  });
  if (status !== 0) process.exit(1);
} while (Date.now() < end && values.seed === undefined && cases === undefined);
