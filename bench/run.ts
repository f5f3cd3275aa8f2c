/**
 * Measures the built server against two floors, in turn in one run: an MCP server without dependencies,
 * and one as the SDK's documentation writes it. On Linux, where /proc has the CPU time and the memory of a process.
 *
 * `--quick`: fewer runs, about a minute. `--against CMD`: one more server, of which the start is
 * measured, and with `--complete` its calls: it has a tool `complete` with `prompt` and `model`, and asks the
 * engine at `FOUNDRY_ENDPOINT`. `--write`: writes bench/results.md and docs/performance.svg. `--check`: exit code 1 where a
 * ratio is more than 15 % above that of bench/limits.json.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { z } from "zod";
import { measureCalls, measureStart } from "./measures.js";
import {
  dialectCall,
  HTTP_CALL,
  LIST_10_000,
  LIST_150,
  measurePaths,
  STDIO_CALL,
} from "./paths.js";
import { type Beside, plotOf, Results, tableBeside, tableOf } from "./report.js";
import type { Subject } from "./server-process.js";
import { LONG, measureStreams, READER, SHORT, STREAM } from "./streams.js";

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const node = (name: string, file: string): Subject => ({
  name,
  command: process.execPath,
  args: [path(file)],
});

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    against: { type: "string" },
    complete: { type: "boolean", default: false },
  },
});

const OTHER = "other";
const OURS = node("ours", "../dist/main.js");
const FLOORS = [
  node("floor", "baselines/floor.mjs"),
  node("SDK server", "baselines/sdk-server.mjs"),
];
const [command, ...args] = values.against?.split(" ") ?? [];
const other: Subject[] = command === undefined ? [] : [{ name: OTHER, command, args }];
const STARTS = values.quick ? 5 : 31;
const LOADS = values.quick ? 3 : 7;
const PATHS = values.quick ? 1 : 3;
const PATH_CALLS = values.quick ? 200 : 1000;
const BARE = "a bare loop of eventsource-parser";
const LOAD = { sequential: values.quick ? 100 : 300, concurrent: 2000, atOnce: 32 };
/** How far a ratio may exceed its limit before it counts as a regression. */
const TOLERANCE = 1.15;

const results = new Results();
const upstream = fork(path("upstream.mjs"));
const [endpoint] = await once(upstream, "message");
for (let run = 0; run < STARTS; run += 1) {
  for (const subject of [OURS, ...FLOORS, ...other]) {
    const hasComplete = subject.name !== OTHER || values.complete;
    results.note(subject.name, await measureStart(subject, String(endpoint), hasComplete));
  }
}
for (let run = 0; run < LOADS; run += 1) {
  for (const subject of [OURS, ...FLOORS, ...(values.complete ? other : [])]) {
    results.note(subject.name, await measureCalls(subject, String(endpoint), LOAD));
  }
}
/** Figures without a counterpart in the floors, each beside another figure of the same run. */
const paths = new Results();
for (let run = 0; run < PATHS; run += 1) {
  const { ours, bare } = await measureStreams(String(endpoint));
  paths.note(OURS.name, { ...ours, ...(await measurePaths(OURS, String(endpoint), PATH_CALLS)) });
  paths.note(BARE, bare);
}
upstream.disconnect();

const BESIDE: readonly Beside[] = [
  { figure: STREAM, server: BARE, other: STREAM },
  { figure: READER, server: BARE, other: READER },
  { figure: LONG, server: OURS.name, other: SHORT },
  { figure: LIST_10_000, server: OURS.name, other: LIST_150 },
  { figure: HTTP_CALL, server: OURS.name, other: STDIO_CALL },
  ...["S", "C1", "C2"].map((dialect) => ({
    figure: dialectCall(dialect),
    server: OURS.name,
    other: dialectCall("openai"),
  })),
];
const table = [
  tableOf(
    results,
    FLOORS.map(({ name }) => name),
  ),
  tableBeside(paths, OURS.name, BESIDE),
].join("\n\n");
process.stdout.write(`${table}\n`);
if (values.write) {
  const head = `# Measured\n\n\`npm run bench -- ${values.quick ? "--quick " : ""}--write\`, Node ${process.version}, ${process.platform}: medians of ${STARTS} starts and ${LOADS} loads of each server, in turn. Spread is that of the middle half. The second table has medians of ${PATHS} runs.\n\n`;
  writeFileSync(path("results.md"), `${head}${table}\n`);
  writeFileSync(path("../docs/performance.svg"), plotOf(results, "SDK server"));
}
if (values.check) {
  const limits = z
    .record(z.string(), z.record(z.string(), z.number()))
    .parse(JSON.parse(readFileSync(path("limits.json"), "utf8")));
  for (const [floor, own] of Object.entries(limits)) {
    for (const [figure, limit] of Object.entries(own)) {
      const ratio = (floor === BARE ? paths : results).ratio(figure, OURS.name, floor);
      if (ratio === null) throw new Error(`"${figure}" is not measured`);
      if (ratio <= limit * TOLERANCE) continue;
      process.stdout.write(`${figure}: ${ratio.toFixed(2)} of ${floor}, limit ${limit}\n`);
      process.exitCode = 1;
    }
  }
}
