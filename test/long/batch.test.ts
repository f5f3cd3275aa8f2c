import { startSimulator } from "foundry-local-simulator";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { hostOn } from "../e2e/simulated.js";

const answerSchema = z.object({
  results: z.array(
    z.looseObject({
      index: z.number(),
      status: z.string(),
      text: z.string(),
      error: z.looseObject({ code: z.string() }).optional(),
    }),
  ),
  counts: z.record(z.string(), z.number()),
  pending: z.array(z.string()),
});

test("ten calls return the results of 500 items, every tenth failed, each once in its place", async () => {
  const simulator = await startSimulator({
    models: [
      {
        id: "talker-generic-cpu:1",
        loaded: true,
        script: ({ text }) => {
          const answer = { text: `${text} ${"and so on ".repeat(125)}` };
          return Number(/\d+/.exec(text)) % 20 === 10 ? { ...answer, failAfterTokens: 5 } : answer;
        },
      },
    ],
  });
  onTestFinished(() => simulator.close());
  const host = await hostOn(simulator.url, { FOUNDRY_RETRIES: "0" });
  const prompts = Array.from({ length: 500 }, (_, index) =>
    index % 20 === 0 ? "" : `Item ${index}.`,
  );
  const call = async (given: Record<string, unknown>) =>
    answerSchema.parse((await host.call("complete_batch", { batch_id: "big", ...given })).result);

  let answer = await call({ prompts, max_tokens: 2000, reply_within: 0 });
  const results = [...answer.results];
  let calls = 1;
  while (answer.pending.length > 0) {
    answer = await call({ reply_within: 20 });
    results.push(...answer.results);
    calls += 1;
  }

  expect(calls).toBeGreaterThanOrEqual(10);
  expect(results.map(({ index }) => index).sort((a, b) => a - b)).toEqual(prompts.map((_, i) => i));
  for (const { index, text, error } of results) {
    if (index % 20 === 0) expect(error?.code).toBe("INVALID_ARGUMENT");
    else if (index % 20 === 10) expect(error?.code).toBe("INFERENCE_FAILED");
    else expect(text.startsWith(`Item ${index}. and so on`)).toBe(true);
  }
  expect(answer.counts).toMatchObject({ completed: 450, failed: 25, interrupted: 25 });
  // Items refused by the client send no request, and no request is sent twice.
  expect(simulator.requests.filter(({ path }) => path.includes("/chat/"))).toHaveLength(475);
});
