import type { Simulator, SimulatorOptions } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { detectDialect } from "../../../src/foundry/dialects/detect.js";
import type { FoundryClientOptions } from "../../../src/foundry/index.js";
import { HttpTransport } from "../../../src/http/index.js";
import { askedOf, clientOf, simulate } from "../fixtures.js";
import { knownModel } from "../models/known-model.js";

const QWEN = "qwen2.5-0.5b-instruct-generic-cpu:4";
const CLOUD = "cloud-talk-generic-cpu:2";
const MODELS = [
  { id: QWEN, alias: "qwen2.5-0.5b", script: { tokens: ["Sci", "ence", "."] } },
  { id: CLOUD, alias: "cloud-talk", downloaded: false },
];
const CALL = { limits: { wholeMs: 5000 } };

type Switches = NonNullable<SimulatorOptions["switches"]>;

const simulated = (switches: Switches = {}, more: SimulatorOptions = {}): Promise<Simulator> =>
  simulate({ dialect: "S", models: MODELS, ...more, switches });

async function dialectOn(simulator: Simulator) {
  const transport = new HttpTransport({ baseUrl: simulator.url, retry: { initialPauseMs: 1 } });
  onTestFinished(() => transport.close());
  return (await detectDialect(transport, CALL)).dialect;
}

async function download(simulator: Simulator, stallMs = 5000) {
  const dialect = await dialectOn(simulator);
  const percents: (number | null)[] = [];
  const run = () =>
    dialect.download?.(knownModel(CLOUD), {
      signal: new AbortController().signal,
      stallMs,
      onPercent: (percent) => percents.push(percent),
    });
  return { dialect, percents, run };
}

const clientOn = (simulator: Simulator, options: FoundryClientOptions = {}) =>
  clientOf(simulator.url, options);

