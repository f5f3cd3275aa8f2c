import { type Simulator, startSimulator } from "foundry-local-simulator";
import { expect } from "vitest";

const QUICK = "quick-generic-cpu:1";
const SLOW = "slow-generic-cpu:1";
const STEPS = Array.from({ length: 80 }, (_, index) => `Step ${index + 1}. `);
export const ANSWER = "Hello from a tiny model.";
/** The last words of the long answer. */
export const END = "The end.";
/** The long answer takes 8 s at the default speed, which is longer than these settings let a call take. */
export const SCALED_SETTINGS = { FOUNDRY_REPLY_WITHIN: "4.5" };

/** The calls of a model, in order. The answer to the last one is long. */
export const CALLS = [
  ["complete", { prompt: "Say hello.", model: QUICK }],
  ["complete_batch", { prompts: ["one", "two"], model: QUICK }],
  ["complete", { prompt: "Say hello.", model: "gpt-9" }],
  ["complete", { prompt: "Write a long story.", model: SLOW }],
] as const;

export const startModels = (tokensPerSecond = 10): Promise<Simulator> =>
  startSimulator({
    models: [
      { id: QUICK, script: { text: ANSWER }, loaded: true },
      { id: SLOW, script: { tokens: [...STEPS, END] }, tokensPerSecond, loaded: true },
    ],
  });

/** Checks what a model was shown of each call, and returns what it was shown of the long answer. */
export function expectAllShown(shown: readonly string[]): readonly string[] {
  const [short, batch = "", failure, ...long] = shown;
  const whole = long.join("\n");
  expect(short).toContain(ANSWER);
  expect(batch.split(ANSWER).length - 1).toBeGreaterThanOrEqual(2);
  expect(failure).toContain("MODEL_NOT_FOUND");
  expect(long.at(-1)).toContain(END);
  expect(STEPS.filter((step) => !whole.includes(step.trim()))).toEqual([]);
  return long;
}
