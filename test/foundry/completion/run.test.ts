import { type Fault, startSimulator } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { CompletionProgress } from "../../../src/foundry/completion/progress.js";
import { ServiceCompletion } from "../../../src/foundry/completion/service-completion.js";
import { CurrentService } from "../../../src/foundry/current-service.js";
import { guessWarning } from "../../../src/foundry/discovery/index.js";
import type { CompletionEvent } from "../../../src/foundry/index.js";
import type { CompletionStream } from "../../../src/jobs/index.js";
import { SecretMask } from "../../../src/lib/secrets.js";
import { askedOf, clientOf, roomyMachine, simulate } from "../fixtures.js";

const CHAT = "/v1/chat/completions";
const talker = { id: "talker-generic-cpu:1", alias: "talker", script: { text: "Hello there." } };
const loadedTalker = { ...talker, loaded: true };
/** It would end only after hours, where {@link FOR_LONG} is set. */
const endless = {
  id: "endless-generic-cpu:1",
  alias: "endless",
  loaded: true,
  contextLength: 10_000_000,
  script: { text: "And so on. ", forever: true },
};

const FOR_LONG = { maxTokens: 1_000_000 };

/** All events of a stream, and the error that ended it. */
async function drain(
  stream: CompletionStream,
): Promise<{ events: CompletionEvent[]; error: unknown }> {
  const events: CompletionEvent[] = [];
  try {
    for await (const event of stream) events.push(event);
    return { events, error: null };
  } catch (error) {
    return { events, error };
  }
}

/** The service at an address. It is closed with the test. */
function currentOf(url: string): CurrentService {
  const current = new CurrentService({ endpoint: url }, roomyMachine());
  onTestFinished(() => current.close());
  return current;
}

/** A completion of the talker by this clock. */
const completionOn = (
  current: CurrentService,
  now: () => number,
  stallLimitMs: (model: string, inputTokens: number | null) => number = () => 60_000,
): ServiceCompletion =>
  new ServiceCompletion({
    request: { prompt: "Hi", model: "talker" },
    messages: [{ role: "user", content: "Hi" }],
    progress: new CompletionProgress(2, now),
    current,
    maxTokens: 64,
    stallLimitMs,
    now,
    secrets: new SecretMask([]),
    closing: new AbortController().signal,
  });

