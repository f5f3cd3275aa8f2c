import { createServer, type Server, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FoundryError } from "../../src/errors.js";
import { FoundryClient } from "../../src/foundry/index.js";
import { DIALECTS, type Simulator, startSimulator } from "../../src/simulator/index.js";
import { MODELS, PROMPT_ANSWER } from "../e2e/simulated.js";
import { roomyMachine } from "../foundry/fixtures.js";
import { INPUTS, PER_RUN, parameters, TEST_TIMEOUT_MS } from "./plan.js";

const API_KEY = "sk-fuzz-0123456789abcdef";
const LONGEST_STAND_MS = 250;

interface Plain {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const oddValue = fc.constantFrom(
  "-1",
  "1.5",
  "1e308",
  '"7"',
  "null",
  "[]",
  "{}",
  '"constructor"',
  '"\\u001b[2J\\u009b\\n"',
  '{"__proto__":{"a":1}}',
  `"${API_KEY}"`,
  "[".repeat(3000) + "]".repeat(3000),
);
const status = fc.constantFrom(200, 200, 200, 204, 301, 400, 401, 404, 409, 429, 500, 503);
const type = fc.constantFrom("application/json", "text/event-stream", "text/html", "x\u007f/y");

/** What becomes of a good reply: a value swapped, a cut, another body, another head. */
const odd = fc.record({
  call: fc.constantFrom("list", "complete", "load", "unload", "health"),
  kind: fc.constantFrom("swap", "swap", "cut", "reset", "status", "body", "frames"),
  status,
  type,
  at: fc.integer({ min: 0, max: 999 }).map((part) => part / 1000),
  value: oddValue,
  body: fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }),
    fc.constantFrom(
      "",
      "<html>",
      `{"error":{"message":"${API_KEY} \\u001b]0;x\\u0007"}}`,
      `{"error":{"message":"${"long ".repeat(20_000)}"}}`,
      'data: {"error":"x"}\n\ndata: [DONE]\n\n',
    ),
  ),
});
type Odd = typeof odd extends fc.Arbitrary<infer T> ? T : never;

