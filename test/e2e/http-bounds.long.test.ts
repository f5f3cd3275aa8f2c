import { request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  Client,
  StreamableHTTPClientTransport as HttpTransport,
} from "@modelcontextprotocol/client";
import { startSimulator } from "foundry-local-simulator";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Settings } from "./executable.js";
import { httpServer } from "./http-server.js";
import { ANSWER, PROMPT_ANSWER, simulated } from "./simulated.js";

const KEY = "a-key-of-many-characters";
const MEGABYTE = Buffer.alloc(1_000_000, "x");
const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  /** A body of so many megabytes instead of a request for the list of tools. */
  readonly megabytes?: number;
}

/**
 * The status of a request, sent with whatever headers: `fetch` sends its own Host. `null` where the
 * server ended the connection while the body was sent.
 */
async function statusOf(url: string, { headers = {}, megabytes }: Sent): Promise<number | null> {
  const given = { "content-type": "application/json", ...headers };
  const sent = request(url, { method: "POST", headers: given });
  const status = new Promise<number | null>((resolve) => {
    sent.once("response", (response) => resolve(response.statusCode ?? null));
    sent.once("close", () => resolve(null));
    sent.on("error", () => resolve(null));
  });
  if (megabytes === undefined) sent.end(JSON.stringify(LIST));
  else await pipeline(Readable.from(Array(megabytes).fill(MEGABYTE)), sent).catch(() => {});
  const answered = await status;
  sent.destroy();
  return answered;
}

async function connected(url: string, headers: Readonly<Record<string, string>> = {}) {
  const client = new Client({ name: "e2e", version: "1" });
  await client.connect(new HttpTransport(new URL(url), { requestInit: { headers } }));
  onTestFinished(() => client.close());
  return client;
}

const protocolErrors = (stderr: string): number => stderr.split('"protocol error"').length - 1;

const WITH_KEY = { FOUNDRY_HTTP_KEY: KEY };
const AUTHORIZED = { authorization: `Bearer ${KEY}` };
const HUNDRED_MB = String(100 * MEGABYTE.length);

describe("an invalid request is refused, logged once, and delays no other request", () => {
  test.each<[string, number, Sent, Settings]>([
    ["a page of another origin", 403, { headers: { origin: "https://evil.example" } }, {}],
    ["a page without an origin", 403, { headers: { origin: "null" } }, {}],
    ["a name that was bound to this address", 403, { headers: { host: "evil.example" } }, {}],
    ["no key", 401, {}, WITH_KEY],
    ["a wrong key", 401, { headers: { authorization: `Bearer ${KEY}x` } }, WITH_KEY],
    [
      "a body of 100 MB",
      413,
      { headers: { "content-length": HUNDRED_MB, ...AUTHORIZED }, megabytes: 100 },
      WITH_KEY,
    ],
    ["100 MB of unknown length", 413, { headers: AUTHORIZED, megabytes: 100 }, WITH_KEY],
    ["100 MB without a key", 401, { megabytes: 100 }, WITH_KEY],
  ])("%s", async (_what, status, sent, settings) => {
    const simulator = await simulated();
    const { url, server } = await httpServer(simulator.url, settings);
    const answered = await statusOf(url, sent);
    if (answered !== null || sent.megabytes === undefined) expect(answered).toBe(status);
    await server.when("the log", () => protocolErrors(server.stderr) > 0);

    const client = await connected(url, AUTHORIZED);
    const call = { name: "complete", arguments: { prompt: "Hello", model: PROMPT_ANSWER } };
    expect((await client.callTool(call)).structuredContent).toMatchObject({ text: ANSWER });
    expect(protocolErrors(server.stderr)).toBe(1);
  });

  test("a thousand wrong keys are refused and do not fill the log", async () => {
    const simulator = await simulated();
    const { url, server } = await httpServer(simulator.url, WITH_KEY);
    for (let count = 0; count < 1000; count += 1) expect(await statusOf(url, {})).toBe(401);
    expect(protocolErrors(server.stderr)).toBeLessThan(1000);
    expect(await statusOf(url, { headers: AUTHORIZED })).toBe(400);
  });
});

