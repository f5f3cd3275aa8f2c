import type { Simulator } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { ServiceClient, type StatusUpdate } from "../../src/foundry/index.js";
import { FoundryClient, type FoundryClientOptions, Loads } from "../../src/jobs/index.js";
import type { Machine } from "../../src/platform/machine.js";
import { machine as ownMachine } from "../foundry/downloads/fixtures.js";
import { askedOf, roomyMachine, simulate } from "../foundry/fixtures.js";

const LOADS = "/models/load/";
const DOWNLOADS = "/openai/download";
const talker = { id: "talker-instruct-generic-cpu:2", alias: "talker" };
const walker = { id: "walker-generic-cpu:1", alias: "walker" };

async function clientOf(
  { url: endpoint }: Simulator,
  options: FoundryClientOptions = {},
  machine: Partial<Machine> = {},
): Promise<FoundryClient> {
  const { home } = await ownMachine();
  const retry = { retries: 1, initialPauseMs: 1, maxPauseMs: 1 };
  const client = new FoundryClient(
    { endpoint, retry, ...options },
    { ...roomyMachine(), home, ...machine },
  );
  onTestFinished(() => client.close());
  return client;
}

const hasBegun = ({ requests }: Simulator): boolean =>
  requests.some(({ path }) => path.startsWith(LOADS));