describe("a completion", () => {
  it("returns text, counts and times", async () => {
    const simulator = await simulate({ models: [loadedTalker] });
    const completion = await clientOf(simulator.url).complete({ prompt: "Hi", model: "talker" });
    expect(completion).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      status: "completed",
      text: "Hello there.",
      reasoning: null,
      finishReason: "stop",
      model: "talker-generic-cpu:1",
      usage: { inputTokens: expect.any(Number), outputTokens: 3, estimated: false },
      timing: expect.any(Object),
      attempts: 1,
      cached: false,
      warnings: [],
    });
    const { queuedMs, loadMs, firstTokenMs, totalMs } = completion.timing;
    for (const milliseconds of [queuedMs, loadMs, firstTokenMs, totalMs]) {
      expect(milliseconds).toBeGreaterThanOrEqual(0);
      expect(milliseconds).toBeLessThan(60_000);
    }
  });

  it("measures the queue, the load, the first token and the speed separately", async () => {
    const simulator = await simulate({ models: [talker] });
    let passedMs = 0;
    const completion = completionOn(currentOf(simulator.url), () => {
      const isLoaded = simulator.loaded.length > 0;
      const isAsked = askedOf(simulator, CHAT).length > 0;
      return passedMs + (isLoaded ? 400 : 0) + (isAsked ? 70 : 0);
    });

    const { run } = await completion.prepare();
    const turn = Promise.resolve().then(() => {
      passedMs += 30;
    });
    await completion.queued(turn);
    for await (const event of run()) if (event.type === "text") passedMs += 100;
    completion.complete();

    expect(completion.snapshot().timing).toEqual({
      queuedMs: 30,
      loadMs: 400,
      firstTokenMs: 70,
      totalMs: 800,
      // The second and the third token came in 200 ms.
      tokensPerSecond: 10,
    });
  });

  it("has the speed of what is shown where core 2.0 counts the hidden thinking, too", async () => {
    const script = { think: "Two and two make four, I think.", text: "It is 4!" };
    const reasoningMarkers = { start: "<think>", end: "</think>" };
    const models = [{ ...talker, loaded: true, reasoningMarkers, script }];
    const simulator = await simulate({ version: "2.0.1", models });
    let passedMs = 0;
    const completion = completionOn(currentOf(simulator.url), () => passedMs);

    let pieces = 0;
    const { run } = await completion.prepare();
    for await (const event of run()) {
      if (event.type !== "text") continue;
      passedMs += 100;
      pieces += 1;
    }
    completion.complete();

    const { timing, usage, text } = completion.snapshot();
    expect([text, timing.tokensPerSecond]).toEqual(["It is 4!", 10]);
    expect(usage.outputTokens).toBeGreaterThan(pieces + 3);
  });

  it("waits for the first token according to its model and the length of its prompt", async () => {
    const simulator = await simulate({ models: [loadedTalker] });
    simulator.addFault({ kind: "hang", on: { path: CHAT } });
    const asked: unknown[] = [];
    const limit = (model: string, tokens: number | null): number => {
      asked.push(model, tokens);
      return 1000;
    };
    const completion = completionOn(currentOf(simulator.url), () => performance.now(), limit);

    const { run } = await completion.prepare();
    let thrown: unknown = null;
    try {
      for await (const _event of run());
    } catch (error) {
      thrown = error;
    }

    expect(asked).toEqual(["talker-generic-cpu:1", expect.any(Number)]);
    expect(await completion.explain(thrown)).toMatchObject({
      code: "TIMEOUT",
      message: expect.stringContaining("no first token within 1 s"),
    });
  });

  it("emits its events in order, and the text in pieces", async () => {
    const simulator = await simulate({ models: [talker] });
    const client = clientOf(simulator.url);
    const { events } = await drain(client.streamComplete({ prompt: "Hi", model: "talker" }));
    expect(events).toEqual([
      { type: "status", status: "loading", model: "talker-generic-cpu:1" },
      { type: "status", status: "running", model: "talker-generic-cpu:1" },
      { type: "text", text: "Hello" },
      { type: "text", text: " there" },
      { type: "text", text: "." },
      { type: "completed", completion: expect.objectContaining({ text: "Hello there." }) },
    ]);
  });

  it("loads the model first, and measures the load apart from the first token", async () => {
    const simulator = await simulate({ models: [talker], loadMs: 60 });
    const { timing } = await clientOf(simulator.url).complete({ prompt: "Hi", model: "talker" });
    expect(simulator.loaded).toEqual(["talker-generic-cpu:1"]);
    expect(timing.loadMs).toBeGreaterThanOrEqual(59);
    expect(timing.totalMs).toBeGreaterThanOrEqual(
      (timing.loadMs ?? 0) + (timing.firstTokenMs ?? 0) - 2,
    );
  });

  it.each(["2.0.1", "2.2.1"])("keeps thinking out of the answer of core %s", async (version) => {
    const simulator = await simulate({
      version,
      models: [
        {
          ...loadedTalker,
          reasoningMarkers: { start: "<think>", end: "</think>" },
          script: { think: "Two and two.", text: "It is 4!" },
        },
      ],
    });
    const completion = await clientOf(simulator.url).complete({ prompt: "2+2", model: "talker" });
    expect(completion.text).toBe("It is 4!");
    // 2.0 drops the thinking; later versions send it in a member of its own.
    expect(completion.reasoning).toBe(version === "2.0.1" ? null : "Two and two.");
  });

  it("removes thinking from an answer that contains it as text", async () => {
    const simulator = await simulate({
      models: [{ ...loadedTalker, script: { text: "<think>Two and two.</think>\n\nIt is 4!" } }],
    });
    const completion = await clientOf(simulator.url).complete({ prompt: "2+2", model: "talker" });
    expect(completion).toMatchObject({ text: "It is 4!", reasoning: "Two and two." });
  });

  it("moves the text into the thinking at a lone end tag, also text held back for a stop string", async () => {
    const simulator = await simulate({
      models: [{ ...loadedTalker, script: { tokens: ["Two S", "</think>", "\n\nIt is 4!"] } }],
    });
    const client = clientOf(simulator.url);
    const stream = client.streamComplete({
      prompt: "2+2",
      model: "talker",
      stop: ["STOP"],
    });
    const { events } = await drain(stream);
    expect(events).toContainEqual({ type: "text_was_reasoning" });
    expect(stream.snapshot()).toMatchObject({ text: "It is 4!", reasoning: "Two S" });
  });

  it.each([
    ["a tag", "So 3 is\n<thi", []],
    ["a stop string", "So 3 is ST", ["STOP"]],
  ])(
    "returns the very end of the text, although it looks like the beginning of %s",
    async (_what, text, stop) => {
      const simulator = await simulate({ models: [{ ...loadedTalker, script: { text } }] });
      const client = clientOf(simulator.url);
      const stops = stop.length === 0 ? {} : { stop };
      const completion = await client.complete({ prompt: "Hi", model: "talker", ...stops });
      expect(completion.text).toBe(text);
    },
  );

  it("warns when all tokens were used for thinking", async () => {
    const simulator = await simulate({
      models: [{ ...loadedTalker, script: { text: "<think>Let me see, let me see, let me see" } }],
    });
    const completion = await clientOf(simulator.url).complete({
      prompt: "2+2",
      model: "talker",
      maxTokens: 6,
    });
    expect(completion).toMatchObject({ text: "", finishReason: "length" });
    expect(completion.warnings).toEqual([expect.stringContaining("larger `maxTokens`")]);
  });

  it("warns when the model generated no text", async () => {
    const simulator = await simulate({ models: [{ ...loadedTalker, script: { tokens: [] } }] });
    const completion = await clientOf(simulator.url).complete({ prompt: "Hi", model: "talker" });
    expect(completion).toMatchObject({ status: "completed", text: "" });
    expect(completion.warnings).toEqual(["The model gave no text."]);
  });

  it("replaces half characters, sends the rest, and warns", async () => {
    const simulator = await simulate({ models: [loadedTalker] });
    const client = clientOf(simulator.url);
    const { warnings } = await client.complete({ prompt: "a\ud83d", model: "talker" });
    expect(warnings).toEqual([expect.stringContaining("no valid Unicode")]);
    expect(askedOf(simulator, CHAT)[0]?.body).toMatchObject({ messages: [{ content: "a\ufffd" }] });
  });
});

