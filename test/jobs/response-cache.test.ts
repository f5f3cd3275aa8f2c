import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Completion, CompletionRequest } from "../../src/foundry/index.js";
import { ResponseCache, type ResponseCacheOptions } from "../../src/jobs/response-cache.js";
import { clientOf, roomyMachine, simulate } from "../foundry/fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";
import { FOREVER, MODEL, talker } from "./fixtures.js";

const TOOLS = [{ type: "function" as const, function: { name: "weather" } }];
const SERVICE = "core-2 2.1 or later";

const completionOf = (more: Partial<Completion>): Completion => ({
  id: "c-abcdef-1",
  status: "completed",
  text: "Hello.",
  reasoning: null,
  finishReason: "stop",
  model: MODEL,
  usage: { inputTokens: 3, outputTokens: 2, estimated: false },
  timing: { queuedMs: 0, loadMs: 0, firstTokenMs: 1, totalMs: 2, tokensPerSecond: null },
  attempts: 1,
  cached: false,
  warnings: [],
  ...more,
});

const requests = fc.record(
  {
    prompt: fc.constantFrom("a", "b", "c"),
    temperature: fc.constantFrom(0, 1),
    seed: fc.constantFrom(0, 7),
    maxTokens: fc.constantFrom(10, 20),
  },
  { requiredKeys: ["prompt"] },
);

const completions = fc
  .record({
    status: fc.constantFrom<Completion["status"]>(
      "completed",
      "completed",
      "interrupted",
      "cancelled",
      "failed",
    ),
    finishReason: fc.constantFrom<Completion["finishReason"]>(
      "stop",
      "stop",
      "length",
      "content_filter",
      "tool_calls",
      null,
    ),
    text: fc.oneof(fc.string({ maxLength: 300 }), fc.constant(" \n")),
    reasoning: fc.oneof(fc.constant(null), fc.string({ maxLength: 300 })),
    model: fc.constantFrom(MODEL, MODEL, "other:1"),
    cached: fc.constantFrom(false, false, true),
    warnings: fc.array(fc.string({ maxLength: 20 }), { maxLength: 2 }),
  })
  .map(completionOf);

const isWhole = ({ status, finishReason, text, cached }: Completion): boolean =>
  status === "completed" && finishReason === "stop" && text.trim() !== "" && !cached;

const isRepeatable = ({ temperature, seed }: CompletionRequest): boolean =>
  temperature === 0 || seed !== undefined;

/** Where answers are kept, and for how many random sequences the property is checked: files are slow. */
const PLACES = [
  { place: "in memory", folderOf: async () => undefined, numRuns: 400 },
  { place: "on disk", folderOf: () => temporaryFolder("answers-"), numRuns: 50 },
] as const;

