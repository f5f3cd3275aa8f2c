import { describe, expect, it } from "vitest";
import type { OperationMetrics } from "../../src/lib/metrics-types.js";
import { MODEL, talker } from "./fixtures.js";

const CHAT = { path: "/v1/chat/completions" };
const QUICK = { retry: { retries: 2, initialPauseMs: 0 } };

const only = (operations: readonly OperationMetrics[], name: string): OperationMetrics => {
  const found = operations.filter(({ operation }) => operation === name);
  if (found[0] === undefined || found.length > 1) throw new Error(`${found.length} of ${name}`);
  return found[0];
};

describe("the metrics of a client", () => {
  it("count 12 after an outage of 12 completions, 4 of which failed", async () => {
    const { client, completions, service } = await talker({ text: "Yes." }, {}, QUICK);
    for await (const _event of client.streamComplete({ prompt: "1" }));
    await completions.wait(completions.start({ prompt: "2" }).state.id);
    await Promise.all(["3", "4", "5"].map((prompt) => client.complete({ prompt })));
    const three = ["6", "7", "8"].map((prompt) => ({ prompt }));
    for await (const { state } of client.completeBatch(three)) expect(state.error).toBeNull();

    const mend = service.addFault({ kind: "reset", on: CHAT });
    await client.complete({ prompt: "9" }).catch(() => null);
    const { id } = completions.start({ prompt: "10" }).state;
    expect(await completions.wait(id)).toMatchObject({ status: "failed" });
    await Promise.allSettled(["11", "12"].map((prompt) => client.complete({ prompt })));

    const failing = await client.healthCheck();
    expect(failing.totals).toMatchObject({ completed: 8, failed: 4, interrupted: 0, cancelled: 0 });
    expect(failing).toMatchObject({
      lastError: { operation: "complete", model: MODEL },
      problems: expect.arrayContaining([
        expect.objectContaining({
          what: expect.stringMatching(
            new RegExp(`The latest 4 completions of ${MODEL} failed, .* ago: [A-Z_]+ \\(`),
          ),
        }),
      ]),
    });
    expect(failing.status).toBe("degraded");
    const { errors } = only(client.metrics().operations, "complete");
    expect(Object.values(errors).reduce((sum, count) => sum + count, 0)).toBe(4);

    mend();
    await expect.poll(() => client.complete({ prompt: "13" }).catch(() => null)).not.toBeNull();
    expect(await client.healthCheck()).toMatchObject({ status: "healthy", problems: [] });
    expect(client.metrics().circuit.opened).toBe(client.metrics().circuit.closed);
  });

  it("count requests, retries and bytes of each call, and background requests apart", async () => {
    const { client, service } = await talker({ text: "Hello there." }, {}, QUICK);
    service.addFault({ kind: "status", status: 503, on: CHAT, times: 2 });
    await client.complete({ prompt: "x".repeat(5000) });
    await client.healthCheck();

    const { operations, background } = client.metrics();
    const { requests, retries, sentBytes, receivedBytes } = only(operations, "complete");
    // The request of a detection belongs to no call, although this one waited for it.
    expect(requests).toBeGreaterThanOrEqual(3);
    expect(retries).toBe(2);
    expect(sentBytes).toBeGreaterThan(3 * 5000);
    expect(sentBytes).toBeLessThan(4 * 5000);
    expect(receivedBytes).toBeGreaterThan(50);
    expect(background.requests).toBeGreaterThan(0);
    expect(requests + background.requests).toBe(service.requests.length);
  });

  it("contain the durations of completions, and of their wait in the queue", async () => {
    const { client } = await talker({ text: "a b c d e f g h i j" }, { tokensPerSecond: 50 });
    await Promise.all(["1", "2"].map((prompt) => client.complete({ prompt, maxTokens: 10 })));
    const { latencyMs, queueMs, firstTokenMs, tokensPerSecond, outputTokens } = only(
      client.metrics().operations,
      "complete",
    );
    expect(outputTokens).toBe(20);
    expect(latencyMs).toMatchObject({ count: 2 });
    expect(firstTokenMs).toMatchObject({ count: 2 });
    expect(queueMs?.count).toBe(2);
    expect(queueMs?.max).toBeGreaterThan(100);
    expect(tokensPerSecond?.p50).toBeGreaterThan(0);
    expect(tokensPerSecond?.p50).toBeLessThan(200);
  });

  it("count loads, unloads, lists and their errors by model", async () => {
    const { client } = await talker({}, { models: [{ id: MODEL }] });
    await client.loadModel(MODEL);
    await client.loadModel("no-such-model").catch(() => null);
    await client.unloadModel(MODEL);
    await client.listModels();
    const counts = client
      .metrics()
      .operations.map(({ operation, model, completed, failed, errors }) => [
        operation,
        model,
        completed,
        failed,
        errors,
      ]);
    expect(counts).toEqual([
      ["load", MODEL, 1, 0, {}],
      ["load", null, 0, 1, { MODEL_NOT_FOUND: 1 }],
      ["unload", MODEL, 1, 0, {}],
      ["list", null, 1, 0, {}],
    ]);
  });

  it("count a call that its caller ended as cancelled, and not as an error", async () => {
    const { client, service } = await talker(
      { text: "On. ", forever: true },
      { tokensPerSecond: 50 },
    );
    for await (const event of client.streamComplete({ prompt: "Go", maxTokens: 3000 })) {
      if (event.type === "text") break;
    }
    await client.listModels({ signal: AbortSignal.abort() }).catch(() => null);
    await service.waitFor(({ generating }) => generating === 0);
    const { operations, lastError } = client.metrics();
    expect(only(operations, "complete")).toMatchObject({ cancelled: 1, errors: {} });
    expect(lastError).toBeNull();
  });
});