describe("stop strings", () => {
  const script = { text: "One two. Three four. Five six." };

  it.each(["2.0.1", "2.2.1"])("cut the answer of core %s on the client's side", async (version) => {
    const simulator = await simulate({ version, models: [{ ...loadedTalker, script }] });
    const client = clientOf(simulator.url);
    const completion = await client.complete({ prompt: "Hi", model: "talker", stop: ["Three"] });
    expect(completion).toMatchObject({
      status: "completed",
      text: "One two. ",
      finishReason: "stop",
    });
    expect(askedOf(simulator, CHAT)[0]?.body).not.toHaveProperty("stop");
  });

  it("in the hidden thinking do not cut the answer", async () => {
    const simulator = await simulate({
      version: "2.2.1",
      models: [
        {
          ...loadedTalker,
          reasoningMarkers: { start: "<think>", end: "</think>" },
          script: { think: "Two and two make four.", text: "It is 4!" },
        },
      ],
    });
    const client = clientOf(simulator.url);
    const completion = await client.complete({ prompt: "2+2", model: "talker", stop: ["make"] });
    expect(completion).toMatchObject({ text: "It is 4!", reasoning: "Two and two make four." });
    expect(askedOf(simulator, CHAT)[0]?.body).not.toHaveProperty("stop");
  });

  it("may be more than the four that core 2.1 accepts", async () => {
    const simulator = await simulate({ models: [{ ...loadedTalker, script }] });
    const stop = ["a1", "b2", "c3", "d4", "Three"];
    const client = clientOf(simulator.url);
    const { text } = await client.complete({ prompt: "Hi", model: "talker", stop });
    expect(text).toBe("One two. ");
  });

  it("warn that core 2.0 continues to generate, and close its stream", async () => {
    const simulator = await simulate({ version: "2.0.1", models: [endless], tokensPerSecond: 500 });
    const client = clientOf(simulator.url);
    const completion = await client.complete({
      prompt: "Hi",
      model: "endless",
      stop: ["so"],
      ...FOR_LONG,
    });
    expect(completion.text).toBe("And ");
    expect(completion.warnings).toEqual([expect.stringContaining("generates on")]);
    await simulator.waitFor(() => askedOf(simulator, CHAT)[0]?.endedBy === "client-gone");
  });

  it("end the generation where the service stops at a closed stream", async () => {
    const simulator = await simulate({
      version: "2.2.1",
      models: [endless],
      tokensPerSecond: 500,
    });
    const client = clientOf(simulator.url);
    const completion = await client.complete({
      prompt: "Hi",
      model: "endless",
      stop: ["so"],
      ...FOR_LONG,
    });
    expect(completion).toMatchObject({ text: "And ", warnings: [], finishReason: "stop" });
    await simulator.waitFor(({ generating }) => generating === 0);
  });
});