describe("a load", () => {
  it("continues without waiters, and reports its state to every request", async () => {
    const simulator = await simulate({ models: [{ ...talker, loadMs: 400 }] });
    const { loads } = await clientOf(simulator);
    const first = await loads.wait(loads.start("talker"), { withinMs: 0 });
    expect(first).toMatchObject({ model: "talker", status: "loading", percent: null, error: null });
    await simulator.waitFor(hasBegun);
    const second = await loads.wait(loads.start("talker"), { withinMs: 10 });
    expect(second).toMatchObject({
      model: talker.id,
      status: "loading",
      news: `Loading ${talker.id}`,
    });
    const last = await loads.wait(loads.start("talker"));
    expect(last).toMatchObject({ model: talker.id, status: "loaded", percent: 100, news: null });
    expect(last.elapsedMs).toBeGreaterThan(second.elapsedMs);
    expect(askedOf(simulator, LOADS)).toHaveLength(1);
  });

  it("is joined by alias, name and id, in any case", async () => {
    const simulator = await simulate({ dialect: "C1", models: [{ ...talker, loadMs: 150 }] });
    const { loads } = await clientOf(simulator);
    const names = ["talker", "Talker-Instruct-generic-CPU", "TALKER", talker.id];
    const states = await Promise.all(names.map((name) => loads.wait(loads.start(name))));
    expect(new Set(states.map((state) => JSON.stringify(state))).size).toBe(1);
    expect(states[0]).toMatchObject({ model: talker.id, status: "loaded" });
    expect(askedOf(simulator, LOADS)).toHaveLength(1);
  });

  it("of a loaded model reports that it is already loaded", async () => {
    const simulator = await simulate({ models: [{ ...talker, loaded: true }] });
    const { loads } = await clientOf(simulator);
    expect(await loads.wait(loads.start("talker"))).toMatchObject({
      status: "already_loaded",
      percent: 100,
    });
  });

  it("that ended without waiters reports its outcome once; the next call is a new load", async () => {
    const simulator = await simulate({ models: [{ ...talker, loadMs: 50 }] });
    const { loads } = await clientOf(simulator);
    await loads.wait(loads.start("talker"), { withinMs: 0 });
    await simulator.waitFor(({ loaded }) => loaded.length === 1);
    await loads.start("talker").ended;
    expect(await loads.wait(loads.start("talker"))).toMatchObject({ status: "loaded" });
    expect(await loads.wait(loads.start("talker"))).toMatchObject({ status: "already_loaded" });
  });

  it("that ended is not joined when the model has been unloaded since", async () => {
    const simulator = await simulate({ models: [talker] });
    const client = await clientOf(simulator);
    const { loads } = client;
    await loads.start("talker").ended;
    await client.unloadModel("talker");
    expect(await loads.wait(loads.start("talker"))).toMatchObject({ status: "loaded" });
    expect(simulator.loaded).toEqual([talker.id]);
    expect(askedOf(simulator, LOADS)).toHaveLength(2);
  });

  it("continues when its caller aborts or stops it, since no service can stop a load", async () => {
    const simulator = await simulate({ models: [{ ...talker, loadMs: 200 }] });
    const { loads } = await clientOf(simulator);
    const leaving = new AbortController();
    const load = loads.start("talker");
    const waiting = loads.wait(load, { signal: leaving.signal });
    await simulator.waitFor(hasBegun);
    leaving.abort();
    await expect(waiting).rejects.toMatchObject({ code: "CANCELLED" });
    loads.stop(load);
    expect(await loads.wait(loads.start("talker"))).toMatchObject({ status: "loaded" });
    expect(askedOf(simulator, LOADS)).toHaveLength(1);
  });

  it("that was stopped while it waited for another load is never started", async () => {
    const simulator = await simulate({ models: [{ ...talker, loadMs: 200 }, walker] });
    const client = await clientOf(simulator);
    const { loads } = client;
    await client.listModels();
    const first = loads.start("talker");
    const second = loads.start("walker");
    await simulator.waitFor(hasBegun);
    const state = await loads.wait(second, { withinMs: 0 });
    expect(state.news).toBe(`Waiting for the load of ${talker.id}`);
    loads.stop(second);
    await second.ended;
    await loads.wait(first);
    expect(simulator.loaded).toEqual([talker.id]);
    expect(askedOf(simulator, `${LOADS}walker`)).toEqual([]);
  });

  it("reports to every waiter which load it waits for", async () => {
    const simulator = await simulate({
      dialect: "C1",
      models: [
        { ...talker, loadMs: 150 },
        { ...walker, loadMs: 100 },
      ],
    });
    const client = await clientOf(simulator);
    const { loads } = client;
    await client.listModels();
    const first = loads.start("talker");
    const messages: string[][] = [[], []];
    const waiting = ["walker", walker.id].map((name, index) => {
      const onStatus = ({ message }: StatusUpdate): void => void messages[index]?.push(message);
      return loads.wait(loads.start(name), { onStatus });
    });
    await Promise.all([loads.wait(first), ...waiting]);
    const words = [`Waiting for the load of ${talker.id}`, `Loading ${walker.id}`];
    expect(messages).toEqual([words, words]);
  });

  it("ends with its client", async () => {
    const simulator = await simulate({ models: [{ ...talker, loadMs: 60_000 }] });
    const client = await clientOf(simulator);
    const waiting = client.loads.wait(client.loads.start("talker"));
    await simulator.waitFor(hasBegun);
    await client.close();
    expect(await waiting).toMatchObject({ status: "failed", error: { code: "CLIENT_CLOSED" } });
  });
});

