/**
 * Many callers over stdio and HTTP, with random faults, restarts of the service, loads and cancels. Prints the
 * outcomes, what the servers hold in the end, and the slopes of their memory. Exit code 1 if anything was wrong.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { soak } from "../test/long/soak/run.js";
import { summaryText } from "../test/long/soak/summary.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "3" },
    seed: { type: "string" },
    callers: { type: "string", default: "8" },
  },
});
const minutes = Number(values.minutes);
const callers = Number(values.callers);
if (!(minutes > 0)) throw new Error("--minutes takes a number above 0");
if (!(callers >= 2)) throw new Error("--callers takes a number, 2 or more");
if (process.platform !== "linux")
  throw new Error("A soak needs Linux: it counts what is in /proc.");
const seed = Number(values.seed ?? randomInt(2 ** 20));
process.stdout.write(
  `npm run soak -- --minutes ${minutes} --seed ${seed} --callers ${callers}\n\n`,
);
const summary = await soak({ seconds: minutes * 60, seed, callers });
process.stdout.write(`${summaryText(summary)}\n`);
process.exit(summary.faults.length === 0 ? 0 : 1);
