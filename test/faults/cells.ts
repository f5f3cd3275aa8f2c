import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DialectName, startSimulator } from "foundry-local-simulator";
import { FoundryClient } from "../../src/jobs/index.js";
import { toFoundryError } from "../../src/lib/errors.js";
import { roomyMachine } from "../foundry/fixtures.js";
import { removeFolder } from "../temporary-folder.js";
import { CALL_STREAM_FAULTS, FAULTS, STREAM_FAULTS } from "./faults.js";
import { type Fault, FaultProxy, type Matches } from "./proxy.js";

export const RETRIES = 2;
const MODEL = "talker-generic-cpu:1";
const COLD = "cold-generic-cpu:1";
const MISSING = "missing-generic-cpu:1";
const CALLER = "caller-generic-cpu:1";
const EMBEDDER = "qwen3-embedding-0.6b-generic-cpu:1";

/** Short limits for the faults that reach one. */
const PATIENCE = {
  timeoutMs: 3000,
  loadTimeoutMs: 3000,
  stallTimeoutMs: 3000,
  downloadStallMs: 3000,
  retry: { retries: RETRIES, initialPauseMs: 1, maxPauseMs: 1 },
  // The failures of a matrix would open the circuit.
  circuit: { failures: 1_000_000 },
};

/**
 * A flood ends at a limit of bytes, after as much CPU time as the machine needs for them; in a download,
 * at the limit of the time without progress.
 */
const FOR_FLOODS = { timeoutMs: 30_000, loadTimeoutMs: 30_000, stallTimeoutMs: 30_000 };
/** All others end by themselves, on a busy machine after some seconds. */
const FOR_OTHERS = { ...FOR_FLOODS, downloadStallMs: 30_000 };

/** How an operation ended. */
interface Ended {
  /** `ok`, or the code of the error. */
  readonly code: string;
  /** The result, or the text that is kept. */
  readonly more: string;
}

interface Operation {
  readonly name: string;
  readonly dialects: readonly DialectName[];
  readonly faults: readonly Fault[];
  /** Runs before the fault is armed. */
  readonly before?: (client: FoundryClient) => Promise<unknown>;
  readonly matches: Matches;
  readonly run: (client: FoundryClient) => Promise<Ended>;
}

const ALL: readonly DialectName[] = ["S", "C1", "C2", "openai"];
const FOUNDRY: readonly DialectName[] = ["S", "C1", "C2"];
const done = (work: Promise<unknown>): Promise<Ended> =>
  work.then(
    () => ({ code: "ok", more: "" }),
    (thrown: unknown) => ({ code: toFoundryError(thrown).code, more: "" }),
  );
const on =
  (pattern: RegExp): Matches =>
  ({ path }) =>
    pattern.test(path);
const warm = (client: FoundryClient): Promise<unknown> => client.listModels();

/** A completion, and the part that is kept when it fails. */
async function chatted(client: FoundryClient): Promise<Ended> {
  const stream = client.streamComplete({ prompt: "Hi", model: MODEL });
  try {
    for await (const _event of stream) {
      // The snapshot has the text.
    }
    return { code: "ok", more: "" };
  } catch (thrown) {
    const { text, status } = stream.snapshot();
    const more = text === "" ? status : `${status}, text kept`;
    return { code: toFoundryError(thrown).code, more };
  }
}

const TOOLS = [
  {
    type: "function" as const,
    function: {
      name: "note",
      parameters: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
    },
  },
];

/** A completion that calls a tool, and the received calls. */
async function called(client: FoundryClient): Promise<Ended> {
  const request = { prompt: "Hi", model: CALLER, tools: TOOLS };
  const stream = client.streamComplete(request);
  const callsOf = (): string => {
    const { toolCalls = [] } = stream.snapshot();
    const whole = toolCalls.filter(({ error }) => error === undefined);
    return `${whole.length} of ${toolCalls.length} calls whole`;
  };
  try {
    for await (const _event of stream) {
      // The snapshot has the calls.
    }
    return { code: "ok", more: callsOf() };
  } catch (thrown) {
    const more = stream.snapshot().toolCalls === undefined ? "no call" : callsOf();
    return { code: toFoundryError(thrown).code, more };
  }
}

