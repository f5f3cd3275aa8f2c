import type { SimulatorOptions } from "foundry-local-simulator";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { FoundryClientOptions } from "../../src/jobs/index.js";
import type { Kept } from "../../src/keeper/index.js";
import type { CallPolicy } from "../../src/mcp/backend.js";
import { connectedHost, simulatedService, textOf } from "./host.js";

const echo = ({ text }: { readonly text: string }) => ({ text });
const FOREVER = { text: "On and on. ", forever: true };
const prompts = (count: number) => Array.from({ length: count }, (_, index) => `Item ${index}.`);

const nested = (depth: number): unknown[] => {
  let lists: unknown[] = [];
  for (let level = 0; level < depth; level++) lists = [lists];
  return lists;
};

const answerSchema = z.looseObject({
  batch_id: z.string(),
  results: z.array(
    z.looseObject({
      index: z.number(),
      completion_id: z.string(),
      status: z.string(),
      text: z.string(),
      next_from: z.number().optional(),
      error: z.looseObject({ code: z.string(), retryable: z.boolean() }).optional(),
    }),
  ),
  counts: z.record(z.string(), z.number()),
  pending: z.array(z.string()),
  next: z.string().nullable(),
  notes: z.array(z.string()),
});

interface Setting {
  readonly kept?: Partial<Kept>;
  readonly simulator?: SimulatorOptions;
  readonly client?: FoundryClientOptions;
  readonly policy?: CallPolicy;
  readonly contextLength?: number;
}

/** A host in front of a service whose one model follows a script. */
async function hostOf(script: object, setting: Setting = {}) {
  const { simulator = {}, client = {}, policy, contextLength = 4096, kept } = setting;
  const models = [{ id: "talker-generic-cpu:1", loaded: true, script, contextLength }];
  const service = await simulatedService({ models, ...simulator });
  const options = { endpoint: service.url, retry: { retries: 0 }, ...client };
  const connected = await connectedHost(options, policy, [], kept);
  await connected.host.listTools();
  const call = (given: Record<string, unknown>) =>
    connected.host.callTool({ name: "complete_batch", arguments: given });
  const batch = async (given: Record<string, unknown>) => {
    const answer = await call(given);
    return { text: textOf(answer), ...answerSchema.parse(answer.structuredContent) };
  };
  const chats = () => service.requests.filter(({ path }) => path === "/v1/chat/completions");
  return { ...connected, service, call, batch, chats };
}

/** A long text in few tokens: these tests check its length, not its tokens. */
const inPieces = (text: string) => ({ tokens: text.match(/.{1,1000}/gs) ?? [] });