describe.each(PLACES)("the cache of answers $place", ({ folderOf, numRuns }) => {
  const cacheWith = async (
    options: Omit<ResponseCacheOptions, "now">,
    now: () => number = () => 1_000_000,
  ) => new ResponseCache({ ...options, folder: await folderOf(), now });

  it("returns the latest answer stored for a request, only complete ones, and stays within its bounds", async () => {
    const step = fc.record({
      request: requests,
      completion: completions,
      service: fc.constantFrom(SERVICE, "core-1 null"),
      passMs: fc.integer({ min: 0, max: 100_000 }),
    });
    const bounds = fc.record({
      entries: fc.integer({ min: 1, max: 8 }),
      mostBytes: fc.integer({ min: 600, max: 6000 }),
    });
    const steps = fc.array(step, { maxLength: 40 });
    const property = fc.asyncProperty(bounds, steps, async (limits, taken) => {
      let time = 1_000_000;
      const cache = await cacheWith(limits, () => time);
      const stored = new Map<string, { readonly answer: Completion; readonly at: number }>();
      for (const { request, completion, service, passMs } of taken) {
        time += passMs;
        const slot = cache.slotOf(request);
        expect(slot !== null).toBe(isRepeatable(request));
        if (slot === null) continue;
        const key = JSON.stringify([Object.entries(request).sort(), service]);
        const found = await slot.find(MODEL, service);
        const expected = stored.get(key);
        if (found !== null) {
          if (expected === undefined) throw new Error("found, though nothing was stored");
          const { text, reasoning, finishReason, usage, warnings } = expected.answer;
          const answer = { text, reasoning, finishReason, usage, warnings };
          expect(found).toEqual({ ...answer, ageMs: time - expected.at });
        }
        if (isWhole(completion) && completion.model === MODEL) {
          stored.set(key, { answer: completion, at: time });
        }
        slot.keep(completion, []);
        const { entries, bytes } = await cache.size();
        expect(entries).toBeLessThanOrEqual(limits.entries);
        expect(bytes).toBeLessThanOrEqual(limits.mostBytes);
      }
    });
    await fc.assert(property, { numRuns, seed: 14 });
  });

  it.each<[string, Partial<CompletionRequest>, Partial<CompletionRequest>]>([
    ["the system text", { system: "a" }, { system: "b" }],
    ["the temperature", { temperature: 0 }, { temperature: 1 }],
    ["the seed", { seed: 1 }, { seed: 2 }],
    ["top_p", { topP: 0.5 }, {}],
    ["the limit of tokens", { maxTokens: 1 }, { maxTokens: 2 }],
    ["the stop strings", { stop: ["a"] }, { stop: ["a", "b"] }],
    ["the thinking", { reasoning: "omit" }, { reasoning: "off" }],
    ["the budget for thinking", { reasoningBudget: 10 }, { reasoningBudget: 20 }],
    ["the schema", { schema: { type: "object" } }, { schema: { type: "array" } }],
    ["the tools", { tools: TOOLS }, {}],
    ["the choice of tools", { tools: TOOLS, toolChoice: "none" }, { tools: TOOLS }],
  ])("distinguishes requests by %s", async (_what, one, other) => {
    const cache = await cacheWith({ entries: 10 });
    const slotOf = async (more: Partial<CompletionRequest>) => {
      const slot = cache.slotOf({ prompt: "a", seed: 7, ...more });
      return { found: await slot?.find(MODEL, SERVICE), slot };
    };
    (await slotOf(one)).slot?.keep(completionOf({}), []);
    expect((await slotOf(other)).found).toBeNull();
    expect((await slotOf(one)).found).toMatchObject({ text: "Hello." });
  });

  it("returns no answer of another model or of another version of the service", async () => {
    const slot = (await cacheWith({ entries: 10 })).slotOf({ prompt: "a", seed: 7 });
    await slot?.find(MODEL, SERVICE);
    slot?.keep(completionOf({}), []);
    expect(await slot?.find("other:1", SERVICE)).toBeNull();
    expect(await slot?.find(MODEL, "core-2 2.2")).toBeNull();
    expect(await slot?.find(MODEL, SERVICE)).not.toBeNull();
  });

  it("evicts the answer that was used least recently", async () => {
    const cache = await cacheWith({ entries: 2 });
    const slot = async (prompt: string) => {
      const found = cache.slotOf({ prompt, temperature: 0 });
      if (found === null) throw new Error("no slot");
      return {
        found: await found.find(MODEL, SERVICE),
        keep: (text: string) => found.keep(completionOf({ text }), []),
      };
    };
    (await slot("a")).keep("A");
    (await slot("b")).keep("B");
    expect((await slot("a")).found).toMatchObject({ text: "A" });
    (await slot("c")).keep("C");
    // Until an answer is written to disk, the cache has it in addition to the written ones.
    expect((await cache.size()).entries).toBe(2);
    expect((await slot("b")).found).toBeNull();
    expect((await slot("a")).found).toMatchObject({ text: "A" });
  });

  it("stores no answer that is larger than its limit of bytes", async () => {
    const cache = await cacheWith({ entries: 10, mostBytes: 1000 });
    const slot = cache.slotOf({ prompt: "a", seed: 1 });
    await slot?.find(MODEL, SERVICE);
    slot?.keep(completionOf({ text: "x".repeat(1000) }), []);
    expect((await cache.size()).entries).toBe(0);
  });
});