const OPERATIONS: readonly Operation[] = [
  {
    name: "probe",
    dialects: ALL,
    faults: FAULTS,
    matches: () => true,
    run: async (client) => ({ code: "ok", more: (await client.healthCheck()).status }),
  },
  {
    name: "list",
    dialects: ALL,
    faults: FAULTS,
    matches: () => true,
    run: (client) => done(client.listModels()),
  },
  {
    name: "load",
    dialects: FOUNDRY,
    faults: FAULTS,
    before: warm,
    matches: on(/^\/(models|openai)\/load\//),
    run: (client) => done(client.loadModel(COLD)),
  },
  {
    name: "unload",
    dialects: FOUNDRY,
    faults: FAULTS,
    before: warm,
    matches: on(/^\/(models|openai)\/unload\//),
    run: (client) => done(client.unloadModel(MODEL)),
  },
  {
    name: "download",
    dialects: ["S"],
    faults: FAULTS,
    before: warm,
    matches: on(/^\/openai\/download/),
    run: (client) => done(client.loadModel(MISSING, { download: true })),
  },
  {
    name: "chat",
    dialects: ALL,
    faults: FAULTS,
    before: warm,
    matches: on(/^\/v1\/chat\/completions/),
    run: chatted,
  },
  {
    name: "chat after the first token",
    dialects: ALL,
    faults: STREAM_FAULTS,
    before: warm,
    matches: on(/^\/v1\/chat\/completions/),
    run: chatted,
  },
  {
    name: "tool calls",
    dialects: ALL,
    faults: [...FAULTS, ...CALL_STREAM_FAULTS],
    before: warm,
    matches: on(/^\/v1\/chat\/completions/),
    run: called,
  },
  {
    name: "embeddings",
    dialects: ["C1", "C2", "openai"],
    faults: FAULTS,
    before: warm,
    matches: on(/^\/v1\/embeddings/),
    run: (client) => done(client.embed(["a cat"], { model: EMBEDDER })),
  },
];

export interface Cell {
  readonly dialect: DialectName;
  readonly operation: Operation;
  readonly fault: Fault;
}

interface Outcome extends Ended {
  /** How often the request with the fault was sent. */
  readonly requests: number;
}

export const cellsOf = (dialect: DialectName): Cell[] =>
  OPERATIONS.filter(({ dialects }) => dialects.includes(dialect)).flatMap((operation) =>
    operation.faults.map((fault) => ({ dialect, operation, fault })),
  );

export const nameOf = ({ dialect, operation, fault }: Cell): string =>
  `${dialect} | ${operation.name} | ${fault.name}`;

/** As a cell of docs/faults.md. */
const wordsOf = ({ code, more, requests }: Outcome): string =>
  `${[code === "ok" ? "ok" : `\`${code}\``, ...(more === "" ? [] : [more])].join(", ")} ×${requests}`;

async function outcomeOf({ dialect, operation, fault }: Cell): Promise<Outcome> {
  const simulator = await startSimulator({
    dialect,
    downloadMs: 10,
    models: [
      {
        id: MODEL,
        loaded: true,
        script: { text: "One two three four five six seven eight." },
      },
      {
        id: CALLER,
        loaded: true,
        toolCalling: true,
        script: { toolCalls: [{ name: "note", arguments: { text: "one two three ".repeat(5) } }] },
      },
      { id: COLD },
      { id: MISSING, downloaded: false },
      { id: EMBEDDER, task: "embeddings", loaded: true },
    ],
    tokensPerSecond: 200,
  });
  const proxy = await FaultProxy.start(simulator.url);
  // A set endpoint is not searched for. A found service is found again.
  const isFound = fault.name === "moved to another port" && dialect !== "openai";
  const home = await mkdtemp(join(tmpdir(), "faults-"));
  if (isFound) {
    proxy.onMove = (url) => declare(home, url);
    await proxy.onMove(proxy.url);
  }
  const where = isFound ? FOUND : { endpoint: proxy.url };
  const more = isFlood(fault) ? FOR_FLOODS : endsByLimit(fault) ? {} : FOR_OTHERS;
  const limits = { ...PATIENCE, ...more };
  const client = new FoundryClient({ ...where, ...limits }, machineWith(home));
  try {
    await operation.before?.(client);
    const from = proxy.requests.length;
    await proxy.arm(fault, operation.matches);
    const ended = await operation.run(client);
    const counts = new Map<string, number>();
    for (const request of proxy.requests.slice(from)) {
      if (!operation.matches(request)) continue;
      const key = `${request.method} ${request.path}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return { ...ended, requests: Math.max(0, ...counts.values()) };
  } finally {
    await client.close();
    await proxy.close();
    await simulator.close();
    await removeFolder(home);
  }
}

const FOUND = { discovery: "declared", autostart: false, embedded: false } as const;
/** A machine without a command line. */
const machineWith = (home: string) => ({ ...roomyMachine(), home, environment: { PATH: "" } });

/** Writes the address where the daemon does. */
async function declare(home: string, url: string): Promise<void> {
  await mkdir(join(home, ".foundry"), { recursive: true });
  await writeFile(join(home, ".foundry", "daemon.json"), JSON.stringify({ web_urls: [url] }));
}

/** It takes the CPU time of this process, so that others at the same time would meet their limits. */
const isFlood = (fault: Fault): boolean => /50 MB|endless|bomb/.test(fault.name);

const endsByLimit = (fault: Fault): boolean => /no answer|silence/.test(fault.name);

/** Several cells run concurrently, as most of them only wait; each flood runs alone. */
export async function outcomesOf(cells: readonly Cell[], atOnce = 8): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const work = async (rest: Cell[]): Promise<void> => {
    for (let cell = rest.shift(); cell !== undefined; cell = rest.shift()) {
      found.set(nameOf(cell), wordsOf(await outcomeOf(cell)));
    }
  };
  const others = cells.filter(({ fault }) => !isFlood(fault));
  await Promise.all(Array.from({ length: atOnce }, () => work(others)));
  await work(cells.filter(({ fault }) => isFlood(fault)));
  return found;
}

/** The same; a cell that a busy machine delayed, so that its outcome is not the recorded one, is repeated alone. */
export async function outcomesLike(
  recorded: Readonly<Record<string, string>>,
  cells: readonly Cell[],
): Promise<Map<string, string>> {
  const found = await outcomesOf(cells);
  for (const cell of cells.filter((each) => found.get(nameOf(each)) !== recorded[nameOf(each)])) {
    for (const [name, outcome] of await outcomesOf([cell])) found.set(name, outcome);
  }
  return found;
}