describe("the length of an answer", () => {
  const small = { ...loadedTalker, contextLength: 512, script: { text: "Hello there." } };

  it.each(["2.0.1", "2.2.1"])(
    "is shortened to the context of core %s if it was the default, with a warning",
    async (version) => {
      const simulator = await simulate({ version, models: [small] });
      const client = clientOf(simulator.url);
      const completion = await client.complete({ prompt: "Hi", model: "talker" });
      const lengths = askedOf(simulator, CHAT).map(({ body }) => body);
      expect(lengths).toMatchObject([{ max_tokens: 1024 }, { max_tokens: 497 }]);
      expect(completion).toMatchObject({ status: "completed", text: "Hello there.", attempts: 2 });
      expect(completion.warnings).toEqual([
        "The answer was limited to 497 tokens, which is what the context of talker-generic-cpu:1 (512 tokens) leaves after the prompt.",
      ]);
    },
  );

  it("is shortened by the total where the engine below core 2.0 counts the prompt and the answer together", async () => {
    const simulator = await simulate({ version: "2.0.1", models: [loadedTalker] });
    const message =
      "Inference failed: onnx_chat_generator.cc:421 max_length (1039) cannot be greater than model context_length (512)";
    simulator.addFault({ kind: "error-event", message, on: { path: CHAT }, times: 1 });
    const { warnings } = await clientOf(simulator.url).complete({ prompt: "Hi", model: "talker" });
    const lengths = askedOf(simulator, CHAT).map(({ body }) => body);
    expect(lengths).toMatchObject([{ max_tokens: 1024 }, { max_tokens: 497 }]);
    expect(warnings).toEqual([expect.stringContaining("limited to 497 tokens")]);
  });

  it.each(["2.0.1", "2.2.1"])(
    "is not shortened with core %s if the caller set it: the request is refused once",
    async (version) => {
      const simulator = await simulate({ version, models: [small] });
      const client = clientOf(simulator.url);
      const asking = client.complete({ prompt: "Hi", model: "talker", maxTokens: 1024 });
      await expect(asking).rejects.toMatchObject({
        code: "CONTEXT_LENGTH_EXCEEDED",
        message:
          "The prompt has 15 tokens and the answer may have 1024, together more than the 512 tokens of talker-generic-cpu:1.",
      });
      expect(askedOf(simulator, CHAT)).toHaveLength(1);
    },
  );

  it("cannot be shortened for a prompt that fills the whole context", async () => {
    const simulator = await simulate({ models: [small] });
    const asking = clientOf(simulator.url).complete({
      // Only the service can count it: at 600 words it would not be sent.
      prompt: "word ".repeat(540),
      model: "talker",
    });
    await expect(asking).rejects.toMatchObject({ code: "CONTEXT_LENGTH_EXCEEDED" });
    expect(askedOf(simulator, CHAT)).toHaveLength(1);
  });

  it("lets the client learn the limit where no file contains it", async () => {
    const simulator = await startSimulator({ models: [small] });
    onTestFinished(() => simulator.close());
    const client = clientOf(simulator.url);
    await client.complete({ prompt: "Hi", model: "talker-generic-cpu:1" });
    const { models } = await client.listModels();
    expect(models).toMatchObject([{ contextLength: 512 }]);
  });
});

