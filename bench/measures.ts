import { ServerProcess, type Subject } from "./server-process.js";

/** One figure of one run of one server. Less is better, unless its name says otherwise. */
export type Figures = Readonly<Record<string, number>>;

const prompt = (number: number) => ({
  name: "complete",
  arguments: { prompt: `Say hello, number ${number}.`, model: "instant" },
});

/** From the start of the process to an answered `tools/list`. */
export async function measureStart(subject: Subject, endpoint: string): Promise<Figures> {
  const startedAt = performance.now();
  const server = new ServerProcess(subject, environment(endpoint));
  await server.initialize();
  await server.request("tools/list");
  const figures = {
    "start, ms": performance.now() - startedAt,
    "start, CPU ms": server.cpuMs(),
    "memory when ready, MB": server.memoryMb(),
  };
  await server.close();
  return figures;
}

export interface LoadOptions {
  /** Calls one after the other. */
  readonly sequential: number;
  /** Calls with `atOnce` in flight. */
  readonly concurrent: number;
  readonly atOnce: number;
}

/** What calls of `complete` cost against an engine that answers at once. */
export async function measureCalls(
  subject: Subject,
  endpoint: string,
  { sequential, concurrent, atOnce }: LoadOptions,
): Promise<Figures> {
  const server = new ServerProcess(subject, environment(endpoint));
  try {
    await server.initialize();
    // Connections and compiled code are there before anything is measured.
    for (let number = 0; number < 50; number += 1) await server.request("tools/call", prompt(-1));
    const cpuBefore = server.cpuMs();
    const times: number[] = [];
    for (let number = 0; number < sequential; number += 1) {
      const startedAt = performance.now();
      await server.request("tools/call", prompt(number));
      times.push(performance.now() - startedAt);
    }
    const cpuOfCalls = server.cpuMs() - cpuBefore;
    const cpuBeforeLoad = server.cpuMs();
    const startedAt = performance.now();
    let next = 0;
    const caller = async (): Promise<void> => {
      while (next < concurrent) {
        next += 1;
        await server.request("tools/call", prompt(next));
      }
    };
    await Promise.all(Array.from({ length: atOnce }, caller));
    const seconds = (performance.now() - startedAt) / 1000;
    return {
      "a call, ms": median(times),
      "a call, CPU ms": cpuOfCalls / sequential,
      [`a call at ${atOnce} at once, CPU ms`]: (server.cpuMs() - cpuBeforeLoad) / concurrent,
      [`calls a second at ${atOnce} at once (more is better)`]: concurrent / seconds,
      "memory after load, MB": server.memoryMb(),
    };
  } finally {
    await server.close();
  }
}

const environment = (endpoint: string) => ({
  FOUNDRY_ENDPOINT: endpoint,
  FOUNDRY_CONCURRENCY: "32",
});

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
