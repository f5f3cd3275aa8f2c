import { expect, test } from "vitest";
import { ANSWER, hostOn, PROMPT_ANSWER, simulated } from "./simulated.js";

test("an identical request at temperature 0 is answered from the cache, and the result contains the age of the answer", async () => {
  const simulator = await simulated();
  const host = await hostOn(simulator.url, { FOUNDRY_CACHE: "10" });
  const asked = { prompt: "Hello", model: PROMPT_ANSWER, temperature: 0 };
  const first = await host.complete(asked);
  const second = await host.complete(asked);
  const sampled = await host.complete({ ...asked, temperature: 1 });
  const health = await host.call("health_check", {});

  expect(first.result).toMatchObject({ text: ANSWER });
  expect(first.result).not.toHaveProperty("cached");
  expect(second.result).toMatchObject({
    status: "completed",
    text: ANSWER,
    cached: true,
    cached_age_s: expect.any(Number),
  });
  expect(second.text).toMatch(/From the cache: the answer to the same request \d+ s ago\./);
  expect(sampled.result).not.toHaveProperty("cached");
  const chats = simulator.requests.filter(({ path }) => path.endsWith("/v1/chat/completions"));
  expect(chats).toHaveLength(2);
  expect(health.result).toMatchObject({ cache: { entries: 1, hits: 1 } });
  expect(health.text).toMatch(/^Cache: 1 stored, 1 used$/m);
});
