import { describe, expect, it } from "vitest";
import { type ChatAnswer, chatEngine, events } from "../foundry/dialects/chat-engine.js";
import { connectedHost, runningCompletion, simulatedService, textOf } from "./host.js";

/** Named in each call, since the choice of a default causes a note. */
const TALKER = "talker-generic-cpu:1";
const json = (value: unknown): string => JSON.stringify(value);
const model = (script: object) => ({ id: TALKER, loaded: true, script });

describe("complete", () => {
  it("returns the model's text alone", async () => {
    const service = await simulatedService({ models: [model({ text: "It is blue." })] });
    const { host } = await connectedHost({ endpoint: service.url });
    const answer = await host.callTool({
      name: "complete",
      arguments: { prompt: "Why?", model: TALKER },
    });
    expect(textOf(answer)).toBe("It is blue.");
    expect(structured(answer)).toEqual({
      next: null,
      notes: [],
      text: "It is blue.",
      status: "completed",
      completion_id: expect.stringMatching(/^c-/),
      model: TALKER,
      finish_reason: "stop",
      usage: { input_tokens: expect.any(Number), output_tokens: expect.any(Number) },
      warnings: [],
    });
    expect(Object.keys(structured(answer)).slice(0, 3)).toEqual(["next", "notes", "text"]);
  });

  it("adds at most 240 bytes of JSON to a finished answer", async () => {
    const id = "Phi-3.5-mini-instruct-generic-gpu:1";
    const service = await simulatedService({ models: [{ ...model({ text: "It is blue." }), id }] });
    const { host } = await connectedHost({ endpoint: service.url });
    const answer = await host.callTool(completeWith({ model: id }));
    const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
    expect(structured(answer).text).toBe("It is blue.");
    expect(bytes(structured(answer)) - bytes("It is blue.")).toBeLessThanOrEqual(240);
  });

  it.each([
    [undefined, "Two and two."],
    ["omit", undefined],
    ["include", "Two and two."],
    ["off", undefined],
  ])("returns the thinking where reasoning is %s: %s", async (reasoning, thought) => {
    const thinker = { ...model({ think: "Two and two.", text: "4" }), id: "thinker-generic-cpu:1" };
    const service = await simulatedService({ models: [thinker] });
    const { host } = await connectedHost({ endpoint: service.url });
    const given = reasoning === undefined ? {} : { reasoning };

    const one = await host.callTool({ name: "complete", arguments: { prompt: "2+2?", ...given } });
    const many = await host.callTool({
      name: "complete_batch",
      arguments: { prompts: ["2+3?"], ...given },
    });

    expect(one.structuredContent).toMatchObject({ text: "4" });
    expect(Object(one.structuredContent).reasoning).toBe(thought);
    expect(Object(many.structuredContent).results[0].reasoning).toBe(thought);
  });

  it("reports an empty answer", async () => {
    const service = await simulatedService({ models: [model({ tokens: [] })] });
    const { host } = await connectedHost({ endpoint: service.url });
    const answer = await host.callTool({
      name: "complete",
      arguments: { prompt: "Why?", model: TALKER },
    });
    const note =
      "The model gave no text before it ended. Rephrase the request, leave stop out, or try another model.";
    expect(textOf(answer)).toBe(`Note: ${note}`);
    expect(answer.structuredContent).toMatchObject({ text: "", notes: [note] });
  });

  it("says that a request may not fit where it ended at its limit before the first token", async () => {
    const { url } = await chatEngine(() =>
      events(
        { choices: [{ delta: { content: "" }, finish_reason: "length" }] },
        { choices: [], usage: { prompt_tokens: 4000, completion_tokens: 0 } },
      ),
    );
    const { host } = await connectedHost({ endpoint: url });
    const answer = await host.callTool({
      name: "complete",
      arguments: { prompt: "Why?", model: "m" },
    });
    expect(textOf(answer)).toContain("the prompt and max_tokens together may not fit");
    expect(textOf(answer)).not.toContain("larger max_tokens");
  });

  describe("of an answer that was cut off", () => {
    const cutAt = (delta: object, completion_tokens: number) =>
      events(
        { choices: [{ delta, finish_reason: "length" }] },
        { choices: [], usage: { prompt_tokens: 4000, completion_tokens } },
      );
    const noteOn = async (answer: (body: object) => ChatAnswer, given: object) => {
      const { url } = await chatEngine(answer);
      const { host } = await connectedHost({ endpoint: url });
      const prompt = "Why?";
      return textOf(
        await host.callTool({ name: "complete", arguments: { prompt, model: "m", ...given } }),
      );
    };

    it.each([
      ["with text", { content: "It is" }],
      ["while thinking", { reasoning: "Hmm" }],
    ])("says that the context is full below max_tokens: %s", async (_what, delta) => {
      const note = await noteOn(() => cutAt(delta, 96), { max_tokens: 2000 });

      expect(note).toContain("context of the model was full");
      expect(note).not.toContain("again with a larger");
    });

    it("says so where the answer was shortened to what the context leaves", async () => {
      const message =
        "maximum context length is 4096 tokens. However, your request has 4000 input tokens";
      let refusals = 0;
      const note = await noteOn(
        () =>
          refusals++ === 0
            ? { ...events(), status: 400, body: JSON.stringify({ error: { message } }) }
            : cutAt({ content: "It is" }, 96),
        {},
      );

      expect(note).toContain("limited to 96 tokens");
      expect(note).toContain("context of the model was full");
      expect(note).not.toContain("again with a larger");
    });

    it.each([
      ["counted", 2000, 2000],
      ["all but counted", 1990, 2000],
      ["few", 2, 5],
      ["not counted", 0, 2000],
    ])("advises a larger max_tokens at that limit: %s", async (_what, tokens, max_tokens) => {
      const note = await noteOn(() => cutAt({ content: "It is" }, tokens), { max_tokens });

      expect(note).toContain("ask again with a larger max_tokens");
    });
  });

  it.each(["content_filter", "SAFETY", "recitation", "guardrail_intervened", "blocklist"])(
    "reports that a filter ended the answer (%s), also without any text",
    async (finish_reason) => {
      for (const content of ["It is", ""]) {
        const { url } = await chatEngine(() =>
          events({ choices: [{ delta: { content }, finish_reason }] }),
        );
        const { host } = await connectedHost({ endpoint: url });
        const answer = await host.callTool({
          name: "complete",
          arguments: { prompt: "Why?", model: "m" },
        });
        for (const shown of [answer.content, answer.structuredContent].map(json)) {
          expect(shown).toContain("A content filter ended the answer");
          expect(shown).not.toContain("gave no text");
        }
        expect(textOf(answer).startsWith(content)).toBe(true);
        expect(answer.structuredContent).toMatchObject({
          text: content,
          finish_reason: "content_filter",
        });
      }
    },
  );

  it("sends the growing text to a caller with a progress token, and nothing after the result", async () => {
    const text = "One two three four five six seven eight nine ten.";
    const service = await simulatedService({ models: [model({ text })], tokensPerSecond: 40 });
    const { host, received } = await connectedHost({ endpoint: service.url });
    let told = "";
    const answer = await host.callTool(
      { name: "complete", arguments: { prompt: "Count", model: TALKER } },
      undefined,
      {
        onprogress: ({ progress, message = "" }) => {
          if (Number.isInteger(progress)) told += message;
        },
      },
    );
    expect(told).toBe(text);
    expect(textOf(answer)).toBe(text);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(received.at(-1)).toHaveProperty("result");
  });

  it("sends no progress to a caller without a progress token", async () => {
    const service = await simulatedService({ models: [model({ text: "Hello there." })] });
    const { host, received } = await connectedHost({ endpoint: service.url });
    await host.callTool({ name: "complete", arguments: { prompt: "Hi" } });
    const methods = received.map((message) => ("method" in message ? message.method : null));
    expect(methods).not.toContain("notifications/progress");
  });

  it("reports a load while it runs", async () => {
    const service = await simulatedService({
      models: [{ ...model({ text: "Hi." }), loaded: false }],
      loadMs: 1300,
    });
    const { host } = await connectedHost({ endpoint: service.url });
    const messages: string[] = [];
    await host.callTool({ name: "complete", arguments: { prompt: "Hi" } }, undefined, {
      onprogress: ({ message = "" }) => void messages.push(message),
    });
    expect(messages).toContain("Loading talker-generic-cpu:1…");
    expect(messages).toContainEqual(expect.stringMatching(/^Loading talker-generic-cpu:1, \d+ s$/));
  });

  it("keeps the text of a failed generation, and marks it as incomplete", async () => {
    const script = { text: "A long story about the sea and more.", failAfterTokens: 6 };
    const service = await simulatedService({ models: [model(script)] });
    const { host } = await connectedHost({ endpoint: service.url });
    await host.listTools();
    const answer = await host.callTool({ name: "complete", arguments: { prompt: "Tell" } });
    const partial = String(Reflect.get(Object(answer.structuredContent), "text"));
    expect(answer.isError).toBe(true);
    expect(partial).toMatch(/^A long story/);
    expect(textOf(answer)).toMatch(/^INFERENCE_FAILED: /);
    expect(textOf(answer)).toContain(`The text so far (incomplete):\n${partial}`);
    expect(answer.structuredContent).toMatchObject({
      status: "interrupted",
      next: expect.stringMatching(/ The same call may succeed later\.$/),
      notes: expect.arrayContaining([expect.stringMatching(/^INFERENCE_FAILED: /)]),
    });
  });

  it("aborts the request when the user cancels it, without an answer", async () => {
    const service = await simulatedService({
      models: [model({ text: "On and on. ", forever: true })],
      tokensPerSecond: 50,
    });
    const { host, received } = await connectedHost({ endpoint: service.url });
    const cancel = new AbortController();
    const call = host
      .callTool({ name: "complete", arguments: { prompt: "Go", max_tokens: 3000 } }, undefined, {
        signal: cancel.signal,
      })
      .catch(() => "cancelled");
    await service.waitFor((s) => s.generating > 0);
    const pinged = host.ping();
    await expect(pinged).resolves.toEqual({});
    const before = received.length;
    cancel.abort("User pressed stop");
    await service.waitFor((s) => s.requests.some(({ endedBy }) => endedBy === "client-gone"));
    expect(await call).toBe("cancelled");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(received.length).toBe(before);
  });
});

