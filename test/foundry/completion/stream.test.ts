import { describe, expect, it } from "vitest";
import { askedOf, clientOf, simulate } from "../fixtures.js";

const CHAT = "/v1/chat/completions";
const endless = {
  id: "endless-generic-cpu:1",
  alias: "endless",
  loaded: true,
  contextLength: 10_000_000,
  script: { text: "And so on. ", forever: true },
};
const FOR_LONG = { prompt: "Hi", model: "endless", maxTokens: 1_000_000 };

describe("leaving a stream while waiting for an event", () => {
  it("closes the request before the first token, at once", async () => {
    const simulator = await simulate({ models: [endless], firstTokenMs: 600_000 });
    const stream = clientOf(simulator.url).streamComplete(FOR_LONG);
    const events = stream[Symbol.asyncIterator]();
    expect(await events.next()).toMatchObject({ value: { status: "running" } });
    const pending = events.next();
    await simulator.waitFor(() => askedOf(simulator, CHAT).length === 1);
    await events.return?.();
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(await events.next()).toEqual({ done: true, value: undefined });
    expect(stream.snapshot()).toMatchObject({ status: "cancelled", text: "" });
    await simulator.waitFor(() => askedOf(simulator, CHAT)[0]?.endedBy === "client-gone");
  });

  it("closes the request in the middle, and keeps the text", async () => {
    const simulator = await simulate({ models: [endless] });
    simulator.addFault({ kind: "stall", afterEvents: 4, on: { path: CHAT } });
    const stream = clientOf(simulator.url).streamComplete(FOR_LONG);
    const events = stream[Symbol.asyncIterator]();
    // `running`, three tokens, and then nothing for minutes.
    for (let count = 0; count < 4; count++) await events.next();
    const pending = events.next();
    await events.return?.();
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(stream.snapshot()).toMatchObject({ status: "cancelled", text: "And so on" });
    await simulator.waitFor(() => askedOf(simulator, CHAT)[0]?.endedBy === "client-gone");
  });

  it("stops waiting for a load", async () => {
    const simulator = await simulate({
      models: [{ ...endless, loaded: false }],
      loadMs: 600_000,
    });
    const stream = clientOf(simulator.url).streamComplete(FOR_LONG);
    const events = stream[Symbol.asyncIterator]();
    await events.next();
    const pending = events.next();
    await simulator.waitFor(() => askedOf(simulator, "/models/load/").length === 1);
    await events.return?.();
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(stream.snapshot().status).toBe("cancelled");
  });

  it("that never began cancels it, too, and sends no request", async () => {
    const simulator = await simulate({ models: [endless] });
    const stream = clientOf(simulator.url).streamComplete(FOR_LONG);
    await stream[Symbol.asyncIterator]().return?.();
    expect(stream.snapshot().status).toBe("cancelled");
    expect(simulator.requests).toEqual([]);
  });
});