describe("a load that failed", () => {
  const broken = { ...talker, loadError: "No such operator." };

  it("without waiters reports its error, whatever the name, before the model is loaded again", async () => {
    const simulator = await simulate({ models: [broken] });
    const { loads } = await clientOf(simulator);
    await loads.start("talker").ended;
    const why = { status: "failed", error: { code: "LOAD_FAILED" } };
    expect(await loads.wait(loads.start(talker.id))).toMatchObject(why);
    expect(askedOf(simulator, LOADS)).toHaveLength(1);
    expect(await loads.wait(loads.start("talker"))).toMatchObject(why);
    expect(askedOf(simulator, LOADS)).toHaveLength(2);
  });

  it("is repeated for a caller that waited to its end", async () => {
    const simulator = await simulate({ models: [broken] });
    const { loads } = await clientOf(simulator);
    await loads.wait(loads.start("talker"));
    await loads.wait(loads.start("talker"));
    expect(askedOf(simulator, LOADS)).toHaveLength(2);
  });

  it("is forgotten after five minutes", async () => {
    const simulator = await simulate({ models: [broken] });
    const service = new ServiceClient({ endpoint: simulator.url });
    onTestFinished(() => service.close());
    let now = 0;
    const loads = new Loads(service, { now: () => now });
    await loads.start("talker").ended;
    now = 5 * 60_000 + 1;
    await loads.start("talker").ended;
    expect(askedOf(simulator, LOADS)).toHaveLength(2);
  });

  it("for its size is repeated at once with force", async () => {
    const simulator = await simulate({ models: [{ ...talker, sizeMb: 4096 }] });
    const memory = () => ({ totalMb: 8192, freeMb: 100, isExact: true });
    const { loads } = await clientOf(simulator, {}, { memory });
    await loads.start("talker").ended;
    expect(await loads.wait(loads.start("talker", { force: true }))).toMatchObject({
      status: "loaded",
      warnings: [expect.stringContaining("100 MB of 8.0 GB are free")],
    });
  });

  it("for an unknown name reports the existing ones", async () => {
    const simulator = await simulate({ models: [talker] });
    const { loads } = await clientOf(simulator);
    expect(await loads.wait(loads.start("walker"))).toMatchObject({
      model: "walker",
      status: "failed",
      error: { code: "MODEL_NOT_FOUND" },
    });
  });
});

describe("a download", () => {
  const missing = { ...walker, downloaded: false };
  const isDownloading = ({ requests }: Simulator): boolean =>
    requests.some(({ path }) => path.startsWith(DOWNLOADS));

  it("reports its progress, and is joined by a request without download", async () => {
    const simulator = await simulate({ dialect: "S", models: [missing], downloadMs: 400 });
    const { loads } = await clientOf(simulator);
    const load = loads.start("walker", { download: true });
    await new Promise<void>((resolve) => {
      load.watch(({ percent }) => (percent ?? 0) > 0 && resolve());
    });
    const state = await loads.wait(loads.start("walker", { download: true }), { withinMs: 0 });
    expect(state).toMatchObject({ model: walker.id, status: "downloading" });
    expect(state.percent).toBeGreaterThan(0);
    const joined = await loads.wait(loads.start(walker.id));
    expect(joined).toMatchObject({ status: "loaded", percent: 100 });
    expect(askedOf(simulator, DOWNLOADS)).toHaveLength(1);
  });

  it("that is stopped ends, unless another call waits for it", async () => {
    const simulator = await simulate({ dialect: "S", models: [missing], downloadMs: 60_000 });
    const { loads } = await clientOf(simulator);
    const load = loads.start("walker", { download: true });
    const leaving = new AbortController();
    const other = loads.wait(loads.start(walker.id, { download: true }), {
      signal: leaving.signal,
    });
    await simulator.waitFor(isDownloading);
    loads.stop(load);
    expect(load.state()).toMatchObject({ status: "downloading" });
    leaving.abort();
    await expect(other).rejects.toMatchObject({ code: "CANCELLED" });
    loads.stop(load);
    await load.ended;
    expect(load.state()).toMatchObject({ status: "failed", error: { code: "CANCELLED" } });
    await simulator.waitFor(({ requests }) =>
      requests.some(({ endedBy }) => endedBy === "client-gone"),
    );
  });

  it("that was stopped is started again by the next request", async () => {
    const simulator = await simulate({ dialect: "S", models: [missing], downloadMs: 100 });
    const { loads } = await clientOf(simulator);
    const load = loads.start("walker", { download: true });
    await simulator.waitFor(isDownloading);
    loads.stop(load);
    // The service continues it by itself, and refuses a second one until then.
    await simulator.waitFor(({ models }) => models[0]?.downloaded);
    const again = await loads.wait(loads.start("walker", { download: true }));
    expect(again).toMatchObject({ status: "loaded", error: null });
  });
});