describe("on a simulated legacy service", () => {
  it.each([{}, { statusNames: "PascalCase" }, { registration: "absent" }] as const)(
    "the dialect is detected: %j",
    async (switches) => {
      const simulator = await simulated(switches);
      const dialect = await dialectOn(simulator);
      expect(dialect.name).toBe("S");
      expect((await dialect.status(CALL)).modelCachePath).not.toBeNull();
    },
  );

  it.each([
    {},
    { catalogForm: "object" },
    { openaiModels: "absent" },
    { openaiModels: "loaded" },
    { ids: "unversioned" },
  ] as const)("the models are listed, with those downloaded: %j", async (switches) => {
    const { models, warning } = await clientOn(await simulated(switches)).listModels();
    expect(warning).toBeNull();
    expect(models.map(({ alias, downloaded, loaded }) => [alias, downloaded, loaded])).toEqual([
      ["qwen2.5-0.5b", true, false],
      ["cloud-talk", false, false],
    ]);
  });

  it.each(["empty", "fails"] as const)(
    "downloaded models are listed and used while the catalog %s",
    async (catalog) => {
      const client = clientOn(await simulated({ catalog }));
      const { models, warning } = await client.listModels();
      expect(models).toMatchObject([{ id: QWEN, downloaded: true }]);
      expect(warning).toContain("no catalog");
      const completion = await client.complete({ prompt: "Hi", model: "qwen2.5-0.5b" });
      expect(completion).toMatchObject({ status: "completed", text: "Science." });
    },
  );

  it.each([{}, { ids: "unversioned" }] as const)(
    "a model is loaded and unloaded: %j",
    async (switches) => {
      const simulator = await simulated(switches);
      const client = clientOn(simulator);
      expect(await client.loadModel("qwen2.5-0.5b")).toMatchObject({ status: "loaded" });
      expect(await client.loadModel("qwen2.5-0.5b")).toMatchObject({ status: "already_loaded" });
      expect(await client.unloadModel("qwen2.5-0.5b")).toMatchObject({ status: "unloaded" });
      expect(await client.unloadModel("qwen2.5-0.5b")).toMatchObject({ status: "not_loaded" });
      expect(askedOf(simulator, "/openai/load/")).toHaveLength(1);
    },
  );

  it.each([400, 404, 500] as const)(
    "a load of a model that is not downloaded has that reason, whatever the status: %i",
    async (missingModelStatus) => {
      const dialect = await dialectOn(await simulated({ missingModelStatus }));
      const load = dialect.load(knownModel(CLOUD), CLOUD, CALL);
      await expect(load).rejects.toMatchObject({ code: "MODEL_NOT_CACHED" });
    },
  );

  it("a load whose connection breaks while the service continues has not failed", async () => {
    const simulator = await simulated({}, { loadMs: 1000 });
    const dialect = await dialectOn(simulator);
    const load = (wholeMs: number) => dialect.load(knownModel(QWEN), QWEN, { limits: { wholeMs } });
    await expect(load(20)).rejects.toMatchObject({ code: "TIMEOUT" });
    await expect.poll(() => load(5000)).toBe("already_loaded");
  });

  it("a model is unloaded automatically after the requested time", async () => {
    const simulator = await simulated();
    const dialect = await dialectOn(simulator);
    await dialect.load(knownModel(QWEN), QWEN, CALL, { idleSeconds: 1 });
    expect(await dialect.loadedModels(CALL)).toEqual([{ id: QWEN, family: "public" }]);
    await expect.poll(() => dialect.loadedModels(CALL)).toEqual([]);
  });

  it.each([{}, { streamFinish: "given" }, { streamUsage: true }, { loadsForChat: false }] as const)(
    "a completion has its text once and an end: %j",
    async (switches) => {
      const client = clientOn(await simulated(switches));
      const completion = await client.complete({ prompt: "Hi", model: QWEN });
      expect(completion).toMatchObject({
        status: "completed",
        text: "Science.",
        finishReason: "stop",
        usage: { estimated: !("streamUsage" in switches) },
      });
      const cut = await client.complete({ prompt: "Hi", model: QWEN, maxTokens: 2 });
      expect(cut).toMatchObject({ text: "Science", finishReason: "length" });
    },
  );

  it.each([{}, { errorBody: "empty" }] as const)(
    "a prompt beyond the context is refused: %j",
    async (switches) => {
      const models = [{ id: QWEN, contextLength: 16 }];
      const client = clientOn(await simulated(switches, { models }));
      const asked = client.complete({ prompt: "Hi", model: QWEN, maxTokens: 100 });
      await expect(asked).rejects.toMatchObject({
        code: "errorBody" in switches ? "INFERENCE_FAILED" : "CONTEXT_LENGTH_EXCEEDED",
      });
    },
  );

  it.each([
    {},
    { downloadLines: "tuples" },
    { downloadEnd: "Success" },
    { downloadEndSplit: true },
    // Its last line is lost, but the list of downloaded models shows the same.
    { downloadEnd: "none" },
  ] as const)("a model is downloaded, with its progress: %j", async (switches) => {
    const { dialect, percents, run } = await download(await simulated(switches));
    await run();
    expect(percents.at(-1)).toBe(100);
    expect(percents).toEqual([...new Set(percents)].sort((a, b) => Number(a) - Number(b)));
    const { models } = await dialect.listModels(CALL);
    expect(models.find(({ id }) => id === CLOUD)?.downloaded).toBe(true);
    expect(await dialect.load(knownModel(CLOUD), CLOUD, CALL)).toBe("loaded");
  });

  it.each(["fails", "breaks", "stalls"] as const)(
    "a download that %s is reported as such, and resumes at the next call",
    async (kind) => {
      const simulator = await simulated({ downloadTrouble: { atPercent: 40, kind } });
      const { percents, run } = await download(simulator, 500);
      await expect(run()).rejects.toMatchObject({
        code: "DOWNLOAD_FAILED",
        message: expect.stringContaining("It came to 36 %."),
      });
      percents.length = 0;
      // The service needs a moment to detect the first client's disconnect.
      await vi.waitFor(run, { timeout: 5000 });
      expect(percents[0]).toBeGreaterThan(36);
      expect(percents.at(-1)).toBe(100);
    },
  );

  it("a download is not started for a downloaded model", async () => {
    const simulator = await simulated();
    const { run, percents } = await download(simulator);
    await run();
    percents.length = 0;
    await run();
    expect(percents).toEqual([100]);
    expect(askedOf(simulator, "/openai/download")).toHaveLength(1);
  });
});
