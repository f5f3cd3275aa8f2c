import { describe, expect, it } from "vitest";
import { chooseConcurrency, chooseForAll } from "../../../src/commands/bench/choice.js";
import type { PromptKind } from "../../../src/commands/bench/report.js";

/** Tokens per second together at 1, 2 and 4 at once; `null`: not measured. */
type Speeds = readonly (number | null)[];

const AT_ONCE = [1, 2, 4];

const measured = (prompt: PromptKind, speeds: Speeds, failed: readonly number[] = []) =>
  speeds.map((speed, index) => ({
    prompt,
    at_once: AT_ONCE[index] ?? 0,
    total_tokens_per_second: speed === null ? null : { median: speed, min: speed, max: speed },
    answers: 12,
    failed: failed[index] ?? 0,
  }));

describe("the number of concurrent answers", () => {
  it.each<[what: string, short: Speeds, long: Speeds, value: number | null]>([
    ["1 where more at once only wait for each other", [40, 40, 40], [30, 30, 30], 1],
    ["1 where more at once are slower together", [40, 35, 30], [30, 28, 20], 1],
    ["4 where each adds to the throughput", [40, 75, 140], [30, 50, 90], 4],
    ["2 where 4 add hardly anything", [40, 72, 75], [30, 55, 56], 2],
    ["1 where the best adds less than a ninth", [40, 42, 44], [30, 31, 32], 1],
    ["between both kinds of prompts where they differ", [40, 80, 160], [30, 30, 30], 4],
    ["of the kind that was measured", [40, 75, 140], [null, null, null], 4],
    ["2 where 4 were not measured", [40, 75, null], [30, 55, null], 2],
    ["1 where only that was measured", [40, null, null], [30, null, null], 1],
    ["unknown where one at a time was not measured", [null, 75, 140], [null, 55, 90], null],
    ["unknown where nothing was measured", [], [], null],
    ["unknown where nothing can be compared", [0, 0, 0], [0, 0, 0], null],
  ])("is %s", (_what, short, long, value) => {
    const choice = chooseConcurrency([...measured("short", short), ...measured("long", long)]);

    expect(choice.value).toBe(value);
    expect(choice.reason).toMatch(/^[A-Z].*\.$/s);
  });

  it.each<[what: string, failed: readonly number[], value: number | null]>([
    ["4 at once", [0, 0, 1], 2],
    ["2 at once", [0, 12, 0], 4],
    ["2 and 4 at once", [0, 1, 1], 1],
    ["one at a time", [1, 0, 0], null],
    ["any number at once", [3, 3, 3], null],
  ])("is never one with which an answer failed: %s", (_what, failed, value) => {
    const choice = chooseConcurrency(measured("short", [40, 75, 140], failed));

    expect(choice.value).toBe(value);
    if (value !== null) expect(choice.reason).toContain("of 12 answers failed.");
  });

  it.each<[what: string, values: readonly (number | null)[], value: number | null]>([
    ["that of the only model", [4], 4],
    ["the smallest of several models", [4, 1, 2], 1],
    ["the one of the models for which there is one", [null, 2], 2],
    ["unknown where it is unknown for all", [null, null], null],
    ["unknown without models", [], null],
  ])("of all models is %s", (_what, values, value) => {
    const choices = values.map((each, index) => ({
      name: `model-${index}`,
      choice: { value: each, reason: "Measured." },
    }));

    expect(chooseForAll(choices).value).toBe(value);
  });
});
