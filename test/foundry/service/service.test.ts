import { rm } from "node:fs/promises";
import { startSimulator } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { inPool } from "../../../src/platform/file-reads.js";
import { temporaryFolder } from "../../temporary-folder.js";
import { serviceAt } from "../downloads/fixtures.js";
import { askedOf, clientOf, deadUrl, simulate } from "../fixtures.js";

const talker = { id: "talker-generic-cpu:1", alias: "talker", loaded: true };

describe("the service behind an endpoint", () => {
  it("is detected once for concurrent callers", async () => {
    const simulator = await simulate({ models: [talker] });
    const client = clientOf(simulator.url);
    await Promise.all(
      Array.from({ length: 5 }, () => client.complete({ prompt: "Hi", model: "talker" })),
    );
    expect(askedOf(simulator, "/catalogs/local/v1/responses")).toHaveLength(1);
  });

  it("takes time limits that are no whole number of milliseconds", async () => {
    const { url } = await simulate({ models: [talker] });
    // 16.1 * 1000 is 16100.000000000002, which `AbortSignal.timeout` does not take.
    const client = clientOf(url, { timeoutMs: 16.1 * 1000 });
    await expect(client.listModels()).resolves.toMatchObject({ warning: null });
    // The limit of a health check is below its own 5 s here.
    const quick = clientOf(url, { timeoutMs: 4.1 * 1000 + 0.5 });
    expect(await quick.healthCheck()).toMatchObject({ status: "healthy" });
  });

  it("is detected again after it failed, when another version answers at its port", async () => {
    const models = [talker];
    const newer = await startSimulator({ version: "2.2.1", models });
    const client = clientOf(newer.url, { retry: { retries: 0 } });
    expect(await client.healthCheck()).toMatchObject({ version: "2.1 or later" });
    const { port, url } = newer;
    await newer.close();
    await expect(client.listModels()).rejects.toMatchObject({ code: "SERVICE_UNREACHABLE" });
    const older = await startSimulator({ version: "2.0.1", models, port });
    onTestFinished(() => older.close());
    expect(older.url).toBe(url);
    expect((await client.listModels()).models).toMatchObject([{ id: talker.id }]);
    expect(await client.healthCheck()).toMatchObject({ version: "2.0" });
    expect(await client.complete({ prompt: "Hi", model: "talker" })).toMatchObject({
      status: "completed",
    });
  });

  it("is detected again when a known route is missing", async () => {
    const models = [talker];
    const newer = await startSimulator({ version: "2.2.1", models });
    const client = clientOf(newer.url);
    await client.listModels();
    const { port } = newer;
    await newer.close();
    // No request was made during the restart, so it is not noticed yet.
    const older = await startSimulator({ version: "2.0.1", models, port });
    onTestFinished(() => older.close());
    expect((await client.listModels()).models).toMatchObject([{ id: talker.id }]);
  });

  it("may restart between two calls without an error", async () => {
    const simulator = await simulate({ models: [talker] });
    const client = clientOf(simulator.url);
    await client.complete({ prompt: "Hi", model: "talker" });
    await simulator.stop();
    await simulator.start();
    expect(await client.complete({ prompt: "Hi", model: "talker" })).toMatchObject({
      status: "completed",
    });
  });

  it("that is not running is unreachable for every method", async () => {
    const client = clientOf(await deadUrl(), { circuit: { failures: 100 } });
    const error = {
      code: "SERVICE_UNREACHABLE",
      message: expect.stringMatching(/^Nothing listens at http:\/\/127/),
    };
    await expect(client.listModels()).rejects.toMatchObject(error);
    await expect(client.loadModel("talker")).rejects.toMatchObject(error);
    await expect(client.complete({ prompt: "Hi" })).rejects.toMatchObject(error);
  });

  it("that is not running causes no unhandled rejection for a caller that has already cancelled", async () => {
    const client = clientOf(await deadUrl());
    const asking = client.complete({ prompt: "Hi" }, { signal: AbortSignal.abort() });
    // The detection fails without a waiter: an unhandled rejection would end the test run.
    await expect(asking).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it.each([
    ["a web page", { kind: "html" }, "a web page"],
    ["half a JSON", { kind: "half-json" }, "broken JSON"],
    ["nothing", { kind: "empty" }, "nothing"],
  ] as const)(
    "that answers %s is reported as such, and is used again afterwards",
    async (_what, fault, words) => {
      const simulator = await simulate({ models: [talker] });
      const client = clientOf(simulator.url);
      await client.listModels();
      const heal = simulator.addFault({ ...fault, on: { path: "/v1/models" } });
      await expect(client.listModels()).rejects.toMatchObject({
        code: "INVALID_RESPONSE",
        message: `/v1/models answered ${words} instead of what Foundry Local answers there.`,
      });
      heal();
      expect((await client.listModels()).models).toHaveLength(1);
    },
  );

  it("that does not answer the list of loaded models still lists its models, with a warning", async () => {
    const simulator = await simulate({ models: [talker] });
    const client = clientOf(simulator.url, { timeoutMs: 2000 });
    simulator.addFault({ kind: "hang", on: { path: "/models/loaded" } });
    const { models, warning } = await client.listModels();
    expect(models.map(({ id, loaded }) => ({ id, loaded }))).toEqual([
      { id: talker.id, loaded: null },
    ]);
    expect(warning).toContain("busy");
  });

  it("that is still slow to list its loaded models is not waited for twice", async () => {
    const simulator = await simulate({ models: [talker] });
    const client = clientOf(simulator.url, { timeoutMs: 2000 });
    await client.listModels();
    simulator.addFault({ kind: "hang", on: { path: "/models/loaded" } });
    await client.listModels();
    const asked = simulator.requests.length;
    const { models, warning } = await client.listModels();
    expect(models).toMatchObject([{ id: talker.id, loaded: null }]);
    expect(warning).toContain("busy");
    // Answered from known values: a further request would only wait behind the first.
    expect(simulator.requests.length).toBe(asked);
  });

  it("that is gone gets all allowed attempts before the circuit opens", async () => {
    const simulator = await simulate({ models: [talker, { id: "Own:1", family: "local" }] });
    const client = clientOf(simulator.url, { retry: { retries: 3, initialPauseMs: 1 } });
    await client.listModels();
    await simulator.stop();
    // Concurrent requests would share the failures that the circuit allows.
    await expect(client.listModels()).rejects.toMatchObject({
      code: "SERVICE_UNREACHABLE",
      attempts: 4,
    });
  });

  it("that does not answer a probe is probed again within the total time limit", async () => {
    const simulator = await simulate({ models: [talker] });
    simulator.addFault({ kind: "hang", on: { path: "/status" }, times: 1 });
    const client = clientOf(simulator.url, { timeoutMs: 6000 });
    expect((await client.listModels()).models).toMatchObject([{ id: talker.id }]);
  });

  it.each([
    ["status", "SERVICE_ERROR"],
    ["html", "INVALID_RESPONSE"],
    ["empty", "INVALID_RESPONSE"],
  ] as const)(
    "is not taken for an older version because of one bad answer, %s",
    async (kind, code) => {
      const simulator = await simulate({ models: [talker, { id: "Own:1", family: "local" }] });
      const probe = { on: { path: "/catalogs/local/v1/responses" }, times: 1 };
      simulator.addFault(kind === "status" ? { kind, status: 500, ...probe } : { kind, ...probe });
      const client = clientOf(simulator.url, { retry: { retries: 0 } });
      await expect(client.listModels()).rejects.toMatchObject({ code });
      expect((await client.listModels()).models.map(({ id }) => id)).toContain("Own:1");
    },
  );

  it("that does not list its models in time is busy, which is retryable", async () => {
    const simulator = await simulate({ models: [talker] });
    const client = clientOf(simulator.url, { timeoutMs: 2000 });
    await client.listModels();
    simulator.addFault({ kind: "hang", on: { path: "/v1/models" } });
    await expect(client.listModels()).rejects.toMatchObject({
      code: "SERVICE_BUSY",
      retryable: true,
    });
  });

  it("gets one request for its models from concurrent callers", async () => {
    const simulator = await simulate({ models: [talker] });
    const client = clientOf(simulator.url);
    await Promise.all(Array.from({ length: 5 }, () => client.complete({ prompt: "Hi" })));
    const lists = simulator.requests.filter(({ path }) => path === "/v1/models");
    // One to resolve the name, one after the load.
    expect(lists.length).toBeLessThanOrEqual(2);
  });
});

describe("the models of a service", () => {
  it("are requested again where they changed while a list was on its way", async () => {
    const simulator = await simulate({ models: [{ ...talker, loaded: false, loadMs: 1500 }] });
    const service = serviceAt(simulator.url);
    await service.dialect();
    const load = clientOf(simulator.url).loadModel("talker");
    await expect.poll(() => askedOf(simulator, "/models/load/").length).toBe(1);
    const before = askedOf(simulator, "/models/loaded").length;
    // It waits for the load.
    const listing = service.models.all(service.patient());
    await expect.poll(() => askedOf(simulator, "/models/loaded").length).toBe(before + 1);

    service.forgetModels();
    await Promise.all([listing, load]);

    expect(service.models.hasRecent).toBe(false);
    await service.models.recent();
    expect(service.models.hasRecent).toBe(true);
  });
});

describe("the disk of a service", () => {
  it("that does not respond is not waited for, and counts as it was before", async () => {
    const modelCachePath = await temporaryFolder("cache-");
    const simulator = await simulate({ modelCachePath });
    const service = serviceAt(simulator.url);
    expect(await service.isOnThisDisk()).toBe(true);
    const ends: (() => void)[] = [];
    const stuck = () => new Promise<void>((resolve) => ends.push(resolve));
    onTestFinished(() => ends.forEach((end) => void end()));

    await Promise.all([inPool(stuck, 20), inPool(stuck, 20)]);

    expect(await service.isOnThisDisk()).toBe(true);
    expect(await serviceAt(simulator.url).isOnThisDisk()).toBeNull();
    await rm(modelCachePath, { recursive: true });
    ends.forEach((end) => void end());
    await expect.poll(() => service.isOnThisDisk()).toBe(false);
  });
});