describe("a client with a cache", () => {
  const ASKED = { prompt: "Why?", temperature: 0 };

  it("answers an identical request from the cache, with the answer's age and without a request", async () => {
    const { client, chats } = await talker({ text: "It is blue." }, {}, { cache: 10 });
    const first = await client.complete(ASKED);
    const second = await client.complete(ASKED);

    expect(first).toMatchObject({ cached: false, text: "It is blue.", attempts: 1 });
    expect(first.cacheAgeMs).toBeUndefined();
    expect(second).toMatchObject({
      status: "completed",
      cached: true,
      cacheAgeMs: expect.any(Number),
      text: first.text,
      usage: first.usage,
      finishReason: "stop",
      model: MODEL,
      attempts: 0,
    });
    expect(second.id).not.toBe(first.id);
    expect(chats()).toHaveLength(1);
    const { totals, cache } = await client.healthCheck();
    expect(cache).toEqual({ entries: 1, hits: 1 });
    expect(totals).toMatchObject({ completed: 2, outputTokens: first.usage.outputTokens });
  });

  it("streams a cached answer like any other", async () => {
    const { client } = await talker({ text: "It is blue." }, {}, { cache: 10 });
    await client.complete(ASKED);
    const types: string[] = [];
    let text = "";
    for await (const event of client.streamComplete(ASKED)) {
      types.push(event.type);
      if (event.type === "text") text += event.text;
    }
    expect({ types, text }).toEqual({ types: ["text", "completed"], text: "It is blue." });
  });

  it("uses it for completions that outlive their call, and for batches", async () => {
    const { client, completions, chats } = await talker({ text: "Yes." }, {}, { cache: 10 });
    await client.complete(ASKED);
    const { id } = completions.start(ASKED).state;
    expect(await completions.wait(id)).toMatchObject({ cached: true, text: "Yes." });
    for await (const { state } of client.completeBatch([ASKED, ASKED])) {
      expect(state).toMatchObject({ cached: true, text: "Yes." });
    }
    expect(chats()).toHaveLength(1);
  });

  it("returns a cached answer while the model is busy and the rate limit is reached", async () => {
    const script = ({ text }: { readonly text: string }) =>
      text === "Go" ? FOREVER : { text: "Yes." };
    const { client, service } = await talker(
      script,
      { tokensPerSecond: 50 },
      { cache: 10, rateLimit: 60_000 },
    );
    await client.complete(ASKED);
    client.completions.start({ prompt: "Go", maxTokens: 3000 });
    await service.waitFor(({ generating }) => generating > 0);
    expect(await client.complete(ASKED)).toMatchObject({ cached: true });
  });

  it("returns the value of a schema as a new object each time", async () => {
    const { client } = await talker({ text: '{"city":"Oslo"}' }, {}, { cache: 10 });
    const request = { ...ASKED, schema: { type: "object" } };
    const first = await client.complete(request);
    const second = await client.complete(request);
    expect(second).toMatchObject({ cached: true, data: { city: "Oslo" }, method: first.method });
    expect(first.method).toBeDefined();
    expect(second.data).not.toBe(first.data);
  });

  it("stores no warning about the choice of a model, as the next call may name one", async () => {
    const models = [MODEL, "other-generic-cpu:1"].map((id) => ({
      id,
      loaded: true,
      script: { text: "Yes." },
    }));
    const { client } = await talker({}, { models }, { cache: 10 });
    const { model, warnings } = await client.complete(ASKED);
    if (model === null) throw new Error("no model");
    expect(warnings).toHaveLength(1);
    expect(await client.complete({ ...ASKED, model })).toMatchObject({
      cached: true,
      warnings: [],
    });
    expect(await client.complete(ASKED)).toMatchObject({ cached: true, warnings });
  });

  it("stores no warning about the load of the model, which the next call does not need", async () => {
    const service = await simulate({ models: [{ id: MODEL, sizeMb: 900 }] });
    const memory = () => ({ totalMb: 2000, freeMb: 1000, isExact: true });
    const client = clientOf(service.url, { cache: 10 }, { ...roomyMachine(), memory });
    const request = { ...ASKED, model: MODEL };
    const { warnings } = await client.complete(request);
    expect(warnings).toEqual([expect.stringContaining("Memory is tight")]);
    expect(await client.complete(request)).toMatchObject({ cached: true, warnings: [] });
  });

  it.each([
    ["at another temperature", { prompt: "Why?", temperature: 0.1 }, {}],
    ["without temperature and seed", { prompt: "Why?" }, {}],
    ["with `cache: false`", ASKED, { cache: false }],
  ])("does not use it %s", async (_what, request, options) => {
    const { client, chats } = await talker({ text: "Yes." }, {}, { cache: 10 });
    const cached = [];
    for (let call = 0; call < 2; call += 1) {
      cached.push((await client.complete(request, options)).cached);
    }
    expect(cached).toEqual([false, false]);
    expect(chats()).toHaveLength(2);
    expect((await client.healthCheck()).cache).toEqual({ entries: 0, hits: 0 });
  });

  it.each([
    ["with a seed", { prompt: "Why?", seed: 7 }, 1],
    ["with another prompt", { prompt: "What?", temperature: 0 }, 2],
    ["with another limit of tokens", { ...ASKED, maxTokens: 99 }, 2],
  ])("compares the whole request: %s", async (_what, request, chatsThen) => {
    const { client, chats } = await talker({ text: "Yes." }, {}, { cache: 10 });
    await client.complete(chatsThen === 1 ? request : ASKED);
    await client.complete(request);
    expect(chats()).toHaveLength(chatsThen);
  });

  it.each([
    [
      "cut at its token limit",
      { text: "One two three four five six." },
      { ...ASKED, maxTokens: 2 },
    ],
    ["broken off", { text: "A long story.", failAfterTokens: 2 }, ASKED],
    ["empty", { text: "" }, ASKED],
    [
      "a call of a tool",
      { text: 'Well: <tool_call>{"name":"weather","arguments":{}}</tool_call>' },
      { ...ASKED, tools: TOOLS },
    ],
  ])("stores no answer that was %s", async (_what, script, request) => {
    const { client, chats } = await talker(script, {}, { cache: 10 });
    for (let call = 0; call < 2; call += 1) await client.complete(request).catch(() => {});
    expect(chats()).toHaveLength(2);
    expect((await client.healthCheck()).cache).toEqual({ entries: 0, hits: 0 });
  });

  it("stores no answer whose reader left", async () => {
    const { client } = await talker(FOREVER, { tokensPerSecond: 50 }, { cache: 10 });
    for await (const event of client.streamComplete({ ...ASKED, maxTokens: 3000 })) {
      if (event.type === "text") break;
    }
    expect((await client.healthCheck()).cache).toEqual({ entries: 0, hits: 0 });
  });

  it("distinguishes answers of engines that use the same name for a model", async () => {
    const cacheFolder = await temporaryFolder("answers");
    const answerOf = async (text: string): Promise<Completion> => {
      const models = [{ id: "assistant:1", script: { text } }];
      const { url } = await simulate({ dialect: "openai", models });
      const client = clientOf(url, { cacheFolder });
      return client.complete({ ...ASKED, model: "assistant:1" });
    };
    expect(await answerOf("Of one.")).toMatchObject({ text: "Of one.", cached: false });
    expect(await answerOf("Of another.")).toMatchObject({ text: "Of another.", cached: false });
  });

  it("has no cache by default", async () => {
    const { client, chats } = await talker({ text: "Yes." });
    await client.complete(ASKED);
    expect(await client.complete(ASKED)).toMatchObject({ cached: false });
    expect(chats()).toHaveLength(2);
    expect((await client.healthCheck()).cache).toBeNull();
  });
});
