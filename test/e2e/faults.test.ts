import { type Fault, type Simulator, startSimulator } from "foundry-local-simulator";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type Answer, Host } from "./host.js";
import { ANSWER, ENDLESS, hostOn, MODELS, PROMPT_ANSWER, simulated } from "./simulated.js";

const CHAT = { path: "/v1/chat/completions" };
const FEW = { FOUNDRY_RETRIES: "2" };
/** A limit that is to expire: only where nothing else may meet it. */
const SHORT = { ...FEW, FOUNDRY_STALL_TIMEOUT: "4" };
const UMLAUT = { id: "umlaut:1", loaded: true, script: { text: "Größe: 漢字, 🌍 und ß." } };

/** One server for most of the file: each of its tests also shows that those before did no harm. */
let simulator: Simulator;
let host: Host;
/** A second one, for the faults that end by the limit. */
let impatient: Host;

beforeAll(async () => {
  simulator = await startSimulator({ models: [...MODELS, UMLAUT] });
  host = await Host.start({ FOUNDRY_ENDPOINT: simulator.url, ...FEW });
  impatient = await Host.start({ FOUNDRY_ENDPOINT: simulator.url, ...SHORT });
});
afterAll(async () => {
  await host?.close();
  await impatient?.close();
  await simulator?.close();
});

/** Makes completions fail until the end of the test; returns a function that ends this earlier. */
function faulty(fault: Fault): () => void {
  const mend = simulator.addFault({ ...fault, on: CHAT });
  onTestFinished(mend);
  return mend;
}

/** The number of completion requests that this sends. */
async function asked(work: () => Promise<Answer>): Promise<{ answer: Answer; times: number }> {
  const chats = (): number => simulator.requests.filter(({ path }) => path === CHAT.path).length;
  const before = chats();
  const answer = await work();
  return { answer, times: chats() - before };
}

const hello = (by = host): Promise<Answer> =>
  by.complete({ prompt: "Hello", model: PROMPT_ANSWER });

interface Break {
  readonly what: string;
  readonly fault: Fault;
  readonly code: string;
  readonly status: string;
}

const BREAKS: readonly Break[] = [
  {
    what: "a connection that is reset",
    fault: { kind: "reset-after", events: 6 },
    code: "STREAM_INTERRUPTED",
    status: "interrupted",
  },
  {
    what: "a connection that is closed",
    fault: { kind: "close-after", events: 6 },
    code: "STREAM_INTERRUPTED",
    status: "interrupted",
  },
  {
    what: "a stream that ends properly, but too early",
    fault: { kind: "end-after", events: 6 },
    code: "STREAM_INTERRUPTED",
    status: "interrupted",
  },
  {
    what: "a stream without [DONE]",
    fault: { kind: "no-done", finishReason: false },
    code: "STREAM_INTERRUPTED",
    status: "interrupted",
  },
  {
    what: "a stream that stalls",
    fault: { kind: "stall", afterEvents: 6 },
    code: "TIMEOUT",
    status: "interrupted",
  },
  {
    what: "an error inside the stream",
    fault: { kind: "error-event", afterEvents: 6, message: "the device was lost" },
    code: "INFERENCE_FAILED",
    status: "interrupted",
  },
  {
    what: "invalid data inside the stream",
    fault: { kind: "garbage-sse", afterEvents: 6 },
    code: "INVALID_RESPONSE",
    status: "interrupted",
  },
];

describe("a fault in the middle of an answer is reported, and the text so far is kept", () => {
  test.for(BREAKS.map((one) => [one.what, one] as const))(
    "%s",
    async ([, { fault, code, status }]) => {
      const mend = faulty(fault);
      const by = code === "TIMEOUT" ? impatient : host;

      const { answer, times } = await asked(() =>
        by.complete({ prompt: "Go on.", model: ENDLESS, max_tokens: 12 }),
      );

      expect(answer).toMatchObject({
        isError: true,
        code,
        result: {
          status,
          text: expect.stringMatching(/^On and on/),
          notes: expect.arrayContaining([expect.stringContaining(`${code}: `)]),
        },
      });
      expect(answer.result).not.toHaveProperty("finish_reason");
      expect(answer.text).toContain("On and on");
      // Never sent again: the device may still be at it.
      expect(times).toBe(1);
      mend();
      expect((await hello(by)).text).toBe(ANSWER);
    },
  );
});

