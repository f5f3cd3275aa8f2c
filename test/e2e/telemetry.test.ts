import { expect, test } from "vitest";
import { collector } from "../commands/telemetry/collector.js";
import { hostOn, PROMPT_ANSWER, simulated } from "./simulated.js";

test("a server with FOUNDRY_OTEL sends its spans and metrics at its end, at the latest", async () => {
  const receiver = await collector();
  const simulator = await simulated();
  const sent = async () => {
    const host = await hostOn(simulator.url, { FOUNDRY_OTEL: receiver.url });
    await host.complete({ prompt: "Hello", model: PROMPT_ANSWER });
    await host.close();
    return receiver.latest.metrics.length > 0 && receiver.spans.length > 0;
  };
  // Another server, where the 1.5 s that a server has for its last messages were too short on a busy machine.
  await expect.poll(sent).toBe(true);
  expect(receiver.faults).toEqual([]);
  expect(receiver.spans[0]).toMatchObject({ name: `chat ${PROMPT_ANSWER}` });
});
