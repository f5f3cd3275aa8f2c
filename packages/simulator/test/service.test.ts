import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { rawExchange } from "../../../test/real/raw_http.js";
import { SAMPLE_CATALOG, startSimulator } from "../src/index.js";
import { chat, get, jsonOf, MODEL, post } from "./ask.js";
import { bytesOf } from "./bytes.js";

const TALKER = { id: MODEL, loaded: true };

describe("a simulated service", () => {
  it("has a catalog like a real one, with four models downloaded and none loaded", async () => {
    await using simulator = await startSimulator();
    const list = jsonOf(await get(simulator.url, "/v1/models"));
    expect(list).toMatchObject({ object: "list", data: { length: SAMPLE_CATALOG.length } });
    expect(simulator.models.filter(({ downloaded }) => downloaded)).toHaveLength(4);
    expect(simulator.loaded).toEqual([]);
    expect((await get(simulator.url, "/models/load/phi-4-mini")).status).toBe(200);
    expect((await get(simulator.url, "/models/load/phi-4")).status).toBe(400);
  });

  it("refuses connections once stopped, and keeps its models when it starts elsewhere", async () => {
    await using simulator = await startSimulator({ models: [{ id: MODEL }] });
    await get(simulator.url, "/models/load/talker");
    const before = simulator.url;
    await simulator.stop();
    expect((await get(before, "/status")).connection).toBe("ECONNREFUSED");
    await simulator.start(0);
    expect(simulator.url).not.toBe(before);
    expect(jsonOf(await get(simulator.url, "/models/loaded"))).toEqual([MODEL]);
    expect(jsonOf(await get(simulator.url, "/status"))).toMatchObject({
      endpoints: [simulator.url],
    });
  });

  it("breaks open connections when it stops", async () => {
    await using simulator = await startSimulator({ models: [TALKER], tokensPerSecond: 5 });
    const answer = chat(simulator.url, { stream: true });
    await simulator.waitFor((s) => s.generating === 1);
    await simulator.stop();
    // The client sees one or the other, depending on whether it was reading.
    expect((await answer).connection).toMatch(/^(ECONNRESET|closed by the service before the end)/);
    expect(simulator.requests[0]?.endedBy).toBe("died");
  });

  it.each(["C2", "openai"] as const)("survives too deep JSON, as %s", async (dialect) => {
    await using simulator = await startSimulator({ dialect, models: [TALKER] });
    const deep = (inner: string) => "[".repeat(20_000) + inner + "]".repeat(20_000);
    const known = `{"model":"${MODEL}","messages":[{"role":"user","content":"Hi"}],"input":"Hi"`;
    const bodies = [
      "[".repeat(300_000),
      deep("1"),
      '{"a":'.repeat(20_000),
      ...["tools", "metadata", "messages"].map((key) => `${known},"${key}":${deep("")}}`),
    ];
    for (const body of bodies) {
      const request = { method: "POST", path: "/v1/chat/completions", headers: {}, body };
      await rawExchange(simulator.url, request);
    }
    expect((await get(simulator.url, "/v1/models")).status).toBe(200);
  });

  it("records each request with its connection", async () => {
    await using simulator = await startSimulator({ models: [TALKER] });
    await post(simulator.url, "/v1/chat/completions?x=1", { a: 1 });
    await get(simulator.url, "/status");
    expect(simulator.requests).toMatchObject([
      {
        method: "POST",
        path: "/v1/chat/completions?x=1",
        body: { a: 1 },
        status: 400,
        connection: 1,
      },
      {
        method: "GET",
        path: "/status",
        body: null,
        status: 200,
        connection: 2,
        endedBy: "answered",
      },
    ]);
    expect(simulator.requests[0]?.headers["content-length"]).toBe("7");
  });

  it("unloads a model by setLoaded", async () => {
    await using simulator = await startSimulator({ models: [TALKER] });
    simulator.setLoaded(MODEL, false);
    expect((await chat(simulator.url)).status).toBe(400);
    expect(() => simulator.setLoaded("nope:1", true)).toThrow("no model with the id nope:1");
  });

  it("writes the model files, and reports their directory", async () => {
    const modelCachePath = mkdtempSync(join(tmpdir(), "simulated-cache-"));
    onTestFinished(() => rmSync(modelCachePath, { recursive: true, force: true }));
    const models = [TALKER, { id: "mine:3", family: "local" as const }];
    await using simulator = await startSimulator({ modelCachePath, models });
    expect(jsonOf(await get(simulator.url, "/status"))).toMatchObject({ modelCachePath });
    const read = (file: string) => JSON.parse(readFileSync(join(modelCachePath, file), "utf8"));
    expect(read("foundry.modelinfo.json")).toMatchObject({
      version: 1,
      models: [{ id: MODEL, alias: "talker", intProperties: { context_length: 4096 } }],
    });
    const directory = join(modelCachePath, "Microsoft/mine-3/v3");
    expect(read("foundry.local.modelinfo.json")).toMatchObject({
      models: [{ model_info: { id: "mine:3" }, model_path: directory }],
    });
    expect(read("Microsoft/mine-3/v3/inference_model.json")).toMatchObject({ Name: "mine:3" });
  });

  it("closes its port at a shutdown without a reply, and lets a stream end", async () => {
    await using simulator = await startSimulator({ models: [TALKER], tokensPerSecond: 50 });
    const stream = chat(simulator.url, { stream: true, max_tokens: 20 });
    await simulator.waitFor((s) => s.generating === 1);
    const reply = await post(simulator.url, "/shutdown", {});
    expect(reply).toEqual({
      chunks: [],
      connection: "closed by the service before the end of its answer",
    });
    expect((await get(simulator.url, "/status")).connection).toMatch(/^ECONN(RESET|REFUSED)$/);
    expect((await stream).chunks.join("")).toContain("[DONE]");
  });
});