const FOREVER = { text: "On and on. ", forever: true };
const structured = (answer: object) => Object(Reflect.get(answer, "structuredContent"));
const completeWith = (given: object) => ({
  name: "complete",
  arguments: { prompt: "Go", model: TALKER, max_tokens: 3000, ...given },
});

describe("a completion that outlives its call", () => {
  it("is returned in time with the text so far and the next call", async () => {
    const service = await simulatedService({ models: [model(FOREVER)], tokensPerSecond: 50 });
    const { host } = await connectedHost({ endpoint: service.url });
    await host.listTools();
    const answer = await host.callTool(completeWith({ reply_within: 2 }));
    const { completion_id: id, status, text, next_from, ...rest } = structured(answer);
    expect(answer.isError).toBeFalsy();
    expect(status).toBe("running");
    expect(text).toMatch(/^On and on\./);
    expect(next_from).toBe(text.length);
    for (const name of ["from", "total_chars", "joined", "place", "finish_reason"]) {
      expect(rest).not.toHaveProperty(name);
    }
    const [line, empty, ...textLines] = textOf(answer).split("\n");
    expect(line).toMatch(/^Not finished: \d+ tokens so far, running\. Call get_completion /);
    expect(line).toContain(`with completion_ids ["${id}"] and from ${next_from} to read on.`);
    expect(empty).toBe("");
    expect(textLines[0]).toBe(text);
    expect(rest.next).toBe(line);
  });

  it("is returned at once with reply_within 0, before anything is known", async () => {
    const service = await simulatedService({ models: [model(FOREVER)], tokensPerSecond: 50 });
    const { host } = await connectedHost({ endpoint: service.url });
    const answer = await host.callTool(completeWith({ reply_within: 0 }));
    const { completion_id: id } = structured(answer);
    expect(textOf(answer)).toBe(
      `Not finished: not yet begun. Call get_completion with completion_ids ["${id}"] to get the answer.`,
    );
  });

  it("is waited for as long as the setting says where the call does not", async () => {
    const service = await simulatedService({ models: [model(FOREVER)], tokensPerSecond: 50 });
    const policy = { replyWithinMs: 100, onCancel: "auto" } as const;
    const { host } = await connectedHost({ endpoint: service.url }, policy);
    expect(textOf(await host.callTool(completeWith({})))).toMatch(/^Not finished: /);
  });

  it("reports its load, and its place in the queue, in the result and in progress", async () => {
    const service = await simulatedService({
      models: [{ ...model(FOREVER), loaded: false }],
      loadMs: 600_000,
    });
    const { host, foundry } = await connectedHost({ endpoint: service.url, concurrency: 1 });
    await host.callTool(completeWith({ temperature: 0, reply_within: 0 }));
    await expect.poll(() => foundry.completions.list()[0]?.status).toBe("loading");
    const loading = await host.callTool(completeWith({ temperature: 0, reply_within: 0 }));
    expect(textOf(loading)).toMatch(/^Not finished: loading talker-generic-cpu:1\. /);
    expect(structured(loading)).toMatchObject({ status: "loading" });
    const messages: string[] = [];
    const waiting = await host.callTool(completeWith({ reply_within: 2 }), undefined, {
      onprogress: ({ message = "" }) => void messages.push(message),
    });
    expect(textOf(waiting)).toMatch(/^Not finished: waiting, place 1\. /);
    expect(structured(waiting)).toMatchObject({ status: "queued", place: 1 });
    expect(messages).toContain("Waiting, place 1");
  });

  it("reports that it shares the answer of an identical call, unless `join` is false", async () => {
    const service = await simulatedService({ models: [model(FOREVER)], tokensPerSecond: 50 });
    const { host } = await connectedHost({ endpoint: service.url });
    const call = (given = {}) =>
      host.callTool(completeWith({ temperature: 0, reply_within: 0, ...given }));
    const [first, same, other] = [await call(), await call(), await call({ join: false })];
    expect(structured(same)).toMatchObject({
      joined: true,
      completion_id: structured(first).completion_id,
    });
    expect(JSON.stringify(same.content)).toContain("Set join to false to start another");
    expect(structured(same).notes).toContainEqual(expect.stringContaining("Set join to false"));
    expect(structured(other)).not.toHaveProperty("joined");
    expect(structured(other).completion_id).not.toBe(structured(first).completion_id);
  });

  it("has a too long text cut, with how to read on", async () => {
    const text = "🌍 around and around. ".repeat(4000);
    const service = await simulatedService({ models: [model({ tokens: [text] })] });
    const { host } = await connectedHost({ endpoint: service.url });
    const answer = await host.callTool(completeWith({}));
    const { completion_id: id, next_from, total_chars, text: part } = structured(answer);
    expect(total_chars).toBe(text.length);
    expect(textOf(answer)).toContain(`\n\n${part}`);
    expect(text.startsWith(part)).toBe(true);
    expect(next_from).toBe(part.length);
    expect(next_from).toBeGreaterThan(59_990);
    const { next } = structured(answer);
    expect(next).toContain(
      `from ${next_from} to read on; foundry://completions/${id} is the whole as a resource.`,
    );
    expect(textOf(answer).startsWith(next)).toBe(true);
    const rest = await host.callTool({
      name: "get_completion",
      arguments: { completion_ids: [id], from: next_from },
    });
    expect(part + textOf(rest)).toBe(text);
  });
});

