import { expect, test } from "vitest";
import {
  ANSWER,
  chatRequest,
  ENDLESS,
  endlessCompletion,
  ordinaryAnswer,
  PROMPT_ANSWER,
  simulated,
  wireHostOn,
} from "./simulated.js";

/** The figure, from the notification to the closed connection. */
const CLOSED_WITHIN_MS = 1000;
/** A busy machine may be late once; a slow server is late each time. */
const TRIES = 3;

const services = [
  ["the newest C2", { version: "2.2.1" }],
  ["an old C2", { version: "2.0.1" }],
  ["an OpenAI-compatible engine", { dialect: "openai" }],
] as const;

test.for(services)(
  "cancelling complete closes the upstream request at once, on %s",
  async ([, service]) => {
    const simulator = await simulated(service);
    const host = await wireHostOn(simulator.url);

    const took: number[] = [];
    for (let time = 0; time < TRIES; time += 1) {
      const call = await endlessCompletion(host, simulator);
      const running = chatRequest(simulator);
      const cancelledAt = performance.now();
      host.notify("notifications/cancelled", { requestId: call, reason: "User pressed stop" });
      await simulator.waitFor(() => running.endedBy === "client-gone");
      took.push(Number(running.closedAt) - cancelledAt);
    }

    expect(Math.min(...took)).toBeLessThan(CLOSED_WITHIN_MS);
  },
);

test("a cancelled call gets no answer, and a ping beside it is answered at once", async () => {
  const simulator = await simulated();
  const host = await wireHostOn(simulator.url);
  const call = await endlessCompletion(host, simulator);

  const whileRunning = await host.request("ping");
  host.notify("notifications/cancelled", { requestId: call });
  const afterwards = await host.request("ping");
  const next = await ordinaryAnswer(host);
  host.endInput();
  await host.ended;

  expect(whileRunning).toMatchObject({ result: {} });
  expect(afterwards).toMatchObject({ result: {} });
  expect(next).toBe(ANSWER);
  expect(host.answers(call)).toEqual([]);
});

test("only the cancelled one of two calls ends", async () => {
  const simulator = await simulated();
  const host = await wireHostOn(simulator.url);
  const cancelled = await endlessCompletion(host, simulator);
  const other = host.call("complete", { prompt: "Go on.", model: ENDLESS, max_tokens: 20 });
  await simulator.waitFor(({ generating }) => generating === 2);

  host.notify("notifications/cancelled", { requestId: cancelled });

  const { result } = await host.answerTo(other);
  expect(result).toMatchObject({ structuredContent: { usage: { output_tokens: 20 } } });
  expect(host.answers(cancelled)).toEqual([]);
});

test("a call can be cancelled while its model is loading, and the load continues", async () => {
  const simulator = await simulated({
    // So long that a busy machine answers a ping meanwhile.
    models: [{ id: "late:1", loadMs: 8000, script: { text: ANSWER } }],
  });
  const host = await wireHostOn(simulator.url);
  const call = host.call("complete", { prompt: "Hello" });
  await simulator.waitFor(({ requests }) => requests.some(({ path }) => path.includes("/load/")));

  host.notify("notifications/cancelled", { requestId: call });
  const pinged = await host.request("ping");
  const loadedYet = simulator.loaded;
  await simulator.waitFor(({ loaded }) => loaded.length === 1, 60_000);
  const { result } = await host.answerTo(host.call("complete", { prompt: "Hello" }));

  expect(pinged).toMatchObject({ result: {} });
  expect(loadedYet).toEqual([]);
  expect(result).toMatchObject({ structuredContent: { text: ANSWER } });
  const loads = simulator.requests.filter(({ path }) => path.includes("/models/load/"));
  expect(loads.map(({ endedBy }) => endedBy)).toEqual(["answered"]);
  expect(host.answers(call)).toEqual([]);
});

test("cancelling a finished or unknown call changes nothing", async () => {
  const simulator = await simulated();
  const host = await wireHostOn(simulator.url);
  const call = host.call("complete", { prompt: "Hello", model: PROMPT_ANSWER });
  await host.answerTo(call);

  host.notify("notifications/cancelled", { requestId: call });
  host.notify("notifications/cancelled", { requestId: 4711 });
  host.notify("notifications/cancelled", {});

  expect(await ordinaryAnswer(host)).toBe(ANSWER);
  expect(host.answers(call)).toHaveLength(1);
});