describe("an invalid option", () => {
  const wrong: [string, Parameters<typeof startSimulator>[0], RegExp][] = [
    ["a version", { version: "3.0.0" }, /version: "3\.0\.0" is not simulated; allowed: 2\.0\.0, /],
    ["a port", { port: 70_000 }, /port/],
    ["a speed", { tokensPerSecond: 0 }, /tokensPerSecond/],
    ["an id without a version", { models: [{ id: "x" }] }, /model "x":.*name:version/s],
    ["a model given twice", { models: [TALKER, TALKER] }, /given twice/],
  ];

  it.each(wrong)("is refused: %s", async (_, options, message) => {
    await expect(startSimulator(options)).rejects.toThrow(message);
  });
});

describe("bytes on the wire", () => {
  it("reads the body of a GET as the next request, as oatpp does", async () => {
    await using simulator = await startSimulator();
    const answer = await bytesOf(
      simulator.port,
      "GET /status HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}GET /status HTTP/1.1\r\n\r\n",
    );
    expect(answer).toContain("message=No mapping for HTTP-method: '{}GET', URL: '/status'");
  });

  it("answers `Expect: 100-continue` without the required blank line", async () => {
    await using simulator = await startSimulator();
    const head =
      "POST /v1/chat/completions HTTP/1.1\r\nExpect: 100-continue\r\nConnection: close\r\n";
    const answer = await bytesOf(simulator.port, `${head}Content-Length: 2\r\n\r\n{}`);
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\nHTTP\/1\.1 400 Bad Request\r\n/);
  });

  it("sends the end of a chunk only with the next chunk", async () => {
    await using simulator = await startSimulator({
      models: [TALKER],
      firstTokenMs: 600_000,
    });
    simulator.addFault({ kind: "only-comments", everyMs: 10 });
    const body = JSON.stringify({
      model: MODEL,
      messages: [{ role: "user", content: "Hi" }],
      stream: true,
    });
    const request = `POST /v1/chat/completions HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const chunk = "E\r\n: keep-alive\n\n";
    const answer = await bytesOf(simulator.port, request, (text) => text.split(chunk).length > 3);
    const chunks = answer.slice(answer.indexOf("\r\n\r\n") + 4);
    expect(chunks.replaceAll(`${chunk}\r\n`, "")).toBe(chunk);
  });

  it("answers pipelined requests in order", async () => {
    await using simulator = await startSimulator();
    const request = "GET /models/loaded HTTP/1.1\r\n\r\n";
    const last = "GET /models/loaded HTTP/1.0\r\n\r\n";
    const answer = await bytesOf(simulator.port, request + request + last);
    expect(answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
  });

  it("takes a chunked body", async () => {
    await using simulator = await startSimulator();
    const head =
      "POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    const answer = await bytesOf(simulator.port, `${head}1\r\n{\r\n1\r\n}\r\n0\r\n\r\n`);
    expect(answer).toContain("Missing required field: model");
  });

  it("answers a request beside three hundred idle connections", async () => {
    await using simulator = await startSimulator();
    const idle = Array.from({ length: 300 }, () => connect(simulator.port, "127.0.0.1"));
    await simulator.waitFor((s) => s.connections === 300);
    const answer = await rawExchange(simulator.url, {
      method: "GET",
      path: "/status",
      headers: {},
    });
    expect(answer.status).toBe(200);
    for (const socket of idle) socket.destroy();
  });
});

it("rejects waiters when it is closed, and cannot be started again", async () => {
  const simulator = await startSimulator();
  const waiting = simulator.waitFor(() => false);
  await simulator.close();
  await expect(waiting).rejects.toThrow("was closed");
  await expect(simulator.start()).rejects.toThrow("was closed");
});

it("can make one model fast and the others slow", async () => {
  const models = [{ id: "fast-generic-cpu:1", tokensPerSecond: Number.POSITIVE_INFINITY }];
  await using simulator = await startSimulator({ tokensPerSecond: 5, models });
  expect(simulator.models).toHaveLength(1);
});
