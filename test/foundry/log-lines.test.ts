import { describe, expect, it } from "vitest";
import { LOG_LEVELS } from "../../src/lib/index.js";
import type { Logger } from "../../src/log.js";
import { httpService } from "./dialects/http-service.js";
import { clientOf, deadUrl, simulate } from "./fixtures.js";

const MODEL = "quiet-generic-cpu:1";
const LEVELS = ["trace", "debug", "info", "warn", "error"] as const;
type Level = (typeof LEVELS)[number];

interface Line extends Record<string, unknown> {
  readonly level: Level;
  readonly msg: string;
}

/** A logger whose lines the test reads. */
function logOf() {
  const lines: Line[] = [];
  const writer = (level: Level) => (fields: object, msg: string) =>
    void lines.push({ ...fields, level, msg });
  const log: Logger = {
    trace: writer("trace"),
    debug: writer("debug"),
    info: writer("info"),
    warn: writer("warn"),
    error: writer("error"),
  };
  const named = (msg: string) => lines.filter((line) => line.msg === msg);
  const from = (least: Level) =>
    lines.filter(({ level }) => LEVELS.indexOf(level) >= LEVELS.indexOf(least));
  return { lines, log, named, from };
}

/** An engine with one model that answers each chat and each request for embeddings like this. */
const engineAnswering = (status: number, body: string, headers: Record<string, string> = {}) =>
  httpService(({ url }, response) => {
    if (url === "/v1/models") response.end('{"data":[{"id":"m"}]}');
    else if (/chat|embeddings/.test(url ?? "")) response.writeHead(status, headers).end(body);
    else response.writeHead(404).end();
  });

describe("the log", () => {
  it("has the levels of the setting", () => {
    expect(LOG_LEVELS).toEqual(expect.arrayContaining([...LEVELS]));
  });

  it("has the id sent to the service in all lines of a completion", async () => {
    const simulator = await simulate({ models: [{ id: MODEL, script: { text: "Hi." } }] });
    const { log, named } = logOf();
    const { id } = await clientOf(simulator.url, { log }).complete({ prompt: "Hi", model: MODEL });
    const chat = simulator.requests.find(({ path }) => path === "/v1/chat/completions");
    expect(chat?.headers["x-request-id"]).toBe(id);
    expect(named("stream started")).toMatchObject([{ level: "debug", call: id, attempt: 1 }]);
    expect(named("completion ended")).toMatchObject([
      {
        level: "debug",
        call: id,
        status: "completed",
        model: MODEL,
        ms: expect.any(Number),
        tokens: { output: expect.any(Number) },
        attempts: 1,
      },
    ]);
  });

  it("has an id for other calls, too", async () => {
    const simulator = await simulate({ models: [{ id: MODEL }] });
    const { log, lines } = logOf();
    await clientOf(simulator.url, { log }).listModels({ trace: { id: "mine" } });
    await clientOf(simulator.url, { log }).listModels();
    const lists = lines.filter(({ path, level }) => path === "/v1/models" && level === "debug");
    const ids = lists.map(({ call }) => call).filter((call) => call !== undefined);
    expect(ids).toContain("mine");
    expect(new Set(ids).size).toBe(2);
  });

  it("warns of a failed completion, with its known values", async () => {
    const { url } = await engineAnswering(400, "no", { "x-request-id": "of-the-service" });
    const { log, named, from } = logOf();
    await clientOf(url, { log })
      .complete({ prompt: "Hi", model: "m" })
      .catch(() => {});
    expect(named("completion failed")).toMatchObject([
      {
        level: "warn",
        call: expect.any(String),
        code: "INVALID_REQUEST",
        status: "failed",
        model: "m",
        ms: expect.any(Number),
        tokens: { output: null },
        attempts: 1,
        requestId: "of-the-service",
      },
    ]);
    expect(from("warn")).toHaveLength(1);
  });

  it("warns of exhausted retries, and of a circuit that opens and closes", async () => {
    let isWell = false;
    const { url } = await httpService(({ url: path }, response) => {
      if (path === "/v1/models") response.end('{"data":[{"id":"m"}]}');
      else if (path !== "/v1/chat/completions") response.writeHead(404).end();
      else if (!isWell) response.writeHead(503).end("busy");
      else response.end('{"choices":[{"message":{"content":"Hi."},"finish_reason":"stop"}]}');
    });
    const { log, named } = logOf();
    const client = clientOf(url, { log, circuit: { failures: 3, probeAfterMs: 1 } });
    const ask = () => client.complete({ prompt: "Hi", model: "m" });
    await ask().catch(() => {});
    isWell = true;
    await expect
      .poll(() =>
        ask().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);

    expect(named("retries used up")).toMatchObject([
      {
        level: "warn",
        method: "POST",
        code: "SERVICE_BUSY",
        attempts: 3,
        call: expect.any(String),
      },
    ]);
    expect(named("circuit opened")).toMatchObject([{ level: "warn", endpoint: url }]);
    expect(named("circuit closed")).toMatchObject([{ level: "warn", ms: expect.any(Number) }]);
  });

  it("reports a found service once, however often it is checked", async () => {
    const simulator = await simulate({ models: [{ id: MODEL }] });
    const { log, from } = logOf();
    const client = clientOf(simulator.url, { log });
    await client.listModels();
    await client.healthCheck();
    await client.healthCheck();
    expect(from("info").map(({ msg }) => msg)).toEqual(["service found"]);
  });

  it("mentions cancelled completions only at debug", async () => {
    const simulator = await simulate({
      models: [{ id: MODEL, loaded: true, script: { text: "On. ", forever: true } }],
      tokensPerSecond: 50,
    });
    const { log, from } = logOf();
    const client = clientOf(simulator.url, { log });
    for await (const event of client.streamComplete({ prompt: "Go", model: MODEL })) {
      if (event.type === "text") break;
    }
    const { state } = client.completions.start({ prompt: "Go", model: MODEL });
    await client.completions.cancel(state.id);
    expect(from("warn")).toEqual([]);
  });

  it.each([
    ["an error that quotes it", 400, (text: string) => `{"error":{"message":"bad: ${text}"}}`],
    ["an error that retries", 500, (text: string) => `{"error":{"message":"crash at ${text}"}}`],
    ["something that is no answer", 200, (text: string) => `you said ${text}`],
    ["a page", 502, (text: string) => `<html><title>${text}</title></html>`],
    ["an error inside a stream", 200, (text: string) => `data: {"error":"${text}"}\n\n`],
  ])(
    "has no prompt and no answer above trace, where the service sends %s",
    async (_what, status, body) => {
      const secret = "The-secret-of-the-prompt";
      const { url } = await engineAnswering(status, body(secret));
      const { log, lines, from } = logOf();
      const client = clientOf(url, { log });
      await client.complete({ prompt: secret, model: "m" }).catch(() => {});
      await client.embed([secret], { model: "m" }).catch(() => {});
      expect(JSON.stringify(from("debug"))).not.toContain(secret);
      expect(JSON.stringify(lines)).toContain(secret);
    },
  );

  it("warns of each request that reaches no service, without its prompt", async () => {
    const { log, from } = logOf();
    const client = clientOf(await deadUrl(), { log });
    await client.complete({ prompt: "Hi", model: "m" }).catch(() => {});
    expect(from("warn").map(({ msg }) => msg)).toContain("completion failed");
    expect(from("warn").every(({ code }) => code === "SERVICE_UNREACHABLE")).toBe(true);
  });
});
