import { readdirSync, readFileSync } from "node:fs";
import { ServerProcess, type Subject } from "./server-process.js";

/** One figure of one run of one server. Less is better, unless its name says otherwise. */
export type Figures = Readonly<Record<string, number>>;

const prompt = (number: number) => ({
  name: "complete",
  arguments: { prompt: `Say hello, number ${number}.`, model: "instant" },
});

/**
 * From the start of the process to an answered `tools/list`, and the call that follows at once.
 *
 * @param hasComplete Whether it has a tool `complete`, as the floors have.
 */
export async function measureStart(
  subject: Subject,
  endpoint: string,
  hasComplete: boolean,
): Promise<Figures> {
  const startedAt = performance.now();
  const server = new ServerProcess(subject, environment(endpoint));
  await server.initialize();
  await server.request("tools/list");
  const figures = {
    "start, ms": performance.now() - startedAt,
    "start, CPU ms": cpuMsOf(server.child.pid),
    "memory when ready, MB": server.memoryMb(),
  };
  const calledAt = performance.now();
  if (hasComplete) await server.request("tools/call", prompt(0));
  const ofFirstCall = {
    "start to the end of a first call, CPU ms": cpuMsOf(server.child.pid),
    "the first call, right after the list of tools, ms": performance.now() - calledAt,
  };
  await server.close();
  return hasComplete ? { ...figures, ...ofFirstCall } : figures;
}

export interface LoadOptions {
  /** The number of calls that run one after the other. */
  readonly sequential: number;
  /** The number of calls with `atOnce` of them in flight. */
  readonly concurrent: number;
  readonly atOnce: number;
}

/** The cost of `complete` with an engine that answers at once. */
export async function measureCalls(
  subject: Subject,
  endpoint: string,
  { sequential, concurrent, atOnce }: LoadOptions,
): Promise<Figures> {
  const server = new ServerProcess(subject, environment(endpoint));
  try {
    await server.initialize();
    // Connections are open then; only part of the code is compiled.
    for (let number = 0; number < 50; number += 1) await server.request("tools/call", prompt(-1));
    const cpuBefore = cpuMsOf(server.child.pid);
    const times: number[] = [];
    for (let number = 0; number < sequential; number += 1) {
      const startedAt = performance.now();
      await server.request("tools/call", prompt(number));
      times.push(performance.now() - startedAt);
    }
    const cpuOfCalls = cpuMsOf(server.child.pid) - cpuBefore;
    const cpuBeforeLoad = cpuMsOf(server.child.pid);
    const startedAt = performance.now();
    await inFlight(atOnce, concurrent, (number) => server.request("tools/call", prompt(number)));
    const seconds = (performance.now() - startedAt) / 1000;
    return {
      "a call, ms": median(times),
      "a call, CPU ms": cpuOfCalls / sequential,
      [`a call at ${atOnce} at once, CPU ms`]:
        (cpuMsOf(server.child.pid) - cpuBeforeLoad) / concurrent,
      [`calls a second at ${atOnce} at once (more is better)`]: concurrent / seconds,
      "memory after load, MB": server.memoryMb(),
    };
  } finally {
    await server.close();
  }
}

/** The environment of a measured server. */
export const environment = (endpoint: string) => ({
  FOUNDRY_ENDPOINT: endpoint,
  FOUNDRY_CONCURRENCY: "32",
});

/** Makes a number of calls, with `atOnce` of them in flight. */
export async function inFlight(
  atOnce: number,
  calls: number,
  call: (number: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < calls) {
      next += 1;
      await call(next);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, caller));
}

/** CPU time of all threads of a process so far, in milliseconds. From /proc, so on Linux only. */
export function cpuMsOf(pid: number | undefined): number {
  const tasks = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(tasks).map((task) => {
    const [onCpu] = readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ");
    return Number(onCpu);
  });
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e6;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
