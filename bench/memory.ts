/**
 * Checks that the server releases evicted completions: its heap after 10,000 completions is what
 * it was after 1,000, within 10 %. Runs the built server as a host does, against the built simulator,
 * each in a process of its own. Exit code 1 where it grew, or shrank, by more.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { ServerProcess } from "./server-process.js";

const FIRST = 1000;
const LAST = 10_000;
const MOST_CHANGE = 0.1;
/** Concurrent calls, as from several hosts. */
const CALLERS = 4;
const MODEL = "qwen2.5-0.5b";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const PROBE = new URL("heap-probe.mjs", import.meta.url).href;

const toolResultSchema = z.looseObject({
  isError: z.boolean().default(false),
  content: z.unknown(),
  structuredContent: z.looseObject({ completion_id: z.string().optional() }),
});

async function call(host: ServerProcess, name: string, given: object) {
  const result = await host.request("tools/call", { name, arguments: given });
  const { isError, content, structuredContent } = toolResultSchema.parse(result);
  if (isError) throw new Error(`${name}: ${JSON.stringify(content)}`);
  return structuredContent;
}

/** One completion, in one of the ways in which hosts ask for them. */
async function completion(host: ServerProcess, number: number): Promise<void> {
  const request = { model: MODEL, prompt: `Tell me something about ${number}.`, max_tokens: 20 };
  if (number % 4 !== 0) {
    await call(host, "complete", request);
    return;
  }
  const { completion_id } = await call(host, "complete", { ...request, reply_within: 0 });
  const uri = `foundry://completions/${completion_id}`;
  await host.request("resources/subscribe", { uri });
  await call(host, "get_completion", { completion_ids: [completion_id], reply_within: 60 });
  await host.request("resources/read", { uri });
  if (number % 100 === 0) await host.request("resources/list", {});
}

async function completions(host: ServerProcess, from: number, to: number): Promise<void> {
  let next = from;
  const caller = async (): Promise<void> => {
    while (next < to) {
      next += 1;
      await completion(host, next);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

async function heapOf(server: ChildProcess): Promise<number> {
  server.send("heap");
  const [bytes] = await once(server, "message");
  return z.number().parse(bytes);
}

async function simulatorUrl(simulator: ChildProcess): Promise<string> {
  if (simulator.stdout === null) throw new Error("the simulator has no stdout");
  const [line] = await once(createInterface({ input: simulator.stdout }), "line");
  return String(line);
}

const simulator = spawn(
  process.execPath,
  [MAIN, "simulate", "--tokens-per-second", "infinity", "--first-token-ms", "0", "--load-ms", "0"],
  { stdio: ["ignore", "pipe", "ignore"] },
);
process.once("exit", () => simulator.kill());
let host: ServerProcess | null = null;
try {
  const settings = {
    FOUNDRY_ENDPOINT: await simulatorUrl(simulator),
    FOUNDRY_LOG_LEVEL: "warn",
    FOUNDRY_KEEP: "never",
  };
  const args = ["--expose-gc", "--import", PROBE, MAIN];
  host = new ServerProcess({ name: "ours", command: process.execPath, args }, settings, true);
  const server = host.child;
  server.once("exit", (code) => {
    if (code === 0) return;
    process.stderr.write(`the server ended with ${code}\n`);
    process.exit(1);
  });
  await host.initialize();

  const startedAt = performance.now();
  await completions(host, 0, FIRST);
  const first = await heapOf(server);
  await completions(host, FIRST, LAST);
  const last = await heapOf(server);

  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const ratio = last / first;
  const megabytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(2)} MB`;
  const allowed = `${1 - MOST_CHANGE} to ${1 + MOST_CHANGE}`;
  process.stdout.write(
    [
      `heap after ${FIRST} completions: ${megabytes(first)}`,
      `heap after ${LAST} completions: ${megabytes(last)}`,
      `ratio: ${ratio.toFixed(3)}, allowed: ${allowed}; ${seconds} s`,
      "",
    ].join("\n"),
  );
  process.exitCode = Math.abs(ratio - 1) <= MOST_CHANGE ? 0 : 1;
} finally {
  await host?.close();
  simulator.kill();
}
