import { describe, expect, it } from "vitest";
import { CompletionProgress } from "../../../src/foundry/completion/progress.js";
import type { ToolCall } from "../../../src/foundry/index.js";

const CALL: ToolCall = { id: "1", name: "get_weather", arguments: {} };

describe("CompletionProgress", () => {
  it("has no values before the answer begins", () => {
    const progress = new CompletionProgress(35, () => 0);
    expect(progress.snapshot()).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      status: "queued",
      text: "",
      reasoning: null,
      finishReason: null,
      model: null,
      usage: { inputTokens: 10, outputTokens: null, estimated: true },
      timing: {
        queuedMs: null,
        loadMs: null,
        firstTokenMs: null,
        totalMs: 0,
        tokensPerSecond: null,
      },
      attempts: null,
      cached: false,
      warnings: [],
    });
  });

  it("has the times of queue and load as soon as each has ended", () => {
    const progress = new CompletionProgress(35, () => 0);
    progress.waitedInQueue(5);
    progress.loading("m");
    expect(progress.snapshot()).toMatchObject({
      timing: { queuedMs: 5, loadMs: null },
      attempts: null,
    });
    progress.loadedIn(7);
    progress.asked("m");
    expect(progress.snapshot()).toMatchObject({
      timing: { queuedMs: 5, loadMs: 7 },
      attempts: 1,
    });
  });

  it("reports no load when the request is sent at once", () => {
    const progress = new CompletionProgress(35, () => 0);
    progress.asked("m");
    expect(progress.snapshot().timing).toMatchObject({ queuedMs: 0, loadMs: 0 });
  });

  it.each([
    ["none", ["", " ", "\n"], null],
    ["without blanks around it", [" \n", " a", "b \n", "\n"], "ab"],
    ["with the blanks within it", ["a", "  ", "\n", "b"], "a  \nb"],
  ])("reports thinking %s, at any time", (_what, pieces, whole) => {
    const progress = new CompletionProgress(1, () => 0);
    let all = "";
    for (const piece of pieces) {
      progress.addReasoning(piece);
      all += piece;
      expect(progress.snapshot().reasoning ?? "").toBe(all.trim());
    }
    expect(progress.snapshot().reasoning).toBe(whole);
  });

  it("ignores a count of zero tokens for a text", () => {
    const progress = new CompletionProgress(35, () => 0);
    progress.counted({ inputTokens: 7, outputTokens: 0 });
    expect(progress.snapshot().usage).toEqual({
      inputTokens: 7,
      outputTokens: 0,
      estimated: false,
    });
    progress.countPiece();
    const usage = { inputTokens: 7, outputTokens: 1, estimated: true };
    expect(progress.snapshot().usage).toEqual(usage);
  });

  it("measures the first token from the request, without the load before it", () => {
    let now = 1000;
    const progress = new CompletionProgress(1, () => now);
    now += 5000;
    progress.loadedIn(5000);
    progress.asked("talker");
    now += 300;
    progress.countPiece();
    now += 700;
    progress.end("completed");
    now += 99_999;
    expect(progress.snapshot().timing).toMatchObject({
      loadMs: 5000,
      firstTokenMs: 300,
      totalMs: 6000,
    });
  });

  it("takes the speed from the first token, which is not counted, to the last", () => {
    let now = 0;
    const progress = new CompletionProgress(1, () => now);
    progress.asked("talker");
    now += 4000;
    for (let token = 0; token < 11; token++) {
      progress.countPiece();
      now += 100;
    }
    expect(progress.snapshot().timing.tokensPerSecond).toBe(10);
  });

  it.each([
    ["one token", 1, 1000],
    ["tokens that came in one go", 50, 0],
  ])("reports no speed for %s", (_what, tokens, gapMs) => {
    let now = 0;
    const progress = new CompletionProgress(1, () => now);
    for (let token = 0; token < tokens; token++) {
      progress.countPiece();
      now += gapMs;
    }
    expect(progress.snapshot().timing.tokensPerSecond).toBeNull();
  });

  it.each<[what: string, calls: readonly ToolCall[], speed: number | null]>([
    ["the speed of the pieces", [], 10],
    ["no speed with a call of a tool, which is one piece", [CALL], null],
  ])("has %s where the count has hidden thinking", (_what, calls, speed) => {
    let now = 0;
    const progress = new CompletionProgress(1, () => now);
    progress.asked("talker");
    progress.opened({ isConstrained: false, warnings: [] }, true);
    for (let token = 0; token < 11; token++) {
      progress.countPiece();
      now += 100;
    }
    progress.counted({ inputTokens: 5, outputTokens: 50 });
    progress.called(calls);
    expect(progress.snapshot()).toMatchObject({
      usage: { outputTokens: 50 },
      timing: { tokensPerSecond: speed },
    });
    expect(progress.hiddenTokens).toBe(39);
  });

  it.each([
    [true, Infinity],
    [false, 0],
  ])(
    "has hidden tokens where thinking may be hidden and nothing was counted: %s",
    (hides, hidden) => {
      const progress = new CompletionProgress(1, () => 0);
      progress.asked("talker");
      progress.opened({ isConstrained: false, warnings: [] }, hides);
      progress.countPiece();
      expect(progress.hiddenTokens).toBe(hidden);
    },
  );

  it("prefers the service's counts to its estimates", () => {
    const progress = new CompletionProgress(35, () => 0);
    progress.countPiece();
    expect(progress.snapshot().usage).toEqual({
      inputTokens: 10,
      outputTokens: 1,
      estimated: true,
    });
    progress.counted({ inputTokens: 12, outputTokens: 3 });
    expect(progress.snapshot().usage).toEqual({
      inputTokens: 12,
      outputTokens: 3,
      estimated: false,
    });
  });

  it("moves text that turned out to be thinking out of the answer", () => {
    const progress = new CompletionProgress(1, () => 0);
    progress.addText("\nTwo and two.\n");
    progress.textWasReasoning();
    progress.addText("4");
    expect(progress.snapshot()).toMatchObject({ text: "4", reasoning: "Two and two." });
  });

  it("returns snapshots that later events do not change", () => {
    const progress = new CompletionProgress(1, () => 0);
    const before = progress.snapshot();
    progress.addText("x");
    progress.warn("late");
    expect(before).toMatchObject({ text: "", warnings: [] });
  });
});
