import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { LoadState } from "../../src/jobs/index.js";
import type { Kept } from "../../src/keeper/index.js";
import { deferred } from "../../src/lib/index.js";
import { cacheFolder, connectedHost, simulatedService, textOf } from "./host.js";

const talker = { id: "talker-generic-cpu:1", alias: "talker" };
const LOADS = "/models/load/";
const GO_ON = "Call load_model again with the same arguments to keep waiting.";

const call = (args: Record<string, unknown>) => ({ name: "load_model", arguments: args });

const structured = (answer: object): object => Object(Reflect.get(answer, "structuredContent"));

describe("load_model", () => {
  it("returns when the model is in memory", async () => {
    const service = await simulatedService({ models: [talker] });
    const { host } = await connectedHost({ endpoint: service.url });
    const answer = await host.callTool(call({ model: "talker" }));
    expect(structured(answer)).toEqual({
      next: null,
      notes: [],
      model: talker.id,
      status: "loaded",
      percent: 100,
      elapsed_ms: expect.any(Number),
    });
    expect(textOf(answer)).toMatch(/^talker-generic-cpu:1 is loaded; it took \d\.\d s\.$/);
    const again = await host.callTool(call({ model: "talker" }));
    expect(textOf(again)).toBe("talker-generic-cpu:1 was already loaded.");
  });

  it("ends also for calls that do not wait", async () => {
    const service = await simulatedService({ models: [talker] });
    const { host } = await connectedHost({ endpoint: service.url });
    const status = async (): Promise<unknown> =>
      Reflect.get(
        structured(await host.callTool(call({ model: "talker", reply_within: 0 }))),
        "status",
      );
    expect(await status()).toBe("loading");
    await expect.poll(status).toBe("loaded");
  });

  it("returns within reply_within with the state, and continues to wait when called again", async () => {
    const modelCachePath = await cacheFolder();
    const models = [{ ...talker, loadMs: 2000 }];
    const service = await simulatedService({ models, modelCachePath });
    const { host } = await connectedHost({ endpoint: service.url });
    const first = await host.callTool(call({ model: "talker", reply_within: 0 }));
    const next = `Not finished: talker is still loading after 0 s. ${GO_ON}`;
    expect(structured(first)).toMatchObject({ next, status: "loading" });
    expect(structured(first)).not.toHaveProperty("percent");
    expect(textOf(first)).toBe(next);
    await service.waitFor(({ requests }) => requests.some(({ path }) => path.startsWith(LOADS)));
    const second = await host.callTool(call({ model: "talker", reply_within: 0.05 }));
    expect(structured(second)).toMatchObject({ model: talker.id, status: "loading" });
    const last = await host.callTool(call({ model: "talker" }));
    expect(structured(last)).toMatchObject({ model: talker.id, status: "loaded", percent: 100 });
    expect(service.requests.filter(({ path }) => path.startsWith(LOADS))).toHaveLength(1);
  });

  it("waits as long as the setting says where the call does not", async () => {
    const service = await simulatedService({ models: [{ ...talker, loadMs: 60_000 }] });
    const policy = { replyWithinMs: 30, onCancel: "auto" } as const;
    const { host } = await connectedHost({ endpoint: service.url }, policy);
    const answer = await host.callTool(call({ model: "talker" }));
    expect(structured(answer)).toMatchObject({ status: "loading" });
  });

  it("reports which load it waits for", async () => {
    const walker = { id: "walker-generic-cpu:1", alias: "walker", loadMs: 60_000 };
    const service = await simulatedService({ dialect: "C1", models: [talker, walker] });
    const { host, foundry } = await connectedHost({ endpoint: service.url });
    await foundry.listModels();
    await host.callTool(call({ model: "walker-generic-cpu", reply_within: 0 }));
    await service.waitFor(({ requests }) => requests.some(({ path }) => path.startsWith(LOADS)));
    await host.callTool(call({ model: "talker-generic-cpu", reply_within: 0 }));
    const load = foundry.loads.start("talker-generic-cpu", {});
    await expect.poll(() => load.state().news).toMatch(/^Waiting/);
    const answer = await host.callTool(call({ model: "talker-generic-cpu", reply_within: 0 }));
    expect(textOf(answer)).toMatch(
      / is not loaded yet after \d+ s\. Current step: Waiting for the load of /,
    );
    expect(textOf(answer)).toContain(GO_ON);
  });

  it("makes a waiting completion report the load, and leave the device free when it is cancelled", async () => {
    const walker = { id: "walker-generic-cpu:1", alias: "walker", loadMs: 60_000 };
    const service = await simulatedService({ dialect: "C1", models: [talker, walker] });
    const { host, foundry } = await connectedHost({ endpoint: service.url });
    await foundry.listModels();
    await host.callTool(call({ model: "walker-generic-cpu", reply_within: 0 }));
    await service.waitFor(({ requests }) => requests.some(({ path }) => path.startsWith(LOADS)));
    const asked = { prompt: "Hi", model: "talker-generic-cpu", temperature: 0, reply_within: 0 };
    await host.callTool({ name: "complete", arguments: asked });
    await expect.poll(() => foundry.completions.list()[0]?.news).toMatch(/^Waiting/);
    const answer = await host.callTool({ name: "complete", arguments: asked });
    expect(textOf(answer)).toMatch(/^Not finished: waiting for the load of walker-generic-cpu\. /);
    expect(structured(answer)).toMatchObject({ status: "loading" });
    const [completion_id] = /c-\w+-\d+/.exec(textOf(answer)) ?? [];
    const cancelled = await host.callTool({
      name: "cancel_completion",
      arguments: { completion_id },
    });
    expect(structured(cancelled)).toMatchObject({ status: "cancelled", device_busy: false });
  });

  it("reports the error of a load without waiters", async () => {
    const broken = { ...talker, loadError: "No such operator." };
    const modelCachePath = await cacheFolder();
    const service = await simulatedService({ models: [broken], modelCachePath });
    const { host, foundry } = await connectedHost({ endpoint: service.url });
    await host.callTool(call({ model: "talker", reply_within: 0 }));
    await foundry.loads.start("talker", {}).ended;
    const answer = await host.callTool(call({ model: "talker" }));
    expect(answer.isError).toBe(true);
    expect(textOf(answer)).toMatch(/^LOAD_FAILED: /);
    expect(service.requests.filter(({ path }) => path.startsWith(LOADS))).toHaveLength(1);
  });

  it("refuses a model that exceeds the memory, with the sizes, unless it is forced", async () => {
    const giant = { ...talker, sizeMb: 1e9 };
    const modelCachePath = await cacheFolder();
    const service = await simulatedService({ models: [giant], modelCachePath });
    const { host } = await connectedHost({ endpoint: service.url });
    const refused = await host.callTool(call({ model: "talker" }));
    expect(refused.isError).toBe(true);
    expect(textOf(refused)).toMatch(
      /^INSUFFICIENT_MEMORY: talker-generic-cpu:1 takes 976562\.5 GB of memory at least, and there are \d+\.\d GB in all\./,
    );
    expect(textOf(refused)).toContain("force: true");
    const forced = await host.callTool(call({ model: "talker", force: true }));
    expect(structured(forced)).toMatchObject({
      status: "loaded",
      notes: [expect.stringContaining("takes 976562.5 GB of memory")],
    });
  });

  it("reports the progress of a download, and the next call", async () => {
    const missing = { ...talker, downloaded: false };
    const service = await simulatedService({
      dialect: "S",
      models: [missing],
      downloadMs: 60_000,
    });
    const { host, foundry } = await connectedHost({ endpoint: service.url });
    const args = { model: "talker", download: true, reply_within: 0 };
    await host.callTool(call(args));
    const load = foundry.loads.start("talker", { download: true });
    await expect.poll(() => load.state().status).toBe("downloading");
    const answer = await host.callTool(call(args));
    expect(structured(answer)).toMatchObject({ model: talker.id, status: "downloading" });
    expect(textOf(answer)).toContain(GO_ON);
  });

  it.each([
    ["a download that the user stopped ends", "User pressed stop", true],
    ["a download that outlived the host's patience goes on", "-32001: Request timed out", false],
    ["a download of an unclear cancellation goes on", "MCP request cancelled by caller", false],
  ])("%s", async (_what, reason, ends) => {
    const missing = { ...talker, downloaded: false };
    const service = await simulatedService({ dialect: "S", models: [missing], downloadMs: 60_000 });
    const { host, foundry } = await connectedHost({ endpoint: service.url });
    const cancel = new AbortController();
    const args = { model: "talker", download: true };
    const calling = host
      .callTool(call(args), undefined, { signal: cancel.signal })
      .catch(() => "cancelled");
    const download = await service.waitFor(({ requests }) =>
      requests.find(({ path }) => path.startsWith("/openai/download")),
    );
    cancel.abort(reason);
    expect(await calling).toBe("cancelled");
    if (ends) {
      await service.waitFor(() => download.endedBy === "client-gone");
    } else {
      const { loads } = foundry;
      const state = await loads.wait(loads.start("talker", { download: true }), { withinMs: 50 });
      expect([state.status, download.endedBy]).toEqual(["downloading", null]);
    }
  });

  const elsewhere: LoadState = {
    model: talker.id,
    status: "loading",
    percent: null,
    elapsedMs: 10,
    news: null,
    warnings: [],
    error: null,
  };

  it("looks a load up within its time that has succeeded in the keeper", async () => {
    const service = await simulatedService({ models: [{ ...talker, loaded: true }] });
    const waits: number[] = [];
    const load: Kept["load"] = async (_model, _wish, { withinMs, onState }) => {
      waits.push(withinMs);
      onState(elsewhere);
      return null;
    };
    const { host } = await connectedHost({ endpoint: service.url }, undefined, [], { load });
    const answer = await host.callTool(call({ model: "talker", reply_within: 20 }));
    expect(textOf(answer)).toBe("talker-generic-cpu:1 was already loaded.");
    await host.callTool(call({ model: "talker", reply_within: 4 }));
    const [long = 0, short = 0] = waits;
    // Less what the call has taken before.
    expect(long).toBeGreaterThan(10_000);
    expect(long).toBeLessThanOrEqual(18_000);
    expect(short).toBeLessThanOrEqual(3000);
  });

  it("begins no load for a call that was cancelled while the keeper was asked", async () => {
    const others = ["walker", "runner"].map((alias) => ({ id: `${alias}-generic-cpu:1`, alias }));
    const service = await simulatedService({ dialect: "C1", models: [talker, ...others] });
    const asked = deferred();
    const left = deferred();
    const load: Kept["load"] = async (_model, _wish, { signal }) => {
      asked.resolve();
      await once(signal, "abort");
      left.resolve();
      return null;
    };
    const options = { endpoint: service.url };
    const { host, foundry } = await connectedHost(options, undefined, [], { load });
    const cancel = new AbortController();
    const calling = host
      .callTool(call({ model: "talker-generic-cpu" }), undefined, { signal: cancel.signal })
      .catch(() => "cancelled");
    await asked.promise;
    // A load that had begun would go on.
    cancel.abort("-32001: Request timed out");
    expect(await calling).toBe("cancelled");
    await left.promise;
    await setImmediate();
    // One load at a time: another one would have had its turn before the second of these.
    for (const { alias } of others) await foundry.loadModel(`${alias}-generic-cpu`);
    const loads = service.requests.filter(({ path }) => path.startsWith(LOADS));
    const expected = others.map(({ alias }) => expect.stringContaining(alias));
    expect(loads.map(({ path }) => path)).toEqual(expected);
  });

  it.each([
    ["reply_within", -1],
    ["reply_within", 3601],
    ["force", "yes"],
  ])("refuses %s: %j", async (name, value) => {
    const { host } = await connectedHost({ endpoint: "http://127.0.0.1:9" });
    const answer = await host.callTool(call({ model: "talker", [name]: value }));
    expect(textOf(answer)).toMatch(/^INVALID_ARGUMENT: /);
    expect(textOf(answer)).toContain(name);
  });
});