function swapped(body: string, at: number, by: string): string {
  const values = [...body.matchAll(/(?<=[:[,]\s*)(?:"[^"\\]*"(?!:)|-?\d[\d.]*|true|false|null)/g)];
  const found = values[Math.floor(at * values.length)];
  if (found === undefined) return body;
  return body.slice(0, found.index) + by + body.slice(found.index + found[0].length);
}

/** Plays one dialect from what the simulator answers, until it is given an odd reply. */
class Player {
  odd: Odd | null = null;
  readonly client: FoundryClient;
  readonly #plain = new Map<string, Promise<Plain>>();

  private constructor(
    private readonly server: Server,
    private readonly simulator: Simulator,
    url: string,
  ) {
    this.client = new FoundryClient(
      {
        endpoint: url,
        apiKey: API_KEY,
        retry: { retries: 0 },
        circuit: { failures: 1_000_000 },
        timeoutMs: 5000,
      },
      roomyMachine(),
    );
  }

  static async start(dialect: (typeof DIALECTS)[number]): Promise<Player> {
    const models = MODELS.filter(({ id }) => id === PROMPT_ANSWER);
    const simulator = await startSimulator({ dialect, models });
    const server = createServer((socket) => player.#serve(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    const player = new Player(server, simulator, `http://127.0.0.1:${port}`);
    return player;
  }

  async close(): Promise<void> {
    await this.client.close();
    this.server.close();
    await this.simulator.close();
  }

  #serve(socket: Socket): void {
    let text = "";
    socket.on("error", () => {});
    socket.setEncoding("latin1").on("data", (chunk) => {
      text += chunk;
      const head = text.indexOf("\r\n\r\n");
      if (head < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(text.slice(0, head))?.[1] ?? 0);
      if (text.length < head + 4 + length) return;
      const [method = "", path = ""] = text.split(" ", 2);
      const body = text.slice(head + 4, head + 4 + length);
      text = "";
      void this.#answer(socket, method, path, body);
    });
  }

  #plainly(method: string, path: string, body: string): Promise<Plain> {
    const key = `${method} ${path}`;
    const known = this.#plain.get(key);
    if (known !== undefined) return known;
    const asked = fetch(this.simulator.url + path, {
      method,
      ...(method === "POST" ? { body, headers: { "content-type": "application/json" } } : {}),
    }).then(async (answer) => ({
      status: answer.status,
      type: answer.headers.get("content-type") ?? "application/json",
      body: await answer.text(),
    }));
    this.#plain.set(key, asked);
    return asked;
  }

  async #answer(socket: Socket, method: string, path: string, given: string): Promise<void> {
    const plain = await this.#plainly(method, path, given);
    const { odd } = this;
    let { status, type, body } = plain;
    if (odd?.kind === "swap") body = swapped(body, odd.at, odd.value);
    if (odd?.kind === "status") ({ status, type } = odd);
    if (odd?.kind === "body") ({ status, type, body } = odd);
    if (odd?.kind === "frames") body = `:\n\nevent: x\ndata: ${odd.value}\n\n${body}`;
    const bytes = Buffer.from(body);
    const head = `HTTP/1.1 ${status} X\r\nContent-Type: ${type}\r\nContent-Length: ${bytes.length}\r\nConnection: close\r\n\r\n`;
    socket.write(head, "latin1");
    const end = Math.floor((odd?.at ?? 1) * bytes.length);
    if (odd?.kind === "reset") socket.resetAndDestroy();
    else if (odd?.kind === "cut") socket.end(bytes.subarray(0, end));
    else socket.end(bytes);
  }
}

function call(client: FoundryClient, name: Odd["call"]): Promise<unknown> {
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

const FORBIDDEN = /[\p{Cc}]/u;

function expectFit(error: unknown): void {
  if (!(error instanceof FoundryError)) throw new Error("no FoundryError", { cause: error });
  const said = `${error.message} ${error.action}`;
  const faults = [
    ...(error.code === "INTERNAL" ? [`INTERNAL: ${error.detail}`] : []),
    ...(said.length >= 2000 ? [`${said.length} characters`] : []),
    ...(FORBIDDEN.test(said) ? [`control characters: ${JSON.stringify(said)}`] : []),
    ...(said.includes(API_KEY) ? [`the key: ${said}`] : []),
  ];
  expect(faults).toEqual([]);
}

const players: Player[] = [];
beforeAll(async () => {
  for (const dialect of DIALECTS) players.push(await Player.start(dialect));
});
afterAll(async () => {
  for (const player of players) await player.close();
});

it(`settles every call through ${INPUTS} odd replies, and the call after it`, {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  setFlagsFromString("--expose-gc");
  const heapMb = (): number => {
    runInNewContext("gc()");
    return process.memoryUsage().heapUsed / 2 ** 20;
  };
  let beganMb = 0;
  let runs = 0;
  const reply = fc.record({ dialect: fc.integer({ min: 0, max: DIALECTS.length - 1 }), odd });
  await fc.assert(
    fc.asyncProperty(
      fc.array(reply, { minLength: PER_RUN, maxLength: PER_RUN, size: "max" }),
      async (replies) => {
        for (const { dialect, odd: next } of replies) {
          const player = players[dialect];
          if (player === undefined) throw new Error("no such dialect");
          player.odd = next;
          const before = process.cpuUsage();
          await call(player.client, next.call).catch(expectFit);
          const { user, system } = process.cpuUsage(before);
          expect((user + system) / 1000).toBeLessThan(LONGEST_STAND_MS);
          player.odd = null;
          const { status } = await player.client.complete({ prompt: "Hi", model: PROMPT_ANSWER });
          expect(status).toBe("completed");
        }
        runs += 1;
        if (runs === Math.ceil(parameters.numRuns / 5)) beganMb = heapMb();
      },
    ),
    parameters,
  );
  expect(heapMb()).toBeLessThan(beganMb * 1.5 + 50);
});