describe("a model that was unloaded", () => {
  it("is loaded once more when another client unloaded it in between", async () => {
    const simulator = await simulate({ models: [loadedTalker] });
    const client = clientOf(simulator.url);
    await client.complete({ prompt: "Hi", model: "talker" });
    simulator.setLoaded("talker-generic-cpu:1", false);
    const completion = await client.complete({ prompt: "Hi", model: "talker" });
    expect(completion).toMatchObject({ status: "completed", text: "Hello there." });
    expect(askedOf(simulator, "/models/load/talker")).toHaveLength(1);
  });

  it("is not loaded again and again when it keeps being unloaded", async () => {
    const simulator = await simulate({ models: [loadedTalker] });
    const body = JSON.stringify({
      error: { message: "Model not loaded: Model 'x' must be loaded before inference" },
    });
    simulator.addFault({ kind: "status", status: 400, body, on: { path: CHAT } });
    const asking = clientOf(simulator.url).complete({ prompt: "Hi", model: "talker" });
    await expect(asking).rejects.toMatchObject({ code: "MODEL_NOT_LOADED" });
    expect(askedOf(simulator, CHAT)).toHaveLength(2);
  });
});

describe("cancelling a completion", () => {
  it("before it begins sends no request", async () => {
    const simulator = await simulate({ models: [loadedTalker] });
    const signal = AbortSignal.abort();
    const asking = clientOf(simulator.url).complete({ prompt: "Hi", model: "talker" }, { signal });
    await expect(asking).rejects.toMatchObject({ code: "CANCELLED" });
    expect(askedOf(simulator, CHAT)).toEqual([]);
  });

  it("while the model loads stops waiting, and sends no chat", async () => {
    const simulator = await simulate({ models: [talker], loadMs: 600_000 });
    const controller = new AbortController();
    const stream = clientOf(simulator.url).streamComplete(
      { prompt: "Hi", model: "talker" },
      { signal: controller.signal },
    );
    const draining = drain(stream);
    await simulator.waitFor(() => askedOf(simulator, "/models/load/").length === 1);
    controller.abort();
    expect((await draining).error).toMatchObject({ code: "CANCELLED" });
    expect(stream.snapshot().status).toBe("cancelled");
    expect(askedOf(simulator, CHAT)).toEqual([]);
  });

  it("before the first token closes the request", async () => {
    const simulator = await simulate({ models: [endless], firstTokenMs: 600_000 });
    const controller = new AbortController();
    const stream = clientOf(simulator.url).streamComplete(
      { prompt: "Hi", model: "endless", ...FOR_LONG },
      { signal: controller.signal },
    );
    const draining = drain(stream);
    await simulator.waitFor(() => askedOf(simulator, CHAT).length === 1);
    controller.abort();
    expect((await draining).error).toMatchObject({ code: "CANCELLED" });
    await simulator.waitFor(() => askedOf(simulator, CHAT)[0]?.endedBy === "client-gone");
    expect(stream.snapshot()).toMatchObject({ status: "cancelled", text: "" });
  });

  it("in the middle closes the request, keeps the text, and ends the generation", async () => {
    const simulator = await simulate({ models: [endless], tokensPerSecond: 200 });
    const controller = new AbortController();
    const stream = clientOf(simulator.url).streamComplete(
      { prompt: "Hi", model: "endless", ...FOR_LONG },
      { signal: controller.signal },
    );
    const draining = drain(stream);
    await simulator.waitFor(() => stream.snapshot().text.length > 10);
    controller.abort();
    expect((await draining).error).toMatchObject({ code: "CANCELLED" });
    expect(stream.snapshot()).toMatchObject({
      status: "cancelled",
      text: expect.stringMatching(/^And so on\./),
    });
    await simulator.waitFor(({ generating }) => generating === 0);
    await simulator.waitFor(() => askedOf(simulator, CHAT)[0]?.endedBy === "client-gone");
  });

  it("is also the effect of leaving the loop", async () => {
    const simulator = await simulate({ models: [endless], tokensPerSecond: 200 });
    const stream = clientOf(simulator.url).streamComplete({
      prompt: "Hi",
      model: "endless",
      ...FOR_LONG,
    });
    for await (const event of stream) if (event.type === "text") break;
    await simulator.waitFor(({ generating }) => generating === 0);
    expect(stream.snapshot()).toMatchObject({ status: "cancelled", text: "And" });
  });
});

