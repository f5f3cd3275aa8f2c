import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { get } from "../../../packages/simulator/test/ask.js";
import { ServiceClient } from "../../../src/foundry/index.js";
import { FoundryClient, FoundryClient as QueueingClient } from "../../../src/jobs/index.js";
import { toFoundryError } from "../../../src/lib/index.js";
import { askedOf, clientOf, deadUrl, roomyMachine, simulate } from "../fixtures.js";

const talker = { id: "talker-generic-cpu:1", alias: "talker" };

describe("a health check", () => {
  it("of a healthy service contains all values, also memory and age of its process", async () => {
    const simulator = await simulate({ models: [{ ...talker, loaded: true }] });
    // On Windows the figures come from PowerShell, which wine lacks, and which may be slow.
    const areKnown = process.platform !== "win32";
    const figure = areKnown ? expect.any(Number) : expect.toSatisfy((each) => each !== undefined);
    expect(await clientOf(simulator.url).healthCheck()).toEqual({
      status: "healthy",
      endpoint: simulator.url,
      dialect: "C2",
      service: "Foundry Local core 2.1 or later",
      foundBy: "set",
      loadedModels: ["talker-generic-cpu:1"],
      busy: false,
      memory: {
        processMb: figure,
        totalMb: expect.any(Number),
        freeMb: expect.any(Number),
      },
      uptimeSeconds: figure,
      pid: process.pid,
      version: "2.1 or later",
      latencyMs: expect.any(Number),
      circuit: { state: "closed", nextProbeInMs: null },
      queue: { running: 0, waiting: 0 },
      rateLimit: null,
      cache: null,
      totals: { completed: 0, interrupted: 0, cancelled: 0, failed: 0, outputTokens: 0 },
      tokensPerSecond: null,
      lastError: null,
      problems: [],
    });
  });

  it("contains the counts of the client's calls", async () => {
    const simulator = await simulate({
      models: [
        { ...talker, loaded: true, script: { text: "Hello there." } },
        {
          id: "failing-generic-cpu:1",
          loaded: true,
          script: { text: "a b c", failAfterTokens: 1 },
        },
        {
          id: "endless-generic-cpu:1",
          loaded: true,
          script: { text: "on ", forever: true },
          tokensPerSecond: 200,
        },
      ],
    });
    const client = new QueueingClient({ endpoint: simulator.url }, roomyMachine());
    onTestFinished(() => client.close());
    await client.complete({ prompt: "Hi", model: "talker" });
    await client.complete({ prompt: "Hi", model: "failing" }).catch(() => null);
    for await (const event of client.streamComplete({ prompt: "Hi", model: "endless" })) {
      if (event.type !== "text") continue;
      expect((await client.healthCheck()).queue).toEqual({ running: 1, waiting: 0 });
      break;
    }
    const { queue, totals } = await client.healthCheck();
    expect(queue).toEqual({ running: 0, waiting: 0 });
    expect(totals).toMatchObject({ completed: 1, interrupted: 1, cancelled: 1, failed: 0 });
    expect(totals.outputTokens).toBeGreaterThanOrEqual(5);
  });

  it("of an engine reports unknown values as null", async () => {
    const simulator = await simulate({ dialect: "openai" });
    expect(await clientOf(simulator.url).healthCheck()).toMatchObject({
      status: "healthy",
      dialect: "openai",
      loadedModels: null,
      busy: null,
      pid: null,
      uptimeSeconds: null,
      version: null,
    });
  });

  it("of a stopped service reports that with a fix, after one request", async () => {
    const client = clientOf(await deadUrl());
    expect(await client.healthCheck()).toMatchObject({
      status: "unavailable",
      dialect: null,
      loadedModels: null,
      busy: null,
      memory: null,
      latencyMs: null,
      problems: [
        { what: expect.stringContaining("Nothing listens"), fix: expect.stringContaining("Start") },
      ],
    });
  });

  it("reports a service that has gone since the last check, and one that is back", async () => {
    const simulator = await simulate({ models: [talker] });
    const client = clientOf(simulator.url);
    expect(await client.healthCheck()).toMatchObject({ status: "healthy" });
    await simulator.stop();
    expect(await client.healthCheck()).toMatchObject({ status: "unavailable" });
    await simulator.start();
    expect(await client.healthCheck()).toMatchObject({ status: "healthy" });
  });

  it("bypasses an open circuit, and finds the service as soon as it is back", async () => {
    const simulator = await simulate({ models: [{ ...talker, loaded: true }] });
    const client = clientOf(simulator.url, { circuit: { failures: 1, probeAfterMs: 600_000 } });
    await client.listModels();
    await simulator.stop();
    await client.listModels().catch(() => null);
    expect(await client.healthCheck()).toMatchObject({ status: "unavailable" });
    await simulator.start();
    const health = await client.healthCheck();
    expect(health).toMatchObject({
      loadedModels: ["talker-generic-cpu:1"],
      latencyMs: expect.any(Number),
    });
  });

  it("during a load of this client reports busy, not broken, and does not wait for the load", async () => {
    const simulator = await simulate({ models: [talker], loadMs: 600_000 });
    const client = clientOf(simulator.url);
    const loading = client.loadModel("talker").catch(() => null);
    await simulator.waitFor(() => askedOf(simulator, "/models/load/").length === 1);
    const lists = askedOf(simulator, "/models/loaded").length;
    expect(await client.healthCheck()).toMatchObject({
      status: "healthy",
      busy: true,
      loadedModels: null,
      problems: [],
    });
    expect(askedOf(simulator, "/models/loaded")).toHaveLength(lists);
    await client.close();
    await loading;
  });

  it("during a load of this client shows what is loaded where lists do not wait for loads", async () => {
    const other = { id: "other-generic-cpu:1", loaded: true };
    const simulator = await simulate({ dialect: "C1", models: [talker, other], loadMs: 600_000 });
    const client = clientOf(simulator.url);
    const loading = client.loadModel("talker").catch(() => null);
    await simulator.waitFor(() => askedOf(simulator, "/models/load/").length === 1);
    expect(await client.healthCheck()).toMatchObject({ busy: true, loadedModels: [other.id] });
    await client.close();
    await loading;
  });

  it("reports a missing answer instead of busy where lists do not wait for loads", async () => {
    const server = await answering({
      "/status": { modelDirPath: "/nowhere" },
      "/models/loaded": [],
    });
    const health = await clientOf(server.url, { timeoutMs: 2000 }).healthCheck();
    expect(health).toMatchObject({ dialect: "C1", status: "degraded", busy: null });
    expect(health.problems).toHaveLength(1);
  });

  it("contains no memory and age of a process that may be on another machine", async () => {
    const server = await answering({
      "/status": { modelCachePath: "/nowhere/at/all", pid: process.pid },
      "/v1/models": { data: [] },
      "/models/loaded": [],
    });
    const health = await clientOf(server.url).healthCheck();
    expect(health).toMatchObject({ pid: process.pid, memory: null, uptimeSeconds: null });
  });

  it("during a load of another client reports busy after a short wait", async () => {
    const simulator = await simulate({ models: [talker], loadMs: 600_000 });
    const loading = get(simulator.url, "/models/load/talker");
    await simulator.waitFor(() => askedOf(simulator, "/models/load/").length === 1);
    const client = clientOf(simulator.url, { timeoutMs: 2000 });
    expect(await client.healthCheck()).toMatchObject({
      status: "healthy",
      dialect: "C2",
      busy: true,
      loadedModels: null,
      problems: [],
    });
    await simulator.close();
    await loading;
  });

  it.each([
    ["lists nothing", [], "lists no models", "phi-4-mini"],
    [
      "has nothing downloaded",
      [{ ...talker, downloaded: false }],
      "No model is downloaded",
      "talker",
    ],
  ])(
    "of a service that %s is degraded, and says what to do",
    async (_what, models, words, name) => {
      const simulator = await simulate({ models });
      expect(await clientOf(simulator.url).healthCheck()).toMatchObject({
        status: "degraded",
        problems: [
          {
            what: expect.stringContaining(words),
            fix: expect.stringContaining(`foundry model download ${name}`),
          },
        ],
      });
    },
  );

  it("of a service whose list fails is degraded", async () => {
    const simulator = await simulate({ models: [talker] });
    simulator.addFault({ kind: "status", status: 500, body: "oops", on: { path: "/v1/models" } });
    expect(await clientOf(simulator.url).healthCheck()).toMatchObject({
      status: "degraded",
      problems: [{ what: expect.stringContaining("HTTP 500") }],
    });
  });

  it.each([
    ["a web page", { kind: "html" }],
    ["half a JSON", { kind: "half-json" }],
    ["nothing", { kind: "empty" }],
    ["a reset", { kind: "reset" }],
    ["no answer at all", { kind: "hang" }],
    ["an error", { kind: "status", status: 503 }],
  ] as const)("never throws: %s on every route", async (_what, fault) => {
    const simulator = await simulate({ models: [talker] });
    simulator.addFault(fault);
    const health = await clientOf(simulator.url, { timeoutMs: 200 }).healthCheck();
    expect(health.status).not.toBe("healthy");
    expect(health.problems).not.toEqual([]);
  });

  it.each(["http://127.0.0.1:1", "http://host.invalid", "https://127.0.0.1:9"])(
    "never throws: endpoint %s",
    async (endpoint) => {
      const client = new FoundryClient({ endpoint, timeoutMs: 300 });
      expect(await client.healthCheck()).toMatchObject({ status: "unavailable" });
      await client.close();
    },
  );

  it("does not wait for the detection of another call, and then for its own", async () => {
    const connections: unknown[] = [];
    const server = createTcpServer((socket) => connections.push(socket)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = Object.assign({ port: 0 }, server.address());
    const client = new ServiceClient({ endpoint: `http://127.0.0.1:${port}` });
    onTestFinished(async () => {
      await client.close();
      server.close();
    });
    const listing = client.listModels().catch(toFoundryError);
    await vi.waitFor(() => expect(connections).toHaveLength(1), 10_000);
    const health = await client.healthCheck();
    expect(health.problems[0]?.what).toContain("did not answer within 5 s");
    // Its own detection gets the second half of the 5 s.
    expect(connections).toHaveLength(2);
    await client.close();
    expect(await listing).toMatchObject({ code: "CLIENT_CLOSED" });
  });

  it("reports what its own detection finds while that of another call pauses", async () => {
    let requests = 0;
    const { url } = await listening((_request, response) => {
      requests += 1;
      response.writeHead(503, { "retry-after": "9" }).end();
    });
    const client = new ServiceClient({ endpoint: url });
    onTestFinished(() => client.close());
    const listing = client.listModels().catch(toFoundryError);
    await vi.waitFor(() => expect(requests).toBe(1), 10_000);
    expect(await client.healthCheck()).toMatchObject({
      status: "unavailable",
      problems: [{ what: expect.stringContaining("only with errors (HTTP 503)") }],
    });
    await client.close();
    expect(await listing).toMatchObject({ code: "CLIENT_CLOSED" });
  });

  it("never throws: closed", async () => {
    const client = new FoundryClient({ endpoint: await deadUrl() });
    await client.close();
    expect(await client.healthCheck()).toMatchObject({
      status: "unavailable",
      problems: [{ what: "The client was closed." }],
    });
  });

  it("never throws: out of the caller's time during a request", async () => {
    const { url } = await listening(() => {});
    const signal = AbortSignal.timeout(100);
    expect(await clientOf(url).healthCheck({ signal })).toMatchObject({
      status: "unavailable",
      endpoint: url,
      foundBy: "set",
      circuit: { state: "closed", nextProbeInMs: null },
      problems: [{ what: "The call did not end within the time limit of its signal." }],
    });
  });

  it("never throws: cancelled", async () => {
    const simulator = await simulate({ models: [talker] });
    const health = await clientOf(simulator.url).healthCheck({ signal: AbortSignal.abort() });
    expect(health).toMatchObject({
      status: "unavailable",
      problems: [{ what: "The call was cancelled." }],
    });
  });
});

/** A service that answers these paths with this JSON, and all others with 404 or never. */
async function answering(answers: Readonly<Record<string, unknown>>): Promise<{ url: string }> {
  return listening((request, response) => {
    const answer = answers[request.url ?? ""];
    if (answer !== undefined) response.end(JSON.stringify(answer));
    else if (request.url !== "/v1/models") response.writeHead(404).end();
  });
}

async function listening(onRequest: RequestListener): Promise<{ url: string }> {
  const server = createServer(onRequest);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { url: `http://127.0.0.1:${address.port}` };
}
