import type { ServerSummary, SoakSummary } from "./run.js";
import type { Held, Sample } from "./soaked-server.js";

/** Samples before this part of the run are of a process that still fills its caches. */
const WARM = 1 / 3;

/** The line through the points, by least squares: its rise for each minute. */
export function slope(points: readonly (readonly [minute: number, value: number])[]): number {
  const mean = (index: 0 | 1): number =>
    points.reduce((sum, point) => sum + point[index], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const rise = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  const run = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  return run === 0 ? 0 : rise / run;
}

export const warmSamples = (samples: readonly Sample[]): readonly Sample[] =>
  samples.slice(Math.floor(samples.length * WARM));

/** The summary in Markdown, as docs/reliability.md has it. */
export function summaryText({ servers, faults }: SoakSummary): string {
  const parts = servers.map(serverText);
  const end =
    faults.length === 0
      ? "Nothing was wrong."
      : `Wrong (${faults.length}):\n${faults.map((fault) => `- ${fault}`).join("\n")}`;
  return [...parts, end].join("\n\n");
}

function serverText(summary: ServerSummary): string {
  const { name, dialect, ledger, counted, upstream, before, after, samples } = summary;
  const { completions: seen } = ledger;
  const rows = [
    [
      "calls",
      `${ledger.sent}: ${ledger.answered} answered once, ${ledger.cancelled} cancelled by their host`,
    ],
    [
      "completions as seen by the callers",
      `${seen.completed} completed, ${seen.cancelled} cancelled, ${seen.failed} failed or interrupted, ${seen.unknown} of cancelled calls`,
    ],
    [
      "completions as counted by the server",
      `${counted.completed} completed, ${counted.cancelled} cancelled, ${counted.failed} failed or interrupted`,
    ],
    [
      "requests of the server to the service",
      `${upstream.proxy.requests.length}, of which ${upstream.injected} had a fault; ${upstream.restarts} restarts of the service`,
    ],
    ["held before, and after", `${heldText(before)}; ${heldText(after)}`],
    ["heap in MB", growthText(samples, ({ heapMb }) => heapMb)],
    ["resident memory in MB", growthText(samples, ({ residentMb }) => residentMb)],
    ["outcomes", outcomesText(ledger.outcomes)],
  ];
  const table = rows.map(([what, value]) => `| ${what} | ${value} |`).join("\n");
  return `Server over ${name}, service ${dialect}:\n\n| | |\n|---|---|\n${table}`;
}

const heldText = ({ sockets, pipes, files, children, timers }: Held): string =>
  `${sockets} sockets, ${pipes} pipes, ${files} files, ${children} children, ${timers} timers`;

function growthText(samples: readonly Sample[], figureOf: (sample: Sample) => number): string {
  const warm = warmSamples(samples);
  const [first] = warm;
  const last = warm.at(-1);
  if (first === undefined || last === undefined) return "not measured";
  const perMinute = slope(warm.map((sample) => [sample.minute, figureOf(sample)]));
  return `${figureOf(first).toFixed(1)} after a third, ${figureOf(last).toFixed(1)} at the end, slope ${perMinute.toFixed(2)} a minute`;
}

const outcomesText = (outcomes: ReadonlyMap<string, number>): string =>
  [...outcomes]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
