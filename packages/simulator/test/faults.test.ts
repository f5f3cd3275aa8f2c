import { describe, expect, expectTypeOf, it } from "vitest";
import type { FaultKind } from "../src/faults/armed.js";
import { type Fault, startSimulator } from "../src/index.js";
import { chat, dataOf, get, jsonOf, MODEL } from "./ask.js";

const TALKER = { id: MODEL, loaded: true, script: { text: "one two three four" } };
const CHUNKS_OF_A_WHOLE_STREAM = 7;

async function streamWith(fault: Fault | string) {
  await using simulator = await startSimulator({ models: [TALKER] });
  simulator.addFault(fault);
  const answer = await chat(simulator.url, { stream: true });
  const [request] = simulator.requests;
  return { answer, text: answer.chunks.join(""), request };
}

async function getWith(fault: Fault | string) {
  await using simulator = await startSimulator({ models: [TALKER] });
  simulator.addFault(fault);
  return await get(simulator.url, "/v1/models");
}

it.each([
  "split,bytes=1",
  "split,bytes=1+2",
  "error-event,message=503",
  "comments,text=1",
  "status,status=500,body=true",
  "no-done,finishReason=false,times=2",
])("the fault %s is read in the types of its settings", async (text) => {
  await using simulator = await startSimulator({ models: [TALKER] });
  expect(() => simulator.addFault(text)).not.toThrow();
});

describe("a fault instead of an answer", () => {
  it("resets before any byte", async () => {
    const { answer, request } = await streamWith({ kind: "reset" });
    expect(answer).toEqual({ chunks: [], connection: "ECONNRESET" });
    expect(request).toMatchObject({ endedBy: "fault", fault: "reset", status: null });
    expect(request?.body).toMatchObject({ model: MODEL });
  });

  it("closes before any byte", async () => {
    const { answer } = await streamWith({ kind: "close" });
    const connection = "closed by the service before the end of its answer";
    expect(answer).toEqual({ chunks: [], connection });
  });

  it("may be any status with any body and headers", async () => {
    const answer = await getWith("status,status=503,header=Retry-After:2,body=wait");
    expect(answer).toMatchObject({ status: 503, chunks: ["wait"] });
    expect(answer.headers).toContainEqual(["Retry-After", "2"]);
  });

  it("is HTML with 200", async () => {
    const answer = await getWith({ kind: "html" });
    expect(answer.status).toBe(200);
    expect(answer.headers).toContainEqual(["Content-Type", "text/html; charset=utf-8"]);
    expect(answer.chunks.join("")).toMatch(/^<!doctype html>/);
  });

  it("is 200 without a body", async () => {
    expect(await getWith({ kind: "empty" })).toMatchObject({ status: 200, chunks: [] });
  });
});

describe("a fault in an answer", () => {
  it("cuts a JSON body in half, with a matching Content-Length", async () => {
    const whole = await getWith({ kind: "slow-body", bytes: 1000, everyMs: 0 });
    const half = await getWith({ kind: "half-json" });
    const text = half.chunks.join("");
    expect(text).toBe(whole.chunks.join("").slice(0, text.length));
    expect(half.headers).toContainEqual(["Content-Length", String(text.length)]);
    expect(() => jsonOf(half)).toThrow(SyntaxError);
  });

  it("gives another Content-Type", async () => {
    const answer = await getWith({ kind: "content-type", value: "text/plain" });
    expect(answer.headers).toContainEqual(["Content-Type", "text/plain"]);
    expect(jsonOf(answer)).toMatchObject({ object: "list" });
  });

  it("sends a body slowly", async () => {
    const started = performance.now();
    const answer = await getWith({ kind: "slow-body", bytes: 20, everyMs: 20 });
    expect(answer.chunks.length).toBeGreaterThan(4);
    expect(performance.now() - started).toBeGreaterThan(4 * 20);
    expect(jsonOf(answer)).toMatchObject({ object: "list" });
  });

  it("resets or closes after a number of bytes", async () => {
    const reset = await getWith({ kind: "reset-after", bytes: 10 });
    expect(reset.chunks.join("")).toBe('{"data":[{'.slice(0, reset.chunks.join("").length));
    expect(reset.connection).toBe("ECONNRESET");
    const close = await getWith({ kind: "close-after", bytes: 10 });
    expect(close).toMatchObject({
      chunks: ['{"data":[{'],
      connection: "closed by the service before the end of its answer",
    });
  });
});

