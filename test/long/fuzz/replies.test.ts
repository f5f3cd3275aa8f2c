import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { DIALECTS } from "foundry-local-simulator";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FoundryClient } from "../../../src/jobs/index.js";
import { FoundryError } from "../../../src/lib/errors.js";
import { LONGEST_ERROR } from "../../../src/lib/limits.js";
import { PROMPT_ANSWER } from "../../e2e/simulated.js";
import { roomyMachine } from "../../foundry/fixtures.js";
import { residentMb } from "../process-report.js";
import { StandWatch } from "./cpu.js";
import { expectNoGrowth, type Memory } from "./memory.js";
import { hold, INPUTS, LONGEST_STAND_MS, TEST_TIMEOUT_MS, WARM_UP_RUNS } from "./plan.js";
import { API_KEY, CALLS, KEPT, newsSchema, type Reply, replyTo } from "./replies.js";

let service: ChildProcess;
const clients: FoundryClient[] = [];
const plain = new Map<FoundryClient, Partial<Record<Reply["call"], string>>>();
const waiting = new Map<number, () => void>();

const clientOf = (endpoint: string) =>
  new FoundryClient(
    {
      endpoint,
      apiKey: API_KEY,
      retry: { retries: 0 },
      circuit: { failures: 1_000_000 },
      timeoutMs: 5000,
      loadTimeoutMs: 5000,
      stallTimeoutMs: 5000,
    },
    roomyMachine(),
  );

/** Resolves when the service sends these replies for the dialect. */
async function beOdd(dialect: number, reply: Reply | null): Promise<void> {
  await new Promise<void>((resolve) => {
    waiting.set(dialect, resolve);
    service.send({ dialect, reply });
  });
}

beforeAll(async () => {
  const path = fileURLToPath(new URL("raw-service.ts", import.meta.url));
  service = fork(path, { execArgv: ["--import", "tsx"] });
  const [first] = await once(service, "message");
  const news = newsSchema.parse(first);
  if (!("urls" in news)) throw new Error("the service did not start");
  clients.push(...news.urls.map(clientOf));
  service.on("message", (message) => {
    const said = newsSchema.parse(message);
    if ("dialect" in said) waiting.get(said.dialect)?.();
  });
  // The first answer of the service is its plain reply, while the model is loaded.
  for (const client of clients) {
    for (const name of CALLS)
      plain.set(client, { ...plain.get(client), [name]: await outcome(client, name) });
  }
});
afterAll(async () => {
  for (const client of clients) await client.close();
  service.disconnect();
});

/** `done`, or the code of the failure: not every dialect has all calls. */
const outcome = (client: FoundryClient, name: Reply["call"]): Promise<string> =>
  call(client, name).then(
    () => "done",
    (error) => (error instanceof FoundryError ? error.code : String(error)),
  );

function call(client: FoundryClient, name: Reply["call"]): Promise<unknown> {
  switch (name) {
    case "list":
      return client.listModels();
    case "complete":
      return client.complete({ prompt: "Hi", model: PROMPT_ANSWER });
    case "load":
      return client.loadModel(PROMPT_ANSWER);
    case "unload":
      return client.unloadModel(PROMPT_ANSWER);
    case "health":
      return client.healthCheck();
  }
}

function faultsOfError(error: unknown): string[] {
  if (!(error instanceof FoundryError)) return [`no FoundryError: ${String(error)}`];
  const said = `${error.message} ${error.action}`;
  return [
    ...(error.code === "INTERNAL" ? [`INTERNAL: ${error.detail}`] : []),
    ...(said.length - 1 > LONGEST_ERROR ? [`${said.length} characters`] : []),
    ...(/\p{Cc}/u.test(said) ? [`control characters: ${JSON.stringify(said)}`] : []),
    ...(said.includes(API_KEY) ? [`the key: ${said}`] : []),
    ...(said.isWellFormed() ? [] : [`half a character: ${JSON.stringify(said)}`]),
  ];
}

/** Numbers are counts, sizes and times; the answer itself is the model's. */
function faultsOfValue(value: unknown, at: string): string[] {
  if (typeof value === "number") {
    const isFit = value >= 0 && value <= Number.MAX_SAFE_INTEGER;
    const isWhole = !/tokens$|pid|version|length/i.test(at) || Number.isInteger(value);
    return isFit && isWhole ? [] : [`${at} is ${value}`];
  }
  if (typeof value === "string") {
    return at.includes("problems") && value.includes(API_KEY) ? [`${at} has the key`] : [];
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === "text" || name === "reasoning" ? [] : faultsOfValue(inner, `${at}.${name}`),
  );
}

it(`settles every call despite ${INPUTS} odd replies, and the call after it`, {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  setFlagsFromString("--expose-gc");
  const memory: Memory[] = [];
  const measure = (): void => {
    runInNewContext("gc(); gc()");
    const { heapUsed, external } = process.memoryUsage();
    memory.push({ heapMb: (heapUsed + external) / 2 ** 20, residentMb: residentMb(process.pid) });
  };
  const stray: unknown[] = [];
  const onStray = (thrown: unknown): number => stray.push(thrown);
  process.on("unhandledRejection", onStray).on("uncaughtException", onStray);
  const watch = new StandWatch();
  let runs = 0;
  await hold(
    "replies",
    replyTo(DIALECTS.length),
    async (inputs) => {
      const faults: string[] = [];
      watch.longestMs = 0;
      await Promise.all(
        clients.map(async (client, dialect) => {
          for (const { reply } of inputs.filter((given) => given.dialect === dialect)) {
            await beOdd(dialect, reply);
            await call(client, reply.call).then(
              (value) => faults.push(...faultsOfValue(value, reply.call)),
              (error) => faults.push(...faultsOfError(error)),
            );
            await beOdd(dialect, null);
            const after = await outcome(client, reply.call);
            if (after !== plain.get(client)?.[reply.call]) {
              faults.push(`the ${reply.call} after it, on ${DIALECTS[dialect]}: ${after}`);
            }
          }
        }),
      );
      expect([...faults, ...stray.splice(0).map(String)]).toEqual([]);
      expect(watch.longestMs).toBeLessThan(LONGEST_STAND_MS);
      runs += 1;
      if (runs === WARM_UP_RUNS) measure();
    },
    KEPT,
  );
  watch.stop();
  process.off("unhandledRejection", onStray).off("uncaughtException", onStray);
  measure();
  expectNoGrowth(memory);
});
