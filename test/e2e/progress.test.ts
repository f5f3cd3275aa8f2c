import { expect, test } from "vitest";
import { ANSWER, ENDLESS, simulated, wireHostOn } from "./simulated.js";

/** The limit for a host (issue: "at most ten notifications a second"). */
const MOST_PER_SECOND = 10;

test("a caller without a progress token gets no progress", async () => {
  const simulator = await simulated();
  const host = await wireHostOn(simulator.url);
  const heardBefore = host.received.length;

  const call = host.call("complete", { prompt: "Go on.", model: ENDLESS, max_tokens: 20 });
  await host.answerTo(call);

  const heard = host.received.slice(heardBefore).map(({ message }) => message);
  expect(heard).toEqual([expect.objectContaining({ id: call })]);
});

test("progress counts tokens, contains the newest text, and never decreases", async () => {
  const simulator = await simulated();
  const host = await wireHostOn(simulator.url);

  const { result } = await host.answerTo(
    host.call(
      "complete",
      { prompt: "Go on.", model: ENDLESS, max_tokens: 30 },
      { progressToken: "p" },
    ),
  );

  const notes = host.progressOf("p");
  const counts = notes.map(({ progress }) => progress);
  expect(counts).toEqual([...new Set(counts)].sort((a, b) => a - b));
  const pieces = notes.filter(({ progress }) => Number.isInteger(progress));
  expect(pieces.at(-1)?.progress).toBe(30);
  expect(result).toMatchObject({
    structuredContent: { text: pieces.map(({ message }) => message).join("") },
  });
});

test("at most ten notifications are sent per second, however fast the model is", async () => {
  const simulator = await simulated({
    models: [
      {
        id: "fast-generic-cpu:1",
        loaded: true,
        tokensPerSecond: 300,
        // All of it fits into one notification, which a process that is late may send.
        script: { tokens: ["f", "a", "s", "t", " "], forever: true },
      },
    ],
  });
  const host = await wireHostOn(simulator.url);

  const startedAt = performance.now();
  const { result } = await host.answerTo(
    host.call("complete", { prompt: "Run.", max_tokens: 600 }, { progressToken: 1 }),
  );
  const seconds = (performance.now() - startedAt) / 1000;

  const notes = host.progressOf(1);
  expect(notes.length).toBeGreaterThan(2);
  expect(notes.length).toBeLessThanOrEqual(1 + MOST_PER_SECOND * seconds);
  // Fewer notifications lose no text.
  const pieces = notes.filter(({ progress }) => Number.isInteger(progress));
  expect(result).toMatchObject({
    structuredContent: { text: pieces.map(({ message }) => message).join("") },
  });
});

test("no progress is sent after the answer", async () => {
  const simulator = await simulated();
  const host = await wireHostOn(simulator.url);
  const call = host.call(
    "complete",
    { prompt: "Go on.", model: ENDLESS, max_tokens: 10 },
    { progressToken: 7 },
  );
  await host.answerTo(call);
  // A pending heartbeat after a second of silence would be sent now.
  await host.answerTo(host.call("complete", { prompt: "Go on.", model: ENDLESS, max_tokens: 60 }));
  host.endInput();
  await host.ended;

  const order = host.received.map(({ message }) => message);
  const answered = order.findIndex(({ id }) => id === call);
  const isProgress = ({ method }: { method?: string | undefined }): boolean =>
    method === "notifications/progress";
  expect(order.slice(0, answered).some(isProgress)).toBe(true);
  expect(order.slice(answered).some(isProgress)).toBe(false);
});

test("no progress is sent after a cancellation", async () => {
  const simulator = await simulated();
  const host = await wireHostOn(simulator.url);
  const call = host.call(
    "complete",
    { prompt: "Go on.", model: ENDLESS, max_tokens: 1000 },
    { progressToken: 8 },
  );
  await host.when("progress", () => host.progressOf(8).find(({ progress }) => progress > 3));

  host.notify("notifications/cancelled", { requestId: call });
  await host.request("ping");
  const heard = host.progressOf(8).length;
  await host.answerTo(host.call("complete", { prompt: "Go on.", model: ENDLESS, max_tokens: 60 }));

  expect(host.progressOf(8)).toHaveLength(heard);
});

test("complete and load_model report a load while it runs", async () => {
  const models = [{ id: "late-generic-cpu:1", loadMs: 1300, script: { text: ANSWER } }];
  const simulator = await simulated({ models });
  const host = await wireHostOn(simulator.url);
  const args = { prompt: "Hello", model: "late" };

  const completion = await host.answerTo(host.call("complete", args, { progressToken: "c" }));
  await host.answerTo(host.call("unload_model", { model: "late" }));
  await host.answerTo(host.call("load_model", { model: "late" }, { progressToken: "l" }));

  expect(completion.result).toMatchObject({ structuredContent: { text: ANSWER } });
  const ofCompletion = host.progressOf("c").map(({ message }) => message);
  const ofLoad = host.progressOf("l").map(({ message }) => message);
  expect(ofCompletion).toContainEqual(expect.stringMatching(/^Loading late-generic-cpu:1, \d s$/));
  expect(ofLoad).toContainEqual(expect.stringMatching(/^Loading late.*, \d s$/));
});

test("thinking is reported while it lasts", async () => {
  const simulator = await simulated({
    models: [
      {
        id: "thinker-generic-cpu:1",
        loaded: true,
        tokensPerSecond: 20,
        reasoningMarkers: { start: "<think>", end: "</think>" },
        // Four seconds of tokens.
        script: { think: "Let me see how to put it. ".repeat(10), text: "Yes." },
      },
    ],
  });
  const host = await wireHostOn(simulator.url);

  await host.answerTo(host.call("complete", { prompt: "Is it?" }, { progressToken: "t" }));

  const notes = host.progressOf("t");
  expect(notes).toContainEqual(
    expect.objectContaining({ message: expect.stringMatching(/^Thinking, \d+ tokens$/) }),
  );
  const pieces = notes.filter(({ progress }) => Number.isInteger(progress));
  expect(pieces.map(({ message }) => message).join("")).toBe("Yes.");
});

test.each([0, "", "0", 1, -1])(
  "progress is sent with the token of its call: %j",
  async (progressToken) => {
    const simulator = await simulated();
    const host = await wireHostOn(simulator.url);
    const given = { prompt: "Go on.", model: ENDLESS, max_tokens: 10 };

    await host.answerTo(host.call("complete", given, { progressToken }));

    expect(host.progressOf(progressToken).length).toBeGreaterThan(0);
  },
);
