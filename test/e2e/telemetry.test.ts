import { expect, test } from "vitest";
import { collector } from "../commands/telemetry/collector.js";
import { hostOn, PROMPT_ANSWER, simulated } from "./simulated.js";

test("a server with FOUNDRY_OTEL sends its spans and metrics at its end, at the latest", async () => {
  const receiver = await collector();
  const simulator = await simulated();
  const host = await hostOn(simulator.url, { FOUNDRY_OTEL: receiver.url });
  await host.complete({ prompt: "Hello", model: PROMPT_ANSWER });
  await host.close();
  await expect.poll(() => receiver.latest.metrics.length).toBeGreaterThan(0);
  expect(receiver.faults).toEqual([]);
  expect(receiver.spans).toMatchObject([{ name: `chat ${PROMPT_ANSWER}` }]);
});
