import { expect, it } from "vitest";
import type { Completion } from "../../../src/foundry/index.js";
import { learnSpeed, measuredSpeed, SpeedMemory } from "../../../src/foundry/speed-memory.js";
import { temporaryFolder } from "../../temporary-folder.js";
import { knownModel } from "../models/known-model.js";

const completion = (facts: Partial<Completion> = {}): Completion => ({
  id: "1",
  status: "completed",
  text: "An answer.",
  reasoning: null,
  finishReason: "stop",
  model: "phi-generic-cpu:1",
  usage: { inputTokens: 1000, outputTokens: 100, estimated: false },
  timing: { queuedMs: 0, loadMs: 0, firstTokenMs: 2000, totalMs: 9000, tokensPerSecond: 20 },
  attempts: 1,
  cached: false,
  warnings: [],
  ...facts,
});

const { usage, timing } = completion();

const ENDED = { failure: null, isOnThisMachine: true, hiddenTokens: 0 };

it.each<[what: string, facts: Partial<Completion>, speed: unknown]>([
  ["all of it", {}, { tokensPerSecond: 20, promptTokensPerSecond: 500 }],
  [
    "not of the prompt where it is short",
    { usage: { ...usage, inputTokens: 50 } },
    { tokensPerSecond: 20, promptTokensPerSecond: null },
  ],
  [
    "not of the prompt where a cache may have had it",
    { timing: { ...timing, firstTokenMs: 40 } },
    { tokensPerSecond: 20, promptTokensPerSecond: null },
  ],
  [
    "not of the answer where it is short",
    { usage: { ...usage, outputTokens: 3 } },
    { tokensPerSecond: null, promptTokensPerSecond: 500 },
  ],
  ["nothing of a cached answer", { cached: true }, null],
  ["nothing of an answer that failed", { status: "interrupted" }, null],
  ["nothing of a request that was sent again", { attempts: 2 }, null],
  ["nothing of a request that was not sent", { attempts: 0 }, null],
  ["nothing of simulated text", { text: "This is simulated text from the simulator" }, null],
  ["nothing of a simulated thought", { reasoning: "\nThis thought is simulated.\n" }, null],
  [
    "nothing where nothing was counted",
    { usage: { ...usage, inputTokens: null, outputTokens: null } },
    null,
  ],
])("a completion shows of the speed %s", (_what, facts, speed) => {
  expect(measuredSpeed(completion(facts))).toEqual(speed);
});

it("the speed of an answer with hidden thinking is not stored", async () => {
  const memory = new SpeedMemory({ directory: await temporaryFolder("speeds-") });
  const learnFor = (id: string, hiddenTokens: number): void => {
    const done = completion({ model: id });
    learnSpeed(memory, { ...ENDED, completion: done, model: knownModel(id), hiddenTokens });
  };
  learnFor("qwen3-generic-cpu:1", 20);
  learnFor("phi-generic-cpu:1", 3);
  await expect.poll(() => memory.ofId("phi-generic-cpu:1")).not.toBeNull();
  expect(memory.ofId("qwen3-generic-cpu:1")).toBeNull();
});

it("the speed of a variant that replaced the chosen one is not stored for the chosen one", async () => {
  const memory = new SpeedMemory({ directory: await temporaryFolder("speeds-") });
  const learnFor = (id: string): void =>
    learnSpeed(memory, { ...ENDED, completion: completion(), model: knownModel(id) });
  learnFor("phi-cuda-gpu:1");
  learnFor("phi-generic-cpu:1");
  await expect.poll(() => memory.ofId("phi-generic-cpu:1")).not.toBeNull();
  expect(memory.ofId("phi-cuda-gpu:1")).toBeNull();
});