describe("a fault in a stream", () => {
  it("closes after a number of events", async () => {
    const { answer, request } = await streamWith({ kind: "close-after", events: 3 });
    expect(dataOf(answer)).toHaveLength(3);
    expect(answer.connection).toBe("closed by the service before the end of its answer");
    expect(request?.endedBy).toBe("fault");
  });

  it("resets after a number of events", async () => {
    const { answer } = await streamWith({ kind: "reset-after", events: 2 });
    expect(dataOf(answer).length).toBeLessThanOrEqual(2);
    expect(answer.connection).toBe("ECONNRESET");
  });

  it("ends properly without [DONE], with and without a finish_reason", async () => {
    const finished = await streamWith({ kind: "no-done" });
    expect(finished.answer.connection).toBeUndefined();
    expect(finished.text).not.toContain("[DONE]");
    expect(finished.text).toContain('"finish_reason":"stop"');
    const unfinished = await streamWith("no-done,finishReason=false");
    expect(unfinished.answer.connection).toBeUndefined();
    expect(unfinished.text).not.toContain("[DONE]");
    expect(unfinished.text).not.toContain('"finish_reason":"stop"');
    expect(unfinished.text).toContain('"content":" four"');
  });

  it("ends properly after a number of events", async () => {
    const { answer } = await streamWith({ kind: "end-after", events: 2 });
    expect(answer.connection).toBeUndefined();
    expect(dataOf(answer)).toHaveLength(2);
  });

  it("sends an error after a number of events and ends", async () => {
    const { answer } = await streamWith({
      kind: "error-event",
      afterEvents: 2,
      message: "no more",
    });
    expect(dataOf(answer)).toHaveLength(3);
    expect(dataOf(answer).at(-1)).toMatchObject({ error: { message: "no more" } });
    expect(answer.connection).toBeUndefined();
  });

  it("sends garbage between its events", async () => {
    const { text } = await streamWith({ kind: "garbage-sse", afterEvents: 1 });
    expect(text).toContain('data: {"choices":[{"del\nnonsense\n\n');
    expect(text).toMatch(/data: \[DONE\]\n\n$/);
  });

  it("is split at the given lengths, regardless of its content", async () => {
    const { answer } = await streamWith({ kind: "split", bytes: [1, 7] });
    expect(answer.chunks.slice(0, 4).map((chunk) => chunk.length)).toEqual([1, 7, 1, 7]);
    expect(dataOf(answer)).toHaveLength(CHUNKS_OF_A_WHOLE_STREAM);
  });

  it("sends several events in one chunk, and loses none", async () => {
    const { answer } = await streamWith({ kind: "merge", events: 3 });
    expect(answer.chunks.map((chunk) => chunk.split("\n\n").length - 1)).toEqual([3, 3, 1]);
    expect(dataOf(answer)).toHaveLength(CHUNKS_OF_A_WHOLE_STREAM);
  });

  it("has CRLF at the ends of its lines", async () => {
    const { text } = await streamWith({ kind: "crlf" });
    expect(text).toMatch(/data: \[DONE\]\r\n\r\n$/);
    expect(text.replaceAll("\r\n", "")).not.toContain("\n");
  });

  it("has a comment before each event", async () => {
    const { text } = await streamWith({ kind: "comments", text: "hm" });
    expect(text.match(/^: hm$/gm)).toHaveLength(CHUNKS_OF_A_WHOLE_STREAM);
  });
});