describe("a request that fails before the first token is retried", () => {
  const passing: readonly Fault[] = [
    { kind: "reset" },
    { kind: "close" },
    { kind: "status", status: 503, headers: { "retry-after": "0" } },
    { kind: "status", status: 429, headers: { "retry-after": "0" } },
    { kind: "error-event", afterEvents: 0 },
  ];

  test.for(passing.map((fault) => [JSON.stringify(fault), fault] as const))(
    "%s",
    async ([, fault]) => {
      onTestFinished(simulator.addFault({ ...fault, on: CHAT, times: 2 }));

      const { answer, times } = await asked(() => hello());

      expect(answer).toMatchObject({ text: ANSWER, result: { status: "completed", attempts: 3 } });
      expect(times).toBe(3);
    },
  );

  test("only a limited number of times", async () => {
    faulty({ kind: "status", status: 503, headers: { "retry-after": "0" } });

    const { answer, times } = await asked(() => hello());

    expect(answer).toMatchObject({
      isError: true,
      code: "SERVICE_BUSY",
      result: {},
    });
    expect(times).toBe(3);
  });

  test("not where the answer is not a stream", async () => {
    faulty({ kind: "html" });

    const { answer, times } = await asked(() => hello());

    expect(answer).toMatchObject({ isError: true, code: "INVALID_RESPONSE" });
    expect(times).toBe(1);
  });

  test("not when there is no answer: the device may still be generating", async () => {
    faulty({ kind: "hang" });

    const { answer, times } = await asked(() => hello(impatient));

    expect(answer).toMatchObject({ isError: true, code: "TIMEOUT" });
    expect(answer.text).toContain("4 s");
    expect(times).toBe(1);
  });
});

describe("an odd but complete answer succeeds", () => {
  const harmless: readonly Fault[] = [
    { kind: "no-done", finishReason: true },
    { kind: "split", bytes: [1] },
    { kind: "split", bytes: [3, 7, 2] },
    { kind: "merge", events: 5 },
    { kind: "crlf" },
    { kind: "comments" },
    { kind: "content-type", value: "text/event-stream, text/event-stream" },
  ];

  test.for(harmless.map((fault) => [JSON.stringify(fault), fault] as const))(
    "%s",
    async ([, fault]) => {
      faulty(fault);

      const answer = await host.complete({ prompt: "Hello", model: UMLAUT.id });

      expect(answer).toMatchObject({
        text: UMLAUT.script.text,
        result: { status: "completed", finish_reason: "stop" },
      });
      expect(answer.result).not.toHaveProperty("attempts");
    },
  );

  test("after a silence shorter than the limit", async () => {
    faulty({ kind: "stall", afterEvents: 2, ms: 250 });

    expect((await hello()).text).toBe(ANSWER);
  });
});

test("a service that sends only comments has stalled, too", async () => {
  faulty({ kind: "only-comments", everyMs: 50 });

  const answer = await hello(impatient);

  expect(answer).toMatchObject({ isError: true, code: "TIMEOUT" });
});

test("a load that exceeds its time limit reports how to wait longer", async () => {
  const slow = await simulated({ models: [{ id: "huge:1", loadMs: 3000 }] });
  const hurried = await hostOn(slow.url, { FOUNDRY_LOAD_TIMEOUT: "1" });
  await hurried.call("list_models");

  const early = await hurried.call("load_model", { model: "huge" });
  await slow.waitFor(({ loaded }) => loaded.length > 0);
  const late = await hurried.call("load_model", { model: "huge" });

  expect(early).toMatchObject({ isError: true, code: "TIMEOUT" });
  expect(early.text).toContain("FOUNDRY_LOAD_TIMEOUT");
  expect(late).toMatchObject({ isError: false, result: { status: "already_loaded" } });
});

test("a model that another client unloaded is loaded again", async () => {
  expect((await hello()).text).toBe(ANSWER);

  simulator.setLoaded(PROMPT_ANSWER, false);

  expect((await hello()).text).toBe(ANSWER);
});