describe("complete_batch", () => {
  it("returns all results in the order of the input when they end in time", async () => {
    const { batch, chats } = await hostOf(echo);
    const answer = await batch({ prompts: prompts(12), max_tokens: 50, system: "Be brief." });
    expect(answer.results.map(({ index, text }) => [index, text])).toEqual(
      prompts(12).map((prompt, index) => [index, prompt]),
    );
    expect(answer.counts).toEqual({ completed: 12 });
    expect(answer.pending).toEqual([]);
    expect(answer.next).toBeNull();
    expect(answer.text).toMatch(
      /^Batch ".+": 12 of 12 done\. All results have been returned\.\n\n\[0\]\nItem 0\./,
    );
    expect(chats()[0]?.body).toMatchObject({ messages: [{ content: "Be brief." }, {}] });
  });

  it("accepts whole requests, whose settings take precedence over shared ones", async () => {
    const { batch, chats } = await hostOf(echo, { client: { concurrency: 1 } });
    const messages = [{ role: "user", content: "Two." }];
    await batch({
      requests: [{ prompt: "One." }, { messages, max_tokens: 7 }],
      max_tokens: 50,
      temperature: 0,
    });
    expect(chats().map(({ body }) => body)).toMatchObject([
      { max_tokens: 50, temperature: 0, messages: [{ content: "One." }] },
      { max_tokens: 7, temperature: 0, messages: [{ content: "Two." }] },
    ]);
  });

  it("lets an invalid item fail alone, with an error about this item", async () => {
    const { batch, chats } = await hostOf(echo);
    const answer = await batch({
      requests: [{ prompt: "Good." }, { prompt: "" }, "text", { prompt: "x", modle: "m" }, {}],
    });
    expect(answer.results.map(({ status }) => status)).toEqual([
      "completed",
      ...Array.from({ length: 4 }, () => "failed"),
    ]);
    const { error } = answer.results[3] ?? {};
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", retryable: false });
    expect(String(error?.["message"])).toContain('"modle"');
    expect(answer.text).toContain("5 of 5 done, 4 failed");
    expect(chats()).toHaveLength(1);
    const texts = await batch({ prompts: ["Good.", 5, null] });
    expect(texts.counts).toMatchObject({ completed: 1, failed: 2 });
  });

  it.each<[string, unknown]>([
    ["deep lists", nested(20_000)],
    ["a prompt of deep lists", { prompt: nested(20_000) }],
    ["a message with deep content", { messages: [{ role: "user", content: nested(20_000) }] }],
    ["a misspelt setting that is deep", { prompt: "x", promtp: nested(20_000) }],
    ["many unknown settings", Object.fromEntries(prompts(20_000).map((name) => [name, 1]))],
    ["more messages than may be", { messages: prompts(20_000) }],
    ["many odd messages", { messages: prompts(9000) }],
    ["a list", []],
    ["a number", 5],
    ["null", null],
  ])("lets an item of %s fail alone, in few words", async (_, item) => {
    const { batch } = await hostOf(echo);
    const answer = await batch({ requests: [{ prompt: "Good." }, item, { prompt: "Fine." }] });
    expect(answer.results.map(({ status }) => status)).toEqual([
      "completed",
      "failed",
      "completed",
    ]);
    expect(answer.results[1]?.error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(JSON.stringify(answer).length).toBeLessThan(8000);
  });

  it("ignores a long unknown setting of an item, with a short warning", async () => {
    const { batch } = await hostOf(echo);
    const item = { prompt: "Good.", ["x".repeat(1_000_000)]: 1 };
    const answer = await batch({ requests: [item, item] });
    expect(answer.counts).toMatchObject({ completed: 2 });
    expect(String(answer.notes)).toContain('Unknown arguments were ignored: "xxx');
    expect(JSON.stringify(answer).length).toBeLessThan(3000);
  });

  it("names the arguments that have no effect beside batch_id", async () => {
    const { batch } = await hostOf(echo);
    await batch({ prompts: ["Good."], batch_id: "b", max_tokens: 50 });
    const words =
      "The batch already exists, so these arguments were ignored: model, max_tokens. Give them with prompts or requests to start a new batch.";
    const settings = { max_tokens: 7, model: "talker" };
    for (const call of [{}, { cancel: true }]) {
      const answer = await batch({ batch_id: "b", reply_within: 5, ...settings, ...call });
      expect(answer.notes).toEqual([words]);
    }
    expect(await batch({ batch_id: "b" })).toMatchObject({ notes: [] });
  });

  it.each([
    ["501 prompts", { prompts: prompts(501) }, "1 to 500"],
    ["501 requests", { requests: prompts(501).map((prompt) => ({ prompt })) }, "1 to 500"],
    ["both kinds", { prompts: ["a"], requests: [{ prompt: "a" }] }, "Both prompts and requests"],
    ["an unfit setting", { prompts: ["a"], temperature: 9 }, "temperature"],
    ["an unfit name", { prompts: ["a"], batch_id: "no spaces" }, "batch_id"],
    ["a long name", { prompts: ["a"], batch_id: "x".repeat(65) }, "batch_id"],
    ["a cancellation of nothing", { cancel: true }, "batch_id"],
    ["too long a wait", { prompts: ["a"], reply_within: 3601 }, "reply_within"],
  ])("is refused as a whole: %s", async (_what, given, named) => {
    const { call, chats } = await hostOf(echo);
    const answer = await call(given);
    expect(answer.isError).toBe(true);
    expect(textOf(answer)).toMatch(/^INVALID_ARGUMENT: /);
    expect(textOf(answer)).toContain(named);
    expect(chats()).toEqual([]);
  });

  it.each([{}, { prompts: [] }, { prompts: [], requests: [], batch_id: "", cancel: false }])(
    "reports what to give where no item was given: %j",
    async (given) => {
      const { call, chats } = await hostOf(echo);
      const next = "Give prompts or requests to start a batch, or batch_id to continue one.";
      const answer = await call(given);
      expect(answer).toMatchObject({ content: [{ type: "text", text: next }] });
      expect(answer.structuredContent).toEqual({ next, notes: [], results: [], pending: [] });
      expect(chats()).toEqual([]);
    },
  );

  it("prefers a conversation to a prompt, and treats empty values as absent, in an item", async () => {
    const { batch, chats } = await hostOf(echo, { client: { concurrency: 1 } });
    const messages = [
      { role: "user", content: "One." },
      { role: "assistant", content: "Two." },
    ];
    const requests = [{ prompt: "Three.", messages, model: "", stop: [], max_tokens: 0 }];
    await batch({ prompts: [], requests, batch_id: "", cancel: false, max_tokens: 50 });
    expect(chats()[0]?.body).toMatchObject({
      max_tokens: 50,
      messages: [{ content: "One." }, { content: "Two." }, { role: "user", content: "Three." }],
    });
  });

  it("returns at once with reply_within 0, and continues with the batch_id alone", async () => {
    const { batch, chats } = await hostOf(echo, {
      simulator: { tokensPerSecond: 100 },
      client: { concurrency: 1 },
    });
    const first = await batch({ prompts: prompts(5), reply_within: 0 });
    expect(first.results).toEqual([]);
    expect(first.pending).toHaveLength(5);
    expect(first.text).toMatch(
      /^Not finished: batch ".+", 0 of 5 done\. 5 results are still to come/,
    );
    expect(first.text).toContain(
      `call complete_batch with batch_id "${first.batch_id}" and nothing else.`,
    );
    expect(first.text).toBe(first.next);
    const second = await batch({ batch_id: first.batch_id });
    expect(second.results.map(({ completion_id }) => completion_id)).toEqual(first.pending);
    const third = await batch({ batch_id: first.batch_id });
    expect(third).toMatchObject({ results: [], pending: [], counts: { completed: 5 } });
    expect(chats()).toHaveLength(5);
  });

  it.each(["Request timed out", "user stopped"])(
    "returns its results again after a call that ended during the handover to the keeper: %s",
    async (reason) => {
      let handovers = 0;
      const answeredBatch = async (): Promise<void> => {
        handovers += 1;
        if (handovers === 1) await new Promise(() => {});
      };
      const { batch, host } = await hostOf(echo, { kept: { answeredBatch } });
      const stopping = new AbortController();
      const given = { prompts: prompts(2), batch_id: "b" };
      const call = host.callTool({ name: "complete_batch", arguments: given }, undefined, {
        signal: stopping.signal,
      });
      const ended = call.catch(() => null);
      await expect.poll(() => handovers).toBe(1);
      stopping.abort(reason);
      await ended;

      const { results } = await batch({ batch_id: "b" });

      expect(results.map(({ index }) => index)).toEqual([0, 1]);
    },
  );

  it("reads on at an offset in a result that was generated again", async () => {
    const seen = new Set<string>();
    const { batch, host } = await hostOf(echo, {
      kept: {
        isRegenerated: (id) => !seen.has(id),
        answeredRegenerated: (id) => void seen.add(id),
      },
    });
    const { results } = await batch({ prompts: prompts(1) });
    const given = { completion_ids: results.map((each) => each.completion_id), from: 5 };
    const answer = await host.callTool({ name: "get_completion", arguments: given });
    expect(answer.structuredContent).toMatchObject({ completions: [{ from: 5, text: "0." }] });
  });

  it("returns more results again than the limit, after a call that ended in the handover", async () => {
    let handovers = 0;
    const answeredBatch = async (): Promise<void> => {
      handovers += 1;
      if (handovers === 1) await new Promise(() => {});
    };
    const { batch, host } = await hostOf(echo, {
      simulator: { tokensPerSecond: Number.POSITIVE_INFINITY },
      kept: { answeredBatch },
    });
    const stopping = new AbortController();
    const given = { prompts: prompts(205), batch_id: "b" };
    const call = host.callTool({ name: "complete_batch", arguments: given }, undefined, {
      signal: stopping.signal,
    });
    const ended = call.catch(() => null);
    await expect.poll(() => handovers).toBe(1);
    stopping.abort("Request timed out");
    await ended;

    const { results } = await batch({ batch_id: "b" });

    expect(results.map(({ status }) => status)).toEqual(results.map(() => "completed"));
    expect(results).toHaveLength(205);
    // After the abort, and with the answer.
    expect(handovers).toBe(3);
  });

  it("includes tool calls in the limit of characters", async () => {
    const city = "x".repeat(10_000);
    const text = JSON.stringify([{ name: "f", arguments: { city } }]);
    const { batch } = await hostOf(() => inPieces(text), { contextLength: 200_000 });
    const tools = [{ type: "function", function: { name: "f" } }];
    const requests = prompts(20).map((prompt) => ({ prompt, tools, tool_choice: "required" }));
    const first = await batch({ requests, max_tokens: 20_000 });
    expect(first.results.length).toBeLessThan(20);
    expect(first.pending.length).toBeGreaterThan(0);
  });

  it("includes the returned part of the thinking in the limit of characters", async () => {
    const tokens = [`<think>${"a thought ".repeat(2000)}</think>`, "Yes."];
    const { batch } = await hostOf({ tokens }, { contextLength: 200_000 });
    const first = await batch({ prompts: prompts(5) });
    expect(first.results.length).toBeLessThanOrEqual(3);
    expect(first.pending.length).toBeGreaterThan(0);
  });

  it("continues under a name set by the caller, also with the same prompts, not with others", async () => {
    const { batch, call, chats } = await hostOf(echo);
    const given = { prompts: prompts(3), batch_id: "my.batch-1", seed: 4 };
    expect((await batch(given)).results).toHaveLength(3);
    expect(await batch(given)).toMatchObject({ batch_id: "my.batch-1", results: [], pending: [] });
    const others = await call({ ...given, prompts: ["Another."] });
    expect(textOf(others)).toMatch(/^INVALID_ARGUMENT: Batch "my.batch-1" already exists/);
    const otherwise = await call({ ...given, seed: 5 });
    expect(otherwise.isError).toBe(true);
    expect(chats()).toHaveLength(3);
  });

  it("explains an id that names no batch", async () => {
    const { batch, call, host } = await hostOf(echo);
    const { results, batch_id } = await batch({ prompts: ["One."], batch_id: "named" });
    const completion = results[0]?.completion_id ?? "";
    const unknown = textOf(await call({ batch_id: "never" }));
    expect(unknown).toMatch(/^COMPLETION_NOT_FOUND: There is no batch "never"/);
    expect(textOf(await call({ batch_id: completion }))).toContain("is the id of a completion");
    expect(textOf(await call({ batch_id: completion, prompts: ["a"] }))).toContain(
      "is the id of a completion",
    );
    expect(textOf(await call({ batch_id: "b-zzzzzz-1" }))).toContain("an earlier run");
    const cancelled = await host.callTool({
      name: "cancel_completion",
      arguments: { completion_id: batch_id },
    });
    expect(textOf(cancelled)).toContain('"named" is the id of a batch, not of a completion');
  });

  it("returns at most 60,000 characters, and the rest with the next calls", async () => {
    const long = `${"word ".repeat(5000)}end.`;
    const { batch } = await hostOf(() => inPieces(long), { contextLength: 200_000 });
    const first = await batch({ prompts: prompts(5), max_tokens: 100_000 });
    expect(first.results.map(({ index }) => index)).toEqual([0, 1]);
    expect(first.pending).toHaveLength(3);
    expect(first.counts["completed"]).toBeGreaterThanOrEqual(2);
    const second = await batch({ batch_id: first.batch_id });
    expect(second.results.map(({ index }) => index)).toEqual([2, 3]);
    const third = await batch({ batch_id: first.batch_id });
    expect(third.results.map(({ text }) => text)).toEqual([long]);
    expect(third.pending).toEqual([]);
  });

  it("cuts a single longer text, and says where to read on", async () => {
    const long = `${"word ".repeat(13_000)}end.`;
    const { batch, host } = await hostOf(() => inPieces(long), { contextLength: 200_000 });
    const { results, next } = await batch({ prompts: ["Go."], max_tokens: 100_000 });
    const [part] = results;
    expect(next).toContain(`["${part?.completion_id}"] and from 60000 to read on`);
    expect(part?.text).toHaveLength(60_000);
    expect(part?.next_from).toBe(60_000);
    const rest = await host.callTool({
      name: "get_completion",
      arguments: { completion_ids: [part?.completion_id], from: part?.next_from },
    });
    const [read] = z
      .looseObject({ completions: z.array(z.looseObject({ text: z.string() })) })
      .parse(rest.structuredContent).completions;
    expect(`${part?.text}${read?.text}`).toBe(long);
  });

  it("reports the number of items as progress", async () => {
    const script = ({ text }: { readonly text: string }) =>
      text === "Item 1." ? { text: "I fail.", failAfterTokens: 1 } : { text };
    const { host } = await hostOf(script, {
      simulator: { tokensPerSecond: 12 },
      client: { concurrency: 1 },
    });
    const told: { progress: number; total?: number | undefined; message?: string | undefined }[] =
      [];
    await host.callTool({ name: "complete_batch", arguments: { prompts: prompts(5) } }, undefined, {
      onprogress: (update) => void told.push(update),
    });
    expect(told.length).toBeGreaterThan(2);
    expect(told.every(({ total }) => total === 5)).toBe(true);
    expect(told.map(({ message }) => message)).toContain("3 of 5 done, 1 failed");
    const numbers = told.map(({ progress }) => progress);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(Math.max(...numbers)).toBeLessThan(6);
  });

  it("names ten of many pending results, and returns all of them", async () => {
    const { batch } = await hostOf(echo, { client: { concurrency: 4 } });
    const first = await batch({ prompts: prompts(30), reply_within: 0 });
    const indexes = new Set(first.results.map(({ index }) => index));
    let { pending, batch_id } = first;
    while (pending.length > 0) {
      const answer = await batch({ batch_id, reply_within: 20 });
      for (const { index } of answer.results) indexes.add(index);
      ({ pending, batch_id } = answer);
    }
    expect(first.pending).toHaveLength(10);
    expect(first.next).toMatch(/30 results are still to come \(pending has the first 10\)/);
    expect(indexes.size).toBe(30);
  });

  it("returns each result of 60 items, every tenth failed, once and in its place over many calls", async () => {
    const script = ({ text }: { readonly text: string }) => {
      const index = Number(/\d+/.exec(text));
      const answer = inPieces(`${text} ${"and-so-on-".repeat(1000)}`);
      return index % 20 === 10 ? { ...answer, failAfterTokens: 5 } : answer;
    };
    const { batch, chats } = await hostOf(script, { client: { concurrency: 4 } });
    const items = prompts(60).map((prompt, index) => (index % 20 === 0 ? "" : prompt));
    let answer = await batch({
      prompts: items,
      batch_id: "big",
      max_tokens: 2000,
      reply_within: 0,
    });
    const results = [...answer.results];
    let calls = 1;
    while (answer.pending.length > 0) {
      answer = await batch({ batch_id: "big", reply_within: 20 });
      const indexes = answer.results.map(({ index }) => index);
      expect(indexes).toEqual([...indexes].sort((a, b) => a - b));
      results.push(...answer.results);
      calls += 1;
    }
    expect(calls).toBeGreaterThanOrEqual(4);
    expect(new Set(results.map(({ index }) => index)).size).toBe(60);
    expect(results).toHaveLength(60);
    for (const { index, status, text, error } of results) {
      if (index % 20 === 0) expect(error?.code).toBe("INVALID_ARGUMENT");
      else if (index % 20 === 10)
        expect([status, error?.code]).toEqual(["interrupted", "INFERENCE_FAILED"]);
      else expect(text.startsWith(`Item ${index}. and-so-on`)).toBe(true);
    }
    expect(answer.counts).toMatchObject({ completed: 54, interrupted: 3, failed: 3 });
    expect(chats()).toHaveLength(57);
  });
});

describe("a cancelled batch", () => {
  const running = async (policy: CallPolicy["onCancel"]) => {
    const world = await hostOf(FOREVER, {
      simulator: { tokensPerSecond: 100 },
      client: { concurrency: 1 },
      policy: { replyWithinMs: 45_000, onCancel: policy },
    });
    const cancel = new AbortController();
    const given = { prompts: prompts(5), batch_id: "mine", max_tokens: 3000 };
    const gone = world.host
      .callTool({ name: "complete_batch", arguments: given }, undefined, { signal: cancel.signal })
      .catch(() => "gone");
    await world.service.waitFor(({ generating }) => generating === 1);
    return { ...world, cancel, gone };
  };

  it.each([
    ["auto", "the user pressed stop", "stop"],
    ["auto", "McpError: MCP error -32001: Request timed out", "goes on"],
    ["auto", "AbortError: The operation was aborted.", "goes on"],
    ["stop", "McpError: MCP error -32001: Request timed out", "stop"],
    ["detach", "the user pressed stop", "goes on"],
  ] as const)("under %s, for %j: %s", async (policy, reason, what) => {
    const { cancel, gone, service, batch, chats } = await running(policy);
    cancel.abort(reason);
    expect(await gone).toBe("gone");
    if (what === "stop") {
      await service.waitFor(({ generating }) => generating === 0);
      const { counts, results } = await batch({ batch_id: "mine" });
      expect(counts).toMatchObject({ cancelled: 5 });
      expect(results).toHaveLength(5);
      expect(chats()).toHaveLength(1);
    } else {
      const { counts } = await batch({ batch_id: "mine", reply_within: 0 });
      expect(counts).toMatchObject({ running: 1, queued: 4 });
      await batch({ batch_id: "mine", cancel: true });
    }
  });

  it("by its batch_id stops running items, never starts the rest, and keeps the text", async () => {
    const { batch, service, chats, foundry } = await hostOf(FOREVER, {
      simulator: { tokensPerSecond: 100 },
      client: { concurrency: 1 },
    });
    await batch({ prompts: prompts(5), batch_id: "mine", max_tokens: 3000, reply_within: 0 });
    await expect.poll(() => foundry.completions.list().at(-1)?.text).toMatch(/^On and/);
    const answer = await batch({ batch_id: "mine", cancel: true });
    expect(answer).toMatchObject({ counts: { cancelled: 5 }, pending: [], device_busy: false });
    expect(answer.results[0]?.text).toMatch(/^On and/);
    expect(answer.text).toContain("5 cancelled");
    await service.waitFor(({ generating }) => generating === 0);
    expect(chats()).toHaveLength(1);
  });

  it("by a host's timeout is taken over by an identical call without an id", async () => {
    const { host, batch, service, chats } = await hostOf(echo, {
      simulator: { tokensPerSecond: 40 },
      client: { concurrency: 1 },
      // The limit that is learnt of the first call may be too short for a loaded machine.
      policy: { onCancel: "auto", replyWithinMs: 60_000 },
    });
    const cancel = new AbortController();
    const given = { prompts: prompts(4) };
    const gone = host
      .callTool({ name: "complete_batch", arguments: given }, undefined, { signal: cancel.signal })
      .catch(() => "gone");
    await service.waitFor(({ generating }) => generating === 1);
    cancel.abort("MCP error -32001: Request timed out");
    await gone;
    const answer = await batch(given);
    expect(answer.results.map(({ text }) => text)).toEqual(given.prompts);
    expect(chats()).toHaveLength(4);
  });
});
