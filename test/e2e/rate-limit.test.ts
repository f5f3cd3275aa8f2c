import { expect, test } from "vitest";
import { ENDLESS, hostOn, PROMPT_ANSWER, simulated } from "./simulated.js";

const chatsOf = ({ requests }: Awaited<ReturnType<typeof simulated>>): number =>
  requests.filter(({ path }) => path.endsWith("/v1/chat/completions")).length;

test("a completion above the rate limit waits with its place and an estimate, is shown by health_check, and can be cancelled", async () => {
  const simulator = await simulated();
  // The second start is half a minute after the first.
  const host = await hostOn(simulator.url, { FOUNDRY_RATE_LIMIT: "2" });
  const first = await host.complete({ prompt: "Hello", model: PROMPT_ANSWER });
  const second = await host.complete({ prompt: "Go on.", model: ENDLESS, reply_within: 2 });
  const health = await host.call("health_check", {});
  const cancelled = await host.call("cancel_completion", {
    completion_id: second.result["completion_id"],
  });

  expect(first.isError).toBe(false);
  expect(second.result).toMatchObject({ status: "queued", place: 1, eta_s: expect.any(Number) });
  expect(second.text).toMatch(/^Not finished: waiting, place 1, about \d+ s\./);
  expect(health.result).toMatchObject({
    queue: { running: 0, waiting: 1 },
    rate_limit: { per_minute: 2, next_start_in_ms: expect.any(Number) },
  });
  expect(health.text).toMatch(/^Queue: \d+ running, 1 waiting$/m);
  expect(health.text).toMatch(/^Rate limit: 2 completion starts a minute, the next in \d+ s$/m);
  expect(cancelled.result).toMatchObject({ status: "cancelled" });
  expect(chatsOf(simulator)).toBe(1);
});

test("completions above the rate limit start later, and all are answered", async () => {
  const simulator = await simulated();
  const host = await hostOn(simulator.url, { FOUNDRY_RATE_LIMIT: "60" });
  const batch = await host.call("complete_batch", {
    prompts: ["one", "two", "three"],
    model: PROMPT_ANSWER,
    reply_within: 30,
  });

  expect(batch.result).toMatchObject({
    results: [{ status: "completed" }, { status: "completed" }, { status: "completed" }],
  });
  expect(chatsOf(simulator)).toBe(3);
});