describe("a stream", () => {
  it("that breaks is interrupted, with the text kept, and not requested again", async () => {
    const simulator = await simulate({ models: [endless] });
    simulator.addFault({ kind: "reset-after", events: 5, on: { path: CHAT } });
    const stream = clientOf(simulator.url).streamComplete({
      prompt: "Hi",
      model: "endless",
      ...FOR_LONG,
    });
    const { error } = await drain(stream);
    expect(error).toMatchObject({ code: "STREAM_INTERRUPTED", retryable: true });
    expect(stream.snapshot()).toMatchObject({
      status: "interrupted",
      text: expect.stringMatching(/^And so on/),
    });
    expect(askedOf(simulator, CHAT)).toHaveLength(1);
  });

  it("that breaks because the service died is reported as a crash", async () => {
    const simulator = await simulate({ models: [endless], tokensPerSecond: 200 });
    const stream = clientOf(simulator.url).streamComplete({
      prompt: "Hi",
      model: "endless",
      ...FOR_LONG,
    });
    const draining = drain(stream);
    await simulator.waitFor(() => stream.snapshot().text.length > 10);
    await simulator.stop();
    expect((await draining).error).toMatchObject({
      code: "SERVER_CRASHED",
      // Its address was set, so the client neither searches for it nor starts it.
      action: expect.stringContaining("Start the service again"),
    });
    expect(stream.snapshot()).toMatchObject({
      status: "interrupted",
      text: expect.stringMatching(/^And so on/),
    });
  });

  it("with an error inside the 200 is interrupted, with the text kept", async () => {
    const failing = { ...loadedTalker, script: { text: "One two three four", failAfterTokens: 2 } };
    const simulator = await simulate({ models: [failing] });
    const stream = clientOf(simulator.url).streamComplete({ prompt: "Hi", model: "talker" });
    const { error } = await drain(stream);
    expect(error).toMatchObject({
      code: "INFERENCE_FAILED",
      message: expect.not.stringMatching(/\.cc|fl::/),
    });
    expect(stream.snapshot()).toMatchObject({ status: "interrupted", text: "One two" });
    expect(askedOf(simulator, CHAT)).toHaveLength(1);
  });

  it("without [DONE] is complete when a finish_reason came", async () => {
    const simulator = await simulate({ models: [loadedTalker] });
    simulator.addFault({ kind: "no-done", on: { path: CHAT } });
    const completion = await clientOf(simulator.url).complete({ prompt: "Hi", model: "talker" });
    expect(completion).toMatchObject({ status: "completed", text: "Hello there." });
  });

  it("without [DONE] and without finish_reason is interrupted", async () => {
    const simulator = await simulate({ models: [loadedTalker] });
    simulator.addFault({ kind: "no-done", finishReason: false, on: { path: CHAT } });
    const stream = clientOf(simulator.url).streamComplete({ prompt: "Hi", model: "talker" });
    expect((await drain(stream)).error).toMatchObject({ code: "STREAM_INTERRUPTED" });
    expect(stream.snapshot()).toMatchObject({ status: "interrupted", text: "Hello there." });
  });

  it("that falls silent for longer than allowed is interrupted, with the text kept", async () => {
    const simulator = await simulate({ models: [endless] });
    simulator.addFault({ kind: "stall", afterEvents: 4, on: { path: CHAT } });
    const client = clientOf(simulator.url, { stallTimeoutMs: 1500 });
    const stream = client.streamComplete({ prompt: "Hi", model: "endless", ...FOR_LONG });
    const { error } = await drain(stream);
    expect(error).toMatchObject({ code: "TIMEOUT", phase: "silence" });
    expect(stream.snapshot()).toMatchObject({
      status: "interrupted",
      text: expect.stringMatching(/^And so/),
    });
  });

  it("that never begins is interrupted after the same time, and not requested again", async () => {
    const simulator = await simulate({ models: [endless] });
    simulator.addFault({ kind: "hang", on: { path: CHAT } });
    const client = clientOf(simulator.url, { stallTimeoutMs: 1500 });
    const stream = client.streamComplete({ prompt: "Hi", model: "endless", ...FOR_LONG });
    expect((await drain(stream)).error).toMatchObject({ code: "TIMEOUT", phase: "first_byte" });
    expect(stream.snapshot()).toMatchObject({ status: "interrupted", text: "" });
    expect(askedOf(simulator, CHAT)).toHaveLength(1);
  });

  it.each([
    ["a web page", { kind: "html" }],
    ["nothing", { kind: "empty" }],
    [
      "half a JSON",
      { kind: "status", status: 200, body: '{"choices":[{"mess', contentType: "application/json" },
    ],
  ] satisfies [string, Fault][])("is no stream but %s gets a clear error", async (_what, fault) => {
    const simulator = await simulate({ models: [loadedTalker] });
    simulator.addFault({ ...fault, on: { path: CHAT } });
    const asking = clientOf(simulator.url).complete({ prompt: "Hi", model: "talker" });
    await expect(asking).rejects.toMatchObject({
      code: expect.stringMatching(/^(INVALID_RESPONSE|STREAM_INTERRUPTED)$/),
    });
  });

  it.each([
    ["\\r\\n", { kind: "crlf" }],
    ["comments", { kind: "comments" }],
    ["one byte at a time", { kind: "split", bytes: [1] }],
    ["many events at once", { kind: "merge", events: 50 }],
    [
      "another Content-Type",
      { kind: "content-type", value: "text/event-stream, text/event-stream" },
    ],
  ] satisfies [string, Fault][])(
    "that only looks odd (%s) is read normally",
    async (_what, fault) => {
      const script = { text: "Grüße an 世界 🎉, und so weiter." };
      const simulator = await simulate({ models: [{ ...loadedTalker, script }] });
      simulator.addFault({ ...fault, on: { path: CHAT } });
      const completion = await clientOf(simulator.url).complete({ prompt: "Hi", model: "talker" });
      expect(completion).toMatchObject({ status: "completed", text: script.text });
    },
  );
});

