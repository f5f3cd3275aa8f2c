import { describe, expect, it } from "vitest";
import type { FoundryClient } from "../../src/jobs/index.js";
import { clientOf, simulate } from "../foundry/fixtures.js";

/** A model that never answers during a test. */
const STUCK = { models: [{ id: "tiny:1", loaded: true }], firstTokenMs: 600_000 };

interface Given {
  readonly client: FoundryClient;
  readonly signal: AbortSignal;
}

const REQUEST = { prompt: "Hi" };

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const come: T[] = [];
  for await (const item of items) come.push(item);
  return come;
}

const CALLS: readonly (readonly [name: string, call: (given: Given) => Promise<unknown>])[] = [
  ["complete", ({ client, signal }) => client.complete(REQUEST, { signal })],
  ["streamComplete", ({ client, signal }) => all(client.streamComplete(REQUEST, { signal }))],
  ["completeBatch", ({ client, signal }) => all(client.completeBatch([REQUEST], { signal }))],
  [
    "completions.wait",
    ({ client: { completions }, signal }) =>
      completions.wait(completions.start(REQUEST).state.id, { signal }),
  ],
];

const QUICK_CALLS: typeof CALLS = [
  ["listModels", ({ client, signal }) => client.listModels({ signal })],
  ["loadModel", ({ client, signal }) => client.loadModel("tiny", { signal })],
  ["unloadModel", ({ client, signal }) => client.unloadModel("tiny", { signal })],
];

describe("a call whose signal is aborted", () => {
  it.each(CALLS)(
    "%s: fails with TIMEOUT and the reason if a time limit expired",
    async (_n, call) => {
      const simulator = await simulate(STUCK);
      const signal = AbortSignal.timeout(50);
      await expect(call({ client: clientOf(simulator.url), signal })).rejects.toMatchObject({
        code: "TIMEOUT",
        phase: "whole",
        retryable: true,
        message: "The call did not end within the time limit of its signal.",
        action: expect.stringMatching(/^Give the call more time\./),
        cause: expect.objectContaining({ name: "TimeoutError" }),
      });
    },
  );

  it.each(CALLS)("%s: fails with CANCELLED after any other abort", async (_n, call) => {
    const simulator = await simulate(STUCK);
    const leaving = new AbortController();
    const reason = new Error("The window was closed.");
    const calling = call({ client: clientOf(simulator.url), signal: leaving.signal });
    leaving.abort(reason);
    await expect(calling).rejects.toMatchObject({ code: "CANCELLED", cause: reason });
  });

  it.each([...CALLS.slice(0, 3), ...QUICK_CALLS])(
    "%s: sends nothing if the signal was already aborted",
    async (_name, call) => {
      const simulator = await simulate(STUCK);
      const client = clientOf(simulator.url);
      for (const signal of [AbortSignal.abort("first"), AbortSignal.abort("again")]) {
        await expect(call({ client, signal })).rejects.toMatchObject({
          code: "CANCELLED",
          cause: signal.reason,
        });
      }
      await client.close();
      expect(simulator.requests).toEqual([]);
    },
  );

  it.each([
    ["AbortSignal.abort()", AbortSignal.abort(), "The call was cancelled."],
    [
      "a passed time limit",
      AbortSignal.abort(new DOMException("late", "TimeoutError")),
      "The call did not end within the time limit of its signal.",
    ],
  ])("healthCheck after %s sends nothing and reports it", async (_name, signal, what) => {
    const simulator = await simulate(STUCK);
    const client = clientOf(simulator.url);
    expect(await client.healthCheck({ signal })).toMatchObject({ problems: [{ what }] });
    await client.close();
    expect(simulator.requests).toEqual([]);
  });

  it("counts a time limit among several signals as a time limit", async () => {
    const simulator = await simulate(STUCK);
    const signal = AbortSignal.any([new AbortController().signal, AbortSignal.timeout(20)]);
    const calling = clientOf(simulator.url).complete(REQUEST, { signal });
    await expect(calling).rejects.toMatchObject({ code: "TIMEOUT" });
  });
});
