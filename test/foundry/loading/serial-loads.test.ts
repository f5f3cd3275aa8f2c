import { describe, expect, it } from "vitest";
import type { StatusUpdate } from "../../../src/foundry/index.js";
import { CapacityCheck } from "../../../src/foundry/loading/capacity.js";
import { ModelLoader } from "../../../src/foundry/loading/loader.js";
import { MissingModels } from "../../../src/foundry/loading/missing-model.js";
import { serviceAt } from "../downloads/fixtures.js";
import { askedOf, clientOf, roomyMachine, simulate, simulateFar } from "../fixtures.js";

const LOADS = "/models/load/";
const [one, two, three] = [
  { id: "one-generic-cpu:1", alias: "one" },
  { id: "two-generic-cpu:1", alias: "two" },
  { id: "three-generic-cpu:1", alias: "three" },
];
const models = [one, two, three].map((model) => ({ ...model, loadMs: 150 }));

describe("loads of different models", () => {
  it.each(["S", "C1", "C2"] as const)(
    "run one after the other on %s, and report which load they wait for",
    async (dialect) => {
      const simulator = await simulate({ dialect, models });
      const client = clientOf(simulator.url);
      await client.listModels();
      const messages: string[][] = [[], [], []];
      const results = await Promise.all(
        ["one", "two", "three"].map((name, index) =>
          client.loadModel(name, {
            onStatus: ({ message }: StatusUpdate) => messages[index]?.push(message),
          }),
        ),
      );
      expect(results.map(({ status }) => status)).toEqual(["loaded", "loaded", "loaded"]);
      expect(messages).toEqual([
        ["Loading one-generic-cpu:1"],
        ["Waiting for the load of one-generic-cpu:1", "Loading two-generic-cpu:1"],
        [
          "Waiting for the load of one-generic-cpu:1",
          "Waiting for the load of two-generic-cpu:1",
          "Loading three-generic-cpu:1",
        ],
      ]);
    },
  );

  it("without waiters are never started", async () => {
    const simulator = await simulate({ models });
    const client = clientOf(simulator.url);
    await client.listModels();
    const leaving = new AbortController();
    const first = client.loadModel("one");
    const second = client.loadModel("two", {
      signal: leaving.signal,
      onStatus: ({ step }) => {
        if (step === "waiting") leaving.abort();
      },
    });
    await expect(second).rejects.toMatchObject({ code: "CANCELLED" });
    await first;
    expect(await client.loadModel("three")).toMatchObject({ status: "loaded" });
    expect(simulator.loaded).toEqual([one?.id, three?.id]);
    expect(askedOf(simulator, `${LOADS}two`)).toEqual([]);
  });

  it("that fail let the next load start", async () => {
    const broken = { ...models[0], id: "broken-generic-cpu:1", alias: "broken", loadError: "No." };
    const simulator = await simulate({ models: [broken, ...models] });
    const client = clientOf(simulator.url);
    await client.listModels();
    const both = await Promise.allSettled([client.loadModel("broken"), client.loadModel("two")]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
  });

  it("do not fail because of a caller whose listener throws", async () => {
    const simulator = await simulate({ models });
    const client = clientOf(simulator.url);
    await client.listModels();
    const first = client.loadModel("one");
    const onStatus = (): void => {
      throw new Error("a defect of the caller");
    };
    const faulty = client.loadModel("two", { onStatus });
    const both = await Promise.allSettled([first, faulty, client.loadModel("three")]);
    expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });

  it("are waited for by a completion, too, which reports that", async () => {
    const simulator = await simulate({ models });
    const client = clientOf(simulator.url);
    await client.listModels();
    const messages: string[] = [];
    const loading = client.loadModel("one");
    const onStatus = ({ message }: StatusUpdate): void => void messages.push(message);
    const stream = client.streamComplete({ prompt: "Hi", model: "two" }, { onStatus });
    for await (const event of stream) if (event.type === "status") messages.push(event.status);
    await loading;
    expect(messages).toEqual([
      "loading",
      "Waiting for the load of one-generic-cpu:1",
      "Loading two-generic-cpu:1",
      "running",
    ]);
  });
});

describe("the lookup of a name during a load", () => {
  it.each([
    ["C2", ["Waiting for the load of one-generic-cpu:1"]],
    ["C1", []],
  ] as const)("reports on %s what it waits for", async (dialect, words) => {
    const simulator = await simulate({ dialect, models });
    const service = serviceAt(simulator.url);
    const loader = new ModelLoader(
      service,
      undefined,
      new MissingModels(service, { advice: async () => "" }),
      new CapacityCheck(service, roomyMachine()),
    );
    const loading = loader.load(await loader.resolveModel("one-generic-cpu"));
    await simulator.waitFor(() => askedOf(simulator, LOADS).length > 0);
    service.forgetModels();
    const messages: string[] = [];
    await loader.resolveModel("two-generic-cpu", {
      onStatus: ({ message }) => messages.push(message),
    });
    await loading;
    expect(messages).toEqual(words);
  });
});

describe("a load that exceeded its time limit", () => {
  it.each(["S", "C1", "C2"] as const)("is found on %s, and not started again", async (dialect) => {
    const simulator = await simulate({
      dialect,
      models: [{ id: "slow-generic-cpu:1", loadMs: 3000 }],
    });
    const client = clientOf(simulator.url, { loadTimeoutMs: 2000 });
    await expect(client.loadModel("slow-generic-cpu:1")).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(await client.loadModel("slow-generic-cpu:1")).toMatchObject({
      status: "already_loaded",
    });
    const asked = simulator.requests.filter(({ path }) => path.includes("/load/"));
    // Core 2.x reports the loaded model itself.
    expect(asked).toHaveLength(dialect === "C2" ? 2 : 1);
  });

  it("is recognised where only a loaded model shows its version", async () => {
    const simulator = await simulateFar({
      dialect: "C1",
      models: [{ id: "slow-generic-cpu:4", loadMs: 6500 }],
    });
    const client = clientOf(simulator.url, { loadTimeoutMs: 5000 });
    await expect(client.loadModel("slow-generic-cpu")).rejects.toMatchObject({ code: "TIMEOUT" });
    const { model, elapsedMs } = await client.loadModel("slow-generic-cpu");
    expect(model).toBe("slow-generic-cpu:4");
    // Well before the time limit of the abandoned load.
    expect(elapsedMs).toBeLessThan(4000);
  });

  it("is started again when it has failed", async () => {
    const simulator = await simulate({
      dialect: "C1",
      models: [{ id: "slow-generic-cpu:1", loadMs: 3000 }],
    });
    const client = clientOf(simulator.url, { loadTimeoutMs: 1000 });
    await expect(client.loadModel("slow-generic-cpu:1")).rejects.toMatchObject({ code: "TIMEOUT" });
    await simulator.waitFor(({ loaded }) => loaded.length === 1);
    simulator.setLoaded("slow-generic-cpu:1", false);
    await expect(client.loadModel("slow-generic-cpu:1")).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(askedOf(simulator, LOADS)).toHaveLength(2);
  });
});
