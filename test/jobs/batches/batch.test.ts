import { describe, expect, it } from "vitest";
import { type BatchResult, hasEnded } from "../../../src/jobs/index.js";
import { FOREVER, MODEL, talker } from "../fixtures.js";

const prompts = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ prompt: `Item ${index}.` }));

/** Repeats its prompt; a longer one takes longer. */
const echo = ({ text }: { readonly text: string }) => ({ text });

async function all(results: AsyncIterable<BatchResult>): Promise<BatchResult[]> {
  const come: BatchResult[] = [];
  for await (const result of results) come.push(result);
  return come;
}

describe("a batch as an iterable", () => {
  it("stops at once when it is aborted, although its reader is busy", async () => {
    const { client, service } = await talker(
      ({ text }: { readonly text: string }) => (text === "Item 0." ? { text } : FOREVER),
      { tokensPerSecond: 50 },
      { concurrency: 2 },
    );
    const stopping = new AbortController();
    const results = client.completeBatch(prompts(2), { signal: stopping.signal });
    await results.next();
    await expect.poll(() => service.generating).toBe(1);
    stopping.abort();
    await expect.poll(() => service.generating).toBe(0);
    await expect(results.next()).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("ends when its reader leaves, although it waits for a result", async () => {
    const { client, service } = await talker(FOREVER, { tokensPerSecond: 50 });
    const results = client.completeBatch(prompts(1));
    const next = results.next();
    await expect.poll(() => service.generating).toBe(1);
    expect(await results.return?.()).toEqual({ done: true, value: undefined });
    expect(await next).toEqual({ done: true, value: undefined });
    await expect.poll(() => service.generating).toBe(0);
  });

  it("returns each result once, in the order of their ends", async () => {
    const script = ({ text }: { readonly text: string }) =>
      text === "Item 0." ? FOREVER : { text };
    const { client, completions } = await talker(script, {}, { concurrency: 2 });
    const come: BatchResult[] = [];
    for await (const result of client.completeBatch(prompts(3))) {
      come.push(result);
      const [first] = completions.list().filter(({ status }) => status === "running");
      if (come.length === 2) await completions.cancel(first?.id ?? "");
    }
    expect(come.map(({ index, state }) => [index, state.status])).toEqual([
      [1, "completed"],
      [2, "completed"],
      [0, "cancelled"],
    ]);
    expect(come.slice(0, 2).map(({ state }) => state.text)).toEqual(["Item 1.", "Item 2."]);
  });

  it("lets an invalid item fail alone, and keeps the text of one whose model fails", async () => {
    const script = ({ text }: { readonly text: string }) =>
      text === "Fail." ? { text: "I was about to say it.", failAfterTokens: 3 } : { text };
    const { client, chats } = await talker(script);
    const tool = { function: { name: "f", parameters: { minProperties: 5n } } };
    const requests = [
      { prompt: "Good." },
      { prompt: "" },
      {},
      { prompt: "Fail." },
      { prompt: "No JSON.", tools: [tool] },
    ];
    const come = await all(client.completeBatch(requests));
    const byIndex = [...come].sort((a, b) => a.index - b.index).map(({ state }) => state);
    expect(byIndex).toMatchObject([
      { status: "completed", text: "Good.", error: null },
      { status: "failed", text: "", error: { code: "INVALID_ARGUMENT" } },
      { status: "failed", text: "", error: { code: "INVALID_ARGUMENT" } },
      {
        status: "interrupted",
        text: expect.stringMatching(/^I was/),
        error: { code: "INFERENCE_FAILED" },
      },
      { status: "failed", text: "", error: { code: "INVALID_ARGUMENT" } },
    ]);
    expect(chats()).toHaveLength(2);
  });

  it("is refused as a whole when it is empty, too large, or its concurrency is invalid", async () => {
    const { client, chats } = await talker({ text: "Yes." });
    const refused = expect.objectContaining({ code: "INVALID_ARGUMENT" });
    expect(() => client.completeBatch([])).toThrowError(refused);
    expect(() => client.completeBatch(prompts(501))).toThrowError(refused);
    expect(() => client.completeBatch(prompts(1), { concurrency: 0 })).toThrowError(refused);
    expect(chats()).toEqual([]);
  });

  it("runs at most `concurrency` items at a time, although there are more places", async () => {
    /** For each item, how many others run when it starts. */
    const others: number[] = [];
    const script = ({ text }: { readonly text: string }) => {
      others.push(service.generating);
      return others.length <= 2 ? FOREVER : { text };
    };
    const { client, completions, service } = await talker(script, {}, { concurrency: 4 });
    const come = all(client.completeBatch(prompts(12), { concurrency: 2 }));
    await expect.poll(() => service.generating).toBe(2);
    for (const { id, status } of completions.list()) {
      if (status === "running") await completions.cancel(id);
    }
    expect(await come).toHaveLength(12);
    expect(Math.max(...others)).toBe(1);
  });

  it("cancels the rest when its reader leaves, without further requests", async () => {
    const { client, chats, completions } = await talker(echo, { tokensPerSecond: 100 });
    for await (const { index } of client.completeBatch(prompts(50))) {
      if (index === 2) break;
    }
    const asked = chats().length;
    expect(asked).toBeLessThan(6);
    expect(completions.list().filter(({ status }) => status === "cancelled").length).toBe(47);
    expect(completions.queue).toEqual({ running: 0, waiting: 0 });
    await client.complete({ prompt: "And now?" });
    expect(chats()).toHaveLength(asked + 1);
  });

  it("ends with CANCELLED when its signal is aborted, and stops running items", async () => {
    const { client, service } = await talker(FOREVER, { tokensPerSecond: 100 });
    const leaving = new AbortController();
    const requests = prompts(5).map((request) => ({ ...request, maxTokens: 3000 }));
    const come = all(client.completeBatch(requests, { signal: leaving.signal }));
    await service.waitFor(({ generating }) => generating > 0);
    leaving.abort();
    await expect(come).rejects.toMatchObject({ code: "CANCELLED" });
    await service.waitFor(({ generating }) => generating === 0);
  });

  it("ends with the client, with an error for each item", async () => {
    const { client, service } = await talker(FOREVER, { tokensPerSecond: 100 });
    const requests = prompts(5).map((request) => ({ ...request, maxTokens: 3000 }));
    const come = all(client.completeBatch(requests));
    await service.waitFor(({ generating }) => generating > 0);
    await client.close();
    const codes = (await come).map(({ state }) => state.error?.code);
    expect(codes).toEqual(Array.from({ length: 5 }, () => "CLIENT_CLOSED"));
  });

  it("is refused while the client closes, also where too many batches are in progress", async () => {
    const { client } = await talker(FOREVER, { tokensPerSecond: 100 });
    for (let begun = 0; begun < 20; begun += 1) client.batches.start(prompts(1));
    expect(() => client.batches.start(prompts(1))).toThrow("Too many batches");
    const closing = client.close();
    expect(() => client.batches.start(prompts(1))).toThrow("The client was closed.");
    await closing;
  });
});

describe("the items of a batch", () => {
  it("are completions from the beginning, which can be found, awaited and cancelled one by one", async () => {
    const { client, completions, chats } = await talker(echo, { tokensPerSecond: 50 });
    const batch = client.batches.start(prompts(10));
    const ids = batch.pending;
    expect(completions.get(ids[9] ?? "")).toMatchObject({ status: "queued", batchId: batch.id });
    const { state, deviceBusy } = await completions.cancel(ids[8] ?? "");
    expect({ status: state.status, deviceBusy }).toEqual({
      status: "cancelled",
      deviceBusy: false,
    });
    expect(await completions.wait(ids[9] ?? "")).toMatchObject({ text: "Item 9." });
    expect(batch.counts()).toMatchObject({ completed: 9, cancelled: 1 });
    expect(chats()).toHaveLength(9);
  });

  it("wait outside of the queue as small records, not as prepared requests", async () => {
    const { client, service, completions } = await talker(FOREVER, { tokensPerSecond: 50 });
    const batch = client.batches.start(prompts(500));
    await service.waitFor(({ generating }) => generating === 1);
    const places = completions.list().filter(({ place }) => place !== null);
    expect(places.length).toBeLessThanOrEqual(1);
    expect(completions.queue).toEqual({ running: 1, waiting: 0 });
    expect(batch.counts()).toMatchObject({ queued: 499, running: 1 });
    await batch.cancel();
    expect(batch.counts()).toMatchObject({ cancelled: 500 });
  });

  it("are not shared with identical requests", async () => {
    const { client, completions, chats } = await talker(echo, { tokensPerSecond: 100 });
    const request = { prompt: "Same.", temperature: 0 };
    const batch = client.batches.start([request, request]);
    const { state, joined } = completions.start(request);
    await completions.wait(state.id);
    await batch.wait({
      withinMs: 150_000,
      signal: new AbortController().signal,
      isEnough: () => false,
    });
    expect(joined).toBe(false);
    expect(chats()).toHaveLength(3);
  });

  it("are pinned until they are returned, however many there are, and then kept as others are", async () => {
    const { client, completions } = await talker(echo, {}, { concurrency: 4 });
    const batch = client.batches.start(prompts(205));
    const signal = new AbortController().signal;
    await batch.wait({ withinMs: 150_000, signal, isEnough: () => false });
    const texts = [...batch.ready()].map(({ state }) => state.text);
    expect(texts).toEqual(prompts(205).map(({ prompt }) => prompt));
    for (let index = 0; index < 205; index += 1) {
      batch.take(index);
      batch.returned(index);
    }
    expect(completions.list()).toHaveLength(200);
    expect([...batch.ready()]).toEqual([]);
    expect(batch.counts()).toMatchObject({ completed: 205 });
  });

  it("of a forgotten batch are kept as any other", async () => {
    const { client, completions } = await talker(echo, {}, { concurrency: 4 });
    const batch = client.batches.start(prompts(201));
    const signal = new AbortController().signal;
    await batch.wait({ withinMs: 150_000, signal, isEnough: () => false });
    client.batches.forget(batch);
    expect(completions.list()).toHaveLength(200);
  });

  it("have a model set by the batch, and report its id", async () => {
    const { client } = await talker(echo);
    const [result] = await all(client.completeBatch([{ prompt: "Hi.", model: "talker" }]));
    expect(result?.state.model).toBe(MODEL);
    expect(result !== undefined && hasEnded(result.state)).toBe(true);
  });
});