test("200 callers of two models take turns, and each gets its own answer once", async () => {
  const callers = Array.from({ length: 200 }, (_, number) => number);
  const simulator = await startSimulator({
    models: ["one", "two"].map((name) => ({
      id: modelOf(name),
      loaded: true,
      contextLength: 200_000,
      tokensPerSecond: 100,
      script: ({ text }) =>
        text === "hold" ? { text: "on ", forever: true } : { text: `${name} answers ${text}.` },
    })),
  });
  onTestFinished(() => simulator.close());
  const { url } = await httpServer(simulator.url, { FOUNDRY_QUEUE: "300" });
  const clients = await Promise.all(callers.map(() => connected(url)));
  const ask = async (caller: number, prompt: string): Promise<unknown> => {
    const given = { prompt, model: modelOf(nameOf(caller)), join: false, reply_within: 600 };
    const answer = await clients[caller]?.callTool({ name: "complete", arguments: given });
    return Object(answer?.structuredContent).text;
  };
  const holder = await connected(url);
  const held = await Promise.all(
    ["one", "two", "one", "two", "one", "two", "one", "two"].map(async (name) => {
      const given = { prompt: "hold", model: modelOf(name), join: false, reply_within: 0 };
      // It must not end while the callers are still connecting.
      const long = { ...given, max_tokens: 100_000 };
      const answer = await holder.callTool({ name: "complete", arguments: long });
      return Object(answer.structuredContent).completion_id;
    }),
  );
  await expect
    .poll(() => simulator.requests.filter(({ tokensSent }) => tokensSent > 0), LOADED)
    .toHaveLength(PLACES);

  // One caller requests twenty more answers than the others.
  const many = Array.from({ length: 20 }, (_, index) => ask(0, `caller 0, request ${index}`));
  const texts = callers.map((caller) => ask(caller, `caller ${caller}`));
  await expect
    .poll(async () => {
      const health = await holder.callTool({ name: "health_check", arguments: {} });
      return JSON.stringify(health.structuredContent);
    }, LOADED)
    .toContain(`"waiting":${callers.length + many.length}`);
  await Promise.all(
    held.map((completion_id) =>
      holder.callTool({ name: "cancel_completion", arguments: { completion_id } }),
    ),
  );
  await Promise.all(many);

  expect(await Promise.all(texts)).toEqual(
    callers.map((caller) => `${nameOf(caller)} answers caller ${caller}.`),
  );
  const chats = simulator.requests.filter(({ path }) => path.includes("/chat/"));
  expect(chats).toHaveLength(held.length + many.length + callers.length);
  expect(mostAtOnce(chats)).toBe(PLACES);
  // The many requests of one caller wait until each other caller of its model has had its turn.
  const order = chats.flatMap(({ body }) => {
    const [, caller] = /"caller (\d+)/.exec(JSON.stringify(body)) ?? [];
    return caller === undefined || nameOf(Number(caller)) !== nameOf(0) ? [] : [Number(caller)];
  });
  const lastOther = order.findLastIndex((caller) => caller !== 0);
  const before = order.slice(0, lastOther).filter((caller) => caller === 0);
  expect(order).toHaveLength(many.length + callers.length / 2);
  expect(before.length).toBeLessThan(many.length / 2);
}, 400_000);

/** On a loaded machine the connections of so many callers take long. */
const LOADED = { timeout: 120_000 };
/** Four for each model, on this service. */
const PLACES = 8;
const nameOf = (caller: number): string => (caller % 2 === 0 ? "one" : "two");
const modelOf = (name: string): string => `${name}-generic-cpu:1`;

interface Span {
  readonly startedAt: number;
  readonly closedAt: number | null;
}

/** How many of these requests were in flight together. */
function mostAtOnce(spans: readonly Span[]): number {
  const counts = spans.map(
    ({ startedAt }) =>
      spans.filter(
        (other) => other.startedAt <= startedAt && (other.closedAt ?? Infinity) > startedAt,
      ).length,
  );
  return Math.max(...counts);
}
