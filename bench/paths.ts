import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { cpuMsOf, environment, type Figures, inFlight } from "./measures.js";
import { ServerProcess, type Subject } from "./server-process.js";

const AT_ONCE = 32;
/** Calls before anything is measured: then the model is loaded and connections are there. */
const WARM_UP = 50;
const DIALECTS = ["S", "C1", "C2", "openai"];
const MODEL = "qwen2.5-0.5b";

export const LIST_150 = "list_models of 150 models, CPU ms";
export const LIST_10_000 = "list_models of 10,000 models, CPU ms";
export const STDIO_CALL = "a call over stdio, CPU ms";
export const HTTP_CALL = "a call over Streamable HTTP, CPU ms";
export const dialectCall = (dialect: string): string =>
  `a call to the simulated ${dialect}, CPU ms`;

/** A log level without a line for each call, as these lines have different targets over stdio and HTTP. */
const quiet = (endpoint: string) => ({ ...environment(endpoint), FOUNDRY_LOG_LEVEL: "warn" });

/** The cost of calls on other paths through the server than the one that is compared with the floors. */
export async function measurePaths(
  subject: Subject,
  endpoint: string,
  calls: number,
): Promise<Figures> {
  const figures: Record<string, number> = {
    [LIST_150]: await listCpu(subject, endpoint, 150),
    [LIST_10_000]: await listCpu(subject, endpoint, 10_000),
    [STDIO_CALL]: await callCpu(subject, endpoint, "instant", calls),
    [HTTP_CALL]: await httpCpu(subject, endpoint, calls),
  };
  for (const dialect of DIALECTS) {
    figures[dialectCall(dialect)] = await dialectCpu(subject, dialect, calls);
  }
  return figures;
}

async function listCpu(subject: Subject, endpoint: string, count: number): Promise<number> {
  const server = new ServerProcess(subject, environment(`${endpoint}/models-${count}`));
  const list = { name: "list_models", arguments: { filter: "all" } };
  try {
    await server.initialize();
    // The first call detects the dialect.
    await server.request("tools/call", list);
    // One after the other: calls at the same time share a request to the service.
    return await cpuOf(server, 20, 1, () => server.request("tools/call", list));
  } finally {
    await server.close();
  }
}

/** The simulator answers as each service does, as fast as it can. */
async function dialectCpu(subject: Subject, dialect: string, calls: number): Promise<number> {
  const flags = ["--tokens-per-second", "infinity", "--first-token-ms", "0", "--load-ms", "0"];
  const simulator = spawn(
    subject.command,
    [...subject.args, "simulate", "--dialect", dialect, ...flags],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  try {
    const ended = once(simulator, "exit").then(() => {
      throw new Error("the simulator has ended");
    });
    // After the measurement the process is ended on purpose.
    ended.catch(() => {});
    const [url] = await Promise.race([
      once(createInterface({ input: simulator.stdout }), "line"),
      ended,
    ]);
    return await callCpu(subject, String(url), MODEL, calls);
  } finally {
    await end(simulator);
  }
}

async function callCpu(
  subject: Subject,
  endpoint: string,
  model: string,
  calls: number,
): Promise<number> {
  const server = new ServerProcess(subject, quiet(endpoint));
  const call = (number: number) =>
    server.request("tools/call", {
      name: "complete",
      arguments: { prompt: `Say hello, number ${number}.`, model, max_tokens: 8 },
    });
  try {
    await server.initialize();
    // The first call loads the model.
    for (let number = 0; number < WARM_UP; number += 1) await call(-number);
    return await cpuOf(server, calls, AT_ONCE, call);
  } finally {
    await server.close();
  }
}

async function httpCpu(
  { command, args }: Subject,
  endpoint: string,
  calls: number,
): Promise<number> {
  const server = spawn(command, [...args, "serve", "--http", "0"], {
    env: { ...process.env, ...quiet(endpoint) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const client = new Client({ name: "bench", version: "1" });
  const call = (number: number) =>
    client.callTool({
      name: "complete",
      arguments: { prompt: `Say hello, number ${number}.`, model: "instant", max_tokens: 8 },
    });
  try {
    let url: string | undefined;
    for await (const line of createInterface({ input: server.stderr })) {
      url = / serves MCP at (http\S+)/.exec(line)?.[1];
      if (url !== undefined) break;
    }
    // Read the log on, so that the server can write.
    server.stderr.resume();
    await client.connect(new StreamableHTTPClientTransport(new URL(String(url))));
    for (let number = 0; number < WARM_UP; number += 1) await call(-number);
    return await cpuOf({ child: server }, calls, AT_ONCE, call);
  } finally {
    await end(server);
    await client.close();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, "exit");
  child.kill();
  await ended;
}

/** CPU milliseconds of the server per call. */
async function cpuOf(
  { child: { pid } }: Pick<ServerProcess, "child">,
  calls: number,
  atOnce: number,
  call: (number: number) => Promise<unknown>,
): Promise<number> {
  const before = cpuMsOf(pid);
  await inFlight(atOnce, calls, call);
  return (cpuMsOf(pid) - before) / calls;
}
