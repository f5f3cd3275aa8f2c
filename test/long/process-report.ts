import { readFileSync } from "node:fs";
import * as z from "zod";

/** Collects garbage at SIGUSR2, and writes the remaining memory to stderr. */
const REPORT = `
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
process.on("SIGUSR2", () => {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  const left = { heap: heapUsed + external, resources: process.getActiveResourcesInfo() };
  process.stderr.write("left " + JSON.stringify(left) + "\\n");
});
`;

/** The environment of a process that reports at SIGUSR2. */
export const REPORTS_AT_SIGNAL = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(REPORT)}`,
};

const reportSchema = z.object({
  /** Bytes of the heap and of the buffers outside of it. */
  heap: z.number(),
  /** What keeps the process alive: sockets, pipes, children, timers that are not `unref`. */
  resources: z.array(z.string()),
});
export type ProcessReport = z.output<typeof reportSchema>;

/** The report among the lines of stderr, if it has come. */
export function reportIn(stderr: string): ProcessReport | undefined {
  const json = /^left (\{.*\})$/m.exec(stderr)?.[1];
  return json === undefined ? undefined : reportSchema.parse(JSON.parse(json));
}

export function residentMb(pid: number): number {
  const found = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1]) / 1024;
}
