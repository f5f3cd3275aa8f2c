/** `npm run fuzz -- --minutes N [--seed S]`: the property tests with a new seed each time. */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "1" }, seed: { type: "string" } },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error("--minutes takes a number above 0");
const end = Date.now() + minutes * 60_000;
do {
  const seed = values.seed ?? String(randomInt(2 ** 31));
  process.stdout.write(`seed ${seed}\n`);
  const { status } = spawnSync(
    process.execPath,
    ["node_modules/vitest/vitest.mjs", "run", "--project", "all", "test/fuzz", "--maxWorkers=1"],
    { stdio: "inherit", env: { ...process.env, FUZZ_SEED: seed } },
  );
  if (status !== 0) {
    process.stderr.write(`To repeat it: npm run fuzz -- --seed ${seed}\n`);
    process.exit(1);
  }
} while (Date.now() < end && values.seed === undefined);