describe("a failure before the first token", () => {
  it("is retried, and the result counts the attempts", async () => {
    const simulator = await simulate({ models: [loadedTalker] });
    simulator.addFault({ kind: "status", status: 503, on: { path: CHAT }, times: 2 });
    const completion = await clientOf(simulator.url).complete({ prompt: "Hi", model: "talker" });
    expect(completion).toMatchObject({ status: "completed", attempts: 3 });
  });

  it("is retried when it is inside a 200", async () => {
    const simulator = await simulate({ models: [loadedTalker] });
    simulator.addFault({ kind: "error-event", on: { path: CHAT }, times: 1 });
    const completion = await clientOf(simulator.url).complete({ prompt: "Hi", model: "talker" });
    expect(completion).toMatchObject({ status: "completed", attempts: 2 });
  });

  it("that persists is a failure, not an interruption", async () => {
    const simulator = await simulate({ models: [loadedTalker] });
    simulator.addFault({ kind: "reset", on: { path: CHAT } });
    const stream = clientOf(simulator.url).streamComplete({ prompt: "Hi", model: "talker" });
    expect((await drain(stream)).error).toMatchObject({ code: "SERVICE_UNREACHABLE" });
    expect(stream.snapshot()).toMatchObject({ status: "failed", attempts: 3, text: "" });
  });

  it("caused by the caller is not retried", async () => {
    const simulator = await simulate({ version: "2.0.1", models: [loadedTalker] });
    simulator.addFault({ kind: "error-event", message: "Invalid value for x", on: { path: CHAT } });
    const asking = clientOf(simulator.url).complete({ prompt: "Hi", model: "talker" });
    await expect(asking).rejects.toMatchObject({ code: "INVALID_REQUEST", attempts: 1 });
    expect(askedOf(simulator, CHAT)).toHaveLength(1);
  });
});

describe("twenty completions at once", () => {
  it("all get their own answer with a single load", async () => {
    const simulator = await simulate({
      models: [{ ...talker, script: ({ text }) => ({ text: `You said ${text}.` }) }],
      loadMs: 30,
    });
    const client = clientOf(simulator.url);
    const prompts = Array.from({ length: 20 }, (_, index) => `number ${index}`);
    const completions = await Promise.all(
      prompts.map((prompt) => client.complete({ prompt, model: "talker" })),
    );
    expect(completions.map(({ text }) => text)).toEqual(
      prompts.map((prompt) => `You said ${prompt}.`),
    );
    expect(askedOf(simulator, "/models/load/")).toHaveLength(1);
  });
});

describe("the first answer of a service that was found by guessing", () => {
  it("has a warning about it, which the next answer does not repeat", async () => {
    const { url } = await simulate({ models: [loadedTalker] });
    const current = currentOf(url);
    const connection = await current.connection();
    connection.guessWarning = guessWarning(url);
    const complete = async () => {
      const completion = completionOn(current, () => performance.now());
      const { run } = await completion.prepare();
      for await (const _ of run());
      return completion.snapshot().warnings;
    };

    expect(await complete()).toEqual([expect.stringContaining("found by guessing")]);
    expect(await complete()).toEqual([]);
  });
});