describe("a call of complete cancelled by the host", () => {
  it("continues after the host's own timeout, and an identical call takes it over", async () => {
    const { host, service, foundry } = await runningCompletion(FOREVER);
    const call = host.callTool(completeWith({}), undefined, { timeout: 1000 });
    await expect(call).rejects.toMatchObject({ code: -32001 });
    await expect.poll(() => foundry.completions.watchersOf(ids(foundry)[0] ?? "")).toBe(0);
    await expect.poll(() => foundry.completions.list()[0]?.text).toMatch(/^On/);
    const again = await host.callTool(completeWith({ reply_within: 0 }));
    expect(structured(again)).toMatchObject({
      status: "running",
      joined: true,
      completion_id: ids(foundry)[0],
    });
    expect(service.generating).toBe(1);
  });

  it.each([
    ["stop", "Request timed out", "cancelled"],
    ["detach", "User pressed stop", "running"],
    ["auto", "User pressed stop", "cancelled"],
    ["auto", "Request timed out", "running"],
    ["stop", "MCP request cancelled by caller", "cancelled"],
    ["detach", "MCP request cancelled by caller", "running"],
    ["auto", "MCP request cancelled by caller", "running"],
  ] as const)("with the setting %s and the reason %j is %s", async (onCancel, reason, status) => {
    const { host, foundry } = await runningCompletion(FOREVER, onCancel);
    const cancel = new AbortController();
    const call = host.callTool(completeWith({}), undefined, { signal: cancel.signal });
    call.catch(() => {});
    await expect.poll(() => foundry.completions.list()[0]?.text).toMatch(/^On/);
    cancel.abort(reason);
    await expect.poll(() => foundry.completions.watchersOf(ids(foundry)[0] ?? "")).toBe(0);
    await expect.poll(() => foundry.completions.list()[0]?.status).toBe(status);
  });

  it("does not stop a completion that another call waits for", async () => {
    const { host, foundry } = await runningCompletion(FOREVER);
    const cancel = new AbortController();
    const given = completeWith({ temperature: 0 });
    const first = host.callTool(given, undefined, { signal: cancel.signal });
    first.catch(() => {});
    await expect.poll(() => foundry.completions.list()[0]?.text).toMatch(/^On/);
    const second = host.callTool(completeWith({ temperature: 0, reply_within: 3 }));
    await expect.poll(() => foundry.completions.watchersOf(ids(foundry)[0] ?? "")).toBe(2);
    cancel.abort("User pressed stop");
    expect(structured(await second)).toMatchObject({ status: "running", joined: true });
  });
});

const ids = (foundry: Awaited<ReturnType<typeof connectedHost>>["foundry"]): string[] =>
  foundry.completions.list().map(({ id }) => id);
