import { type Simulator, startSimulator } from "foundry-local-simulator";
import { afterAll, expect, it } from "vitest";
import { MODELS, PROMPT_ANSWER } from "../../e2e/simulated.js";
import { expectNoGrowth, type Memory } from "./memory.js";
import { hold, INPUTS, TEST_TIMEOUT_MS, WARM_UP_RUNS } from "./plan.js";
import { input } from "./stdin-inputs.js";
import { Subject } from "./subject.js";

let subject: Subject | null = null;
let service: Simulator | null = null;
afterAll(async () => {
  await subject?.destroy();
  await service?.close();
});

it(`keeps serving through ${INPUTS} inputs, and answers each id once`, {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  service = await startSimulator({ models: MODELS.filter(({ id }) => id === PROMPT_ANSWER) });
  const { url } = service;
  let runs = 0;
  const memory: Memory[] = [];
  await hold("stdin", input, async (inputs) => {
    subject ??= await Subject.start(url);
    const current = subject;
    try {
      for (const given of inputs) await current.take(given);
      expect(await current.settle()).toEqual([]);
    } catch (thrown) {
      // The following runs start with a healthy process.
      subject = null;
      await current.destroy();
      throw thrown;
    }
    runs += 1;
    if (runs === WARM_UP_RUNS) memory.push(...(await current.memory()));
  });
  memory.push(...((await subject?.memory()) ?? []));
  expectNoGrowth(memory);
});
