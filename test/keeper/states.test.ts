import { describe, expect, it } from "vitest";
import { patchSchema, stateSchema } from "../../src/keeper/messages.js";
import {
  continued,
  fromWire,
  patched,
  patchOf,
  REGENERATED,
  toWire,
} from "../../src/keeper/states.js";
import { FoundryError } from "../../src/lib/index.js";
import { stateOf } from "./fixtures.js";

const state = (text: string, more: Partial<Parameters<typeof stateOf>[0]> = {}) =>
  toWire(stateOf({ text, ...more }));

describe("a state sent between processes", () => {
  it("stays unchanged", () => {
    const error = new FoundryError("INFERENCE_FAILED", "It failed.", {
      action: "Try again.",
      retryable: true,
      retryAfterMs: 1000,
    });
    const facts = {
      text: "Half an ans",
      status: "failed" as const,
      warnings: ["One."],
      toolCalls: [{ id: "call-1", name: "add", arguments: { a: 1 }, error: "b is missing" }],
      cacheAgeMs: 5,
      isLimitedByService: true,
    };
    const { error: _error, ...given } = stateOf(facts);
    const sent = JSON.stringify(toWire({ ...given, error }));
    const { error: back, ...rest } = fromWire(stateSchema.parse(JSON.parse(sent)));
    expect(rest).toEqual({ ...given, ...facts });
    expect(back).toMatchObject({ code: "INFERENCE_FAILED", retryable: true, retryAfterMs: 1000 });
  });

  it.each([{ name: "Åsa" }, [1, 2], "a text", 0, false, null])(
    "contains the value of the schema: %j",
    (data) => {
      const before = state("");
      const given = stateOf({
        status: "completed",
        text: JSON.stringify(data),
        data,
        method: "constrained",
      });
      const sent: unknown = JSON.parse(JSON.stringify(patchOf(toWire(given), before)));
      expect(fromWire(patched(patchSchema.parse(sent), before))).toEqual(given);
      expect(fromWire(stateSchema.parse(JSON.parse(JSON.stringify(toWire(given)))))).toEqual(given);
    },
  );

  it.each([
    ["grows", "Hello", null, "Hello world", null],
    ["begins", "", null, "Hello", null],
    ["turns out to be thinking", "Let me see", null, "", "Let me see"],
    ["grows after its thinking", "The", "Hm", "The answer", "Hm"],
    ["is another one", "First", null, "Second answer", null],
  ])("is sent as a change where the text %s", (_what, before, thoughtBefore, text, reasoning) => {
    const sent = state(before, { reasoning: thoughtBefore });
    const now = state(text, { reasoning });
    expect(patched(patchOf(now, sent), sent)).toEqual(now);
  });
});

describe("an answer that is generated again", () => {
  const earlier = state("The quick brown fox");

  it.each(["", "The", "The quick brown fox"])("shows the earlier text after %j", (text) => {
    const { state: shown, isRegenerated } = continued(earlier, state(text));
    expect(shown.text).toBe(earlier.text);
    expect(isRegenerated).toBe(false);
  });

  it("continues the earlier text where it repeats it", () => {
    const again = state("The quick brown fox jumps", { status: "completed", endedAt: 1 });
    const { state: shown, isRegenerated } = continued(earlier, again);
    expect(shown.text).toBe("The quick brown fox jumps");
    expect(isRegenerated).toBe(false);
  });

  it.each(["A slow", "The quick brown cat sleeps"])("is marked where it differs: %s", (text) => {
    const { state: shown, isRegenerated } = continued(earlier, state(text));
    expect(shown.text).toBe(text);
    expect(shown.warnings).toEqual([REGENERATED]);
    expect(isRegenerated).toBe(true);
  });

  it("is marked as different where it ends before the earlier text", () => {
    const again = state("The quick", { status: "completed", endedAt: 1 });
    expect(continued(earlier, again).isRegenerated).toBe(true);
  });

  it("returns the earlier text where it fails", () => {
    const again = state("", { status: "failed", endedAt: 1 });
    const { state: shown, isRegenerated } = continued(earlier, again);
    expect(shown).toMatchObject({ text: earlier.text, status: "failed" });
    expect(isRegenerated).toBe(false);
  });
});