describe("a fault that never answers", () => {
  const waits: [string, Fault, number][] = [
    ["before the headers", { kind: "hang" }, 0],
    ["after the headers", { kind: "hang-after-headers" }, 0],
    ["after so many events", { kind: "stall", afterEvents: 2 }, 2],
    ["with comments only", { kind: "only-comments", everyMs: 10 }, 0],
  ];

  it.each(waits)("waits %s until the client leaves", async (_, fault, events) => {
    await using simulator = await startSimulator({ models: [TALKER] });
    simulator.addFault(fault);
    const leaving = { leaveAfterMilliseconds: 1000 };
    const answer = await chat(simulator.url, { stream: true }, leaving);
    expect(answer.connection).toBe("closed by the client");
    expect(answer.status).toBe(fault.kind === "hang" ? undefined : 200);
    expect(dataOf(answer)).toHaveLength(events);
    expect(answer.chunks.some((chunk) => chunk.startsWith(":"))).toBe(
      fault.kind === "only-comments",
    );
    await simulator.waitFor((s) => s.requests[0]?.endedBy === "client-gone");
  });

  it("continues after its time", async () => {
    const started = performance.now();
    const { answer } = await streamWith({ kind: "stall", afterEvents: 2, ms: 80 });
    expect(performance.now() - started).toBeGreaterThanOrEqual(79);
    expect(dataOf(answer)).toHaveLength(CHUNKS_OF_A_WHOLE_STREAM);
  });

  it("does not delay closing the simulator", async () => {
    const simulator = await startSimulator({ models: [TALKER] });
    simulator.addFault({ kind: "hang" });
    const answer = get(simulator.url, "/status");
    await simulator.waitFor((s) => s.requests.length === 1);
    await simulator.close();
    expect((await answer).connection).toBe("ECONNRESET");
    expect(simulator.requests[0]?.endedBy).toBe("died");
  });
});

describe("the requests that a fault applies to", () => {
  it("are those of its method and path, as often as it is set; the fault that was added first comes first", async () => {
    await using simulator = await startSimulator({ models: [TALKER] });
    simulator.addFault({
      kind: "status",
      status: 500,
      times: 1,
      on: { path: "/v1/*", method: "GET" },
    });
    simulator.addFault({ kind: "status", status: 429, times: 1, on: { path: "/v1/models" } });
    const statuses: (number | undefined)[] = [];
    for (const path of ["/status", "/v1/models?x=1", "/v1/models", "/v1/models"]) {
      statuses.push((await get(simulator.url, path)).status);
    }
    expect(statuses).toEqual([200, 500, 429, 200]);
  });

  it("are none after it was removed", async () => {
    await using simulator = await startSimulator({ models: [TALKER] });
    const remove = simulator.addFault({ kind: "reset" });
    remove();
    expect((await get(simulator.url, "/status")).status).toBe(200);
  });
});

describe("an invalid fault", () => {
  const wrong: [string, RegExp][] = [
    ["explode", /fault: "explode" is unknown; allowed: reset, close, /],
    [
      "stall,afterEvents=-1",
      /^fault stall: the value of afterEvents does not fit; the settings of stall: \[afterEvents=N\] \[ms=N\]$/,
    ],
    [
      "stall,afterevents=1",
      /^fault stall: there is no setting afterevents; the settings of stall: /,
    ],
    ["status", /^fault status: the setting status is missing; .* status=200…599 \[body=TEXT\] /],
    ["status,status=99", /^fault status: the value of status does not fit; /],
    ["split,bytes=0+1", /^fault split: the value of bytes does not fit; .*: bytes=N\+N\+…$/],
    ["reset,times=0", /^fault reset: the value of times does not fit; reset has no settings of /],
    ["reset,path=v1", /^fault reset: the value of path does not fit; /],
    ["reset,now", /"now" is not SETTING=VALUE/],
  ];

  it.each(wrong)("is refused: %s", async (text, message) => {
    await using simulator = await startSimulator({ models: [TALKER] });
    expect(() => simulator.addFault(text)).toThrow(message);
  });
});

it("has a published type with the kinds of the schema", () => {
  expectTypeOf<Fault["kind"]>().toEqualTypeOf<FaultKind["kind"]>();
});
