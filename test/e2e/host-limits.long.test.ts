import { describe, expect, test } from "vitest";
import { hostOn, simulated } from "./simulated.js";
import { WireHost } from "./wire-host.js";

const MODEL = "teller-generic-cpu:1";
/** A model whose answer takes much longer than any limit here. */
const slow = () =>
  simulated({
    models: [{ id: MODEL, loaded: true, script: { text: "On and on. ", forever: true } }],
    tokensPerSecond: 20,
  });
const given = (prompt: string) => ({ prompt, model: MODEL, max_tokens: 3000 });
const UNCLEAR = ["MCP request cancelled by caller", "AbortError: The operation was aborted."];

test("a host is answered within its time limit after its first timeout, and no text is lost", async () => {
  const { url } = await slow();
  const host = await hostOn(url);
  // The server uses four fifths of it: the rest is room for a busy machine.
  const limit = { timeoutMs: 12_000 };

  await expect(host.complete(given("first"), limit)).rejects.toThrow("Request timed out");
  const again = await host.complete(given("first"), limit);
  const other = await host.complete(given("second"), limit);
  const health = await host.call("health_check");

  expect(again.result).toMatchObject({ next_from: expect.any(Number), joined: true });
  expect(other.result).not.toHaveProperty("joined");
  expect(health.result).not.toHaveProperty("totals.cancelled");
  expect(health.result).not.toHaveProperty("totals.failed");
});

test("a host that gives up silently and repeats the call gets the same completion in both answers", async () => {
  const simulator = await slow();
  const host = await WireHost.start({
    FOUNDRY_ENDPOINT: simulator.url,
    FOUNDRY_LOG_LEVEL: "warn",
  });

  const first = host.call("complete", { ...given("first"), reply_within: 15 });
  await simulator.waitFor(({ generating }) => generating === 1);
  await new Promise((resolve) => setTimeout(resolve, 5500));
  const second = await host.answerTo(host.call("complete", { ...given("first"), reply_within: 1 }));
  const separate = await host.answerTo(
    host.call("complete", { ...given("first"), reply_within: 1, join: false }),
  );
  const gaveUp = await host.answerTo(first);

  const idOf = (message: typeof second): unknown =>
    Object(message.result?.["structuredContent"]).completion_id;
  expect(second.result).toMatchObject({ structuredContent: { joined: true } });
  expect(idOf(second)).toBe(idOf(gaveUp));
  expect(separate.result?.["structuredContent"]).not.toHaveProperty("joined");
});

describe.each(UNCLEAR)("a cancellation for %j", (reason) => {
  test("does not stop the work at once, and the repeated call joins it", async () => {
    const simulator = await slow();
    const host = await WireHost.start({
      FOUNDRY_ENDPOINT: simulator.url,
      FOUNDRY_LOG_LEVEL: "warn",
    });
    const call = host.call("complete", given("first"));
    await simulator.waitFor(({ generating }) => generating === 1);
    host.notify("notifications/cancelled", { requestId: call, reason });
    const again = await host.answerTo(
      host.call("complete", { ...given("first"), reply_within: 0 }),
    );

    expect(again.result).toMatchObject({ structuredContent: { joined: true, status: "running" } });
    expect(simulator.generating).toBe(1);
    expect(host.answers(call)).toEqual([]);
  });

  test("keeps neither the process nor its work alive when the host has gone", async () => {
    const simulator = await slow();
    const host = await WireHost.start({
      FOUNDRY_ENDPOINT: simulator.url,
      FOUNDRY_LOG_LEVEL: "warn",
    });
    const call = host.call("complete", given("first"));
    await simulator.waitFor(({ generating }) => generating === 1);
    host.notify("notifications/cancelled", { requestId: call, reason });
    host.endInput();
    await host.ended;
    await simulator.waitFor(({ generating }) => generating === 0);

    expect(host.answers(call)).toEqual([]);
  });
});
