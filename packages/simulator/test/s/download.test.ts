import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { RawResponse } from "../../../../test/real/raw_http.js";
import { chat, get, jsonOf, MODEL, post } from "../ask.js";
import { startService, TALKER } from "./start.js";

const MODELS = [{ ...TALKER, downloaded: false, sizeMb: 2048 }];
const BODY = {
  model: {
    Name: MODEL,
    Uri: "azureml://registries/azureml/models/talker-generic-cpu/versions/1",
    Publisher: "Microsoft",
    ProviderType: "AzureFoundryLocal",
    PromptTemplate: null,
  },
  IgnorePipeReport: true,
};
const SLOW = { models: MODELS, downloadMs: 2000 };

type Leaving = Parameters<typeof post>[3];

const download = (url: string, body: object = BODY, leaving: Leaving = {}) =>
  post(url, "/openai/download", body, leaving);

const percentsOf = ({ chunks }: RawResponse): number[] =>
  [...chunks.join("").matchAll(/Total (\d+\.\d{3})%/g)].map(([, percent]) => Number(percent));

const lastLineOf = ({ chunks }: RawResponse): unknown =>
  JSON.parse(/\{.*\}$/.exec(chunks.join(""))?.[0] ?? "null");

describe("a download of S", () => {
  it("reports its progress and its end, after which the model is downloaded", async () => {
    await using simulator = await startService(SLOW);
    const answer = await download(simulator.url);
    const percents = percentsOf(answer);
    expect(percents.length).toBeGreaterThan(10);
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
    expect(percents.at(-1)).toBe(100);
    expect(lastLineOf(answer)).toEqual({ success: true, error: null });
    expect(jsonOf(await get(simulator.url, "/openai/models"))).toEqual([MODEL]);
    expect((await chat(simulator.url)).status).toBe(200);
  });

  it("writes the model's files into the cache directory", async () => {
    const modelCachePath = await mkdtemp(join(tmpdir(), "simulated-service-"));
    await using simulator = await startService({ models: MODELS, modelCachePath });
    const file = join(modelCachePath, "Microsoft/talker-generic-cpu-1/v1/inference_model.json");
    expect(existsSync(file)).toBe(false);
    await download(simulator.url);
    expect(existsSync(file)).toBe(true);
    await rm(modelCachePath, { recursive: true, force: true, maxRetries: 10 });
  });

  it("ends at once when the model is already downloaded", async () => {
    await using simulator = await startService({ downloadMs: 60_000 });
    const answer = await download(simulator.url);
    expect(answer.chunks.join("")).toBe('{"success":true,"error":null}');
  });

  it("continues when the client disconnects, and refuses a second download of the model until it ends", async () => {
    await using simulator = await startService(SLOW);
    await download(simulator.url, BODY, { leaveAfterChunks: 3 });
    expect(lastLineOf(await download(simulator.url))).toMatchObject({ success: false });
    await simulator.waitFor((s) => s.models.every((model) => model.downloaded));
  });

  it("stops when the client disconnects where the switch is set, and resumes at the next request", async () => {
    const switches = { downloadOnDisconnect: "stops" } as const;
    await using simulator = await startService({ ...SLOW, switches });
    const before = percentsOf(await download(simulator.url, BODY, { leaveAfterChunks: 6 }));
    await simulator.waitFor((s) => s.requests[0]?.endedBy === "client-gone");
    const after = await untilAllowed(() => download(simulator.url));
    expect(percentsOf(after)[0]).toBeGreaterThanOrEqual(before.at(-1) ?? 100);
    expect(lastLineOf(after)).toMatchObject({ success: true });
  });

  it.each(["fails", "breaks"] as const)(
    "%s once, and resumes at the next request",
    async (kind) => {
      const switches = { downloadTrouble: { atPercent: 50, kind } };
      await using simulator = await startService({ models: MODELS, switches });
      const first = await download(simulator.url);
      expect(percentsOf(first).at(-1)).toBe(46.268);
      if (kind === "fails") expect(lastLineOf(first)).toMatchObject({ success: false });
      else expect(first.connection).toBe("closed by the service before the end of its answer");
      expect(simulator.models[0]?.downloaded).toBe(false);
      const second = await download(simulator.url);
      expect(percentsOf(second)[0]).toBe(51.268);
      expect(lastLineOf(second)).toMatchObject({ success: true });
    },
  );

  it("stalls until its client disconnects, and resumes at the next request", async () => {
    const switches = { downloadTrouble: { atPercent: 80, kind: "stalls" } } as const;
    await using simulator = await startService({ models: MODELS, switches });
    const first = await download(simulator.url, BODY, { leaveAfterChunks: 18 });
    expect(percentsOf(first).at(-1)).toBe(76.268);
    const second = await untilAllowed(() => download(simulator.url));
    expect(percentsOf(second)[0]).toBe(81.268);
    expect(simulator.models[0]?.downloaded).toBe(true);
  });

  it("applies the faults of streams to its lines", async () => {
    await using simulator = await startService({ models: MODELS });
    simulator.addFault({ kind: "close-after", events: 4, on: { path: "/openai/download" } });
    expect(percentsOf(await download(simulator.url))).toHaveLength(4);
    await simulator.waitFor((s) => s.models.every((model) => model.downloaded));
  });

  it("may split its last line into several chunks, or omit it", async () => {
    await using split = await startService({
      models: MODELS,
      switches: { downloadEndSplit: true },
    });
    const answer = await download(split.url);
    expect(answer.chunks.slice(-3)).toEqual(["{", '"success', '":true,"error":null}']);
    await using none = await startService({ models: MODELS, switches: { downloadEnd: "none" } });
    expect((await download(none.url)).chunks.at(-1)).toMatch(/^Total 100.000%/);
  });

  it("reports no progress unless IgnorePipeReport is true", async () => {
    await using simulator = await startService({ models: MODELS });
    const answer = await download(simulator.url, { model: BODY.model });
    expect(answer.chunks).toEqual(['{"success":true,"error":null}']);
  });

  it("accepts only models of its catalog, with the provider as the catalog spells it", async () => {
    await using simulator = await startService({ models: MODELS });
    const other = { ...BODY.model, Name: "other:1", Uri: "azureml://other" };
    const unknown = await download(simulator.url, { ...BODY, model: other });
    expect(lastLineOf(unknown)).toMatchObject({ success: false });
    const model = { ...BODY.model, ProviderType: "AzureFoundry" };
    expect((await download(simulator.url, { ...BODY, model })).status).toBe(400);
  });

  it("ends with the process, and keeps the part that was downloaded", async () => {
    await using simulator = await startService(SLOW);
    const cut = download(simulator.url);
    await simulator.waitFor((s) => s.requests.length === 1);
    await simulator.stop();
    await cut;
    await simulator.start();
    expect(simulator.models[0]?.downloaded).toBe(false);
    expect(lastLineOf(await untilAllowed(() => download(simulator.url)))).toMatchObject({
      success: true,
    });
  });
});

/** A download ends shortly after its client has gone. */
async function untilAllowed(ask: () => Promise<RawResponse>): Promise<RawResponse> {
  for (;;) {
    const answer = await ask();
    if (!answer.chunks.join("").includes("already")) return answer;
  }
}
