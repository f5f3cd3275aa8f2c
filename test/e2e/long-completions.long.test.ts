import { describe, expect, test } from "vitest";
import type { Answer, Host } from "./host.js";
import { ANSWER, ENDLESS, hostOn, PROMPT_ANSWER, simulated } from "./simulated.js";

/** 15 s at this speed: longer than the host waits, and long enough for a loaded machine to reply. */
const TOKENS_PER_SECOND = 130;
const TOKENS = 2000;
const HOST_TIMEOUT_MS = 12_000;
const REPLY_WITHIN_S = 2;

const LONG = "long-generic-cpu:1";
const WORDS = [
  " sea",
  " 🌊",
  " Größe",
  "。海",
  " 👩‍👩‍👧",
  "\n\n",
  " e\u0301t\u00e9",
  "𝒳",
  ", ",
  "🇩🇪",
  ' "quoted"',
  "\t\\",
];
/** No two places of it look alike. */
const tokensOf = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => `${WORDS[at % WORDS.length]}${at}`);

/** A completion of a long text, with a client that times out before the model has finished. */
async function readInPieces(host: Host, prompt: string): Promise<readonly Answer[]> {
  const given = { timeoutMs: HOST_TIMEOUT_MS };
  const answers = [await host.complete({ prompt, model: LONG, max_tokens: TOKENS + 1 }, given)];
  for (let last = answers[0]; ; last = answers.at(-1)) {
    if (last === undefined || last.isError || nextOf(last) === undefined) return answers;
    // As the text says, which may be all that an agent has seen.
    answers.push(await host.call("get_completion", callIn(last.text), given));
  }
}

/** The only completion in a result. */
function told({ result }: Answer): Readonly<Record<string, unknown>> {
  return Array.isArray(result["completions"]) ? Object(result["completions"][0]) : result;
}

const nextOf = (answer: Answer): unknown => told(answer)["next_from"];

const ADVICE =
  /^Not finished: [^\n]*\. Call get_completion with completion_ids (\[[^\]]+\])(?: and from (\d+))? [^\n]*\.(?:\n\n|$)/;

function callIn(text: string): { completion_ids: unknown; from?: number } {
  const [, ids, from] = ADVICE.exec(text) ?? [];
  if (ids === undefined) throw new Error(`no advice in ${text.slice(0, 300)}`);
  return { completion_ids: JSON.parse(ids), ...(from !== undefined && { from: Number(from) }) };
}

const textOf = (answer: Answer): string => answer.text.replace(ADVICE, "");

const services = [
  ["S", { dialect: "S" }],
  ["the newest C2, in any pieces", { version: "2.2.1" }],
] as const;

test("a completion that takes longer than the host's timeout is read in parts without an error", async () => {
  const tokens = tokensOf(TOKENS);

  const read = await Promise.all(
    services.map(async ([name, service]) => {
      const simulator = await simulated({
        ...service,
        tokensPerSecond: TOKENS_PER_SECOND,
        models: [{ id: LONG, script: { tokens }, loaded: true }],
      });
      if (name.includes("pieces")) simulator.addFault({ kind: "split", bytes: [1, 2, 7, 500] });
      const host = await hostOn(simulator.url, { FOUNDRY_REPLY_WITHIN: String(REPLY_WITHIN_S) });
      const answers = await readInPieces(host, "Tell me all.");
      const asked = simulator.requests.filter(({ path }) => path.includes("completions"));
      return { name, answers, asked };
    }),
  );

  const whole = tokens.join("");
  for (const { name, answers, asked } of read) {
    expect(
      answers.filter(({ isError }) => isError),
      name,
    ).toEqual([]);
    expect(answers.length, name).toBeGreaterThan(2);
    const pieces = answers.map((answer) => String(told(answer)["text"]));
    // Each part is valid text: no character is split.
    expect(
      pieces.every((piece) => piece.isWellFormed()),
      name,
    ).toBe(true);
    expect(Buffer.from(pieces.join("")).equals(Buffer.from(whole)), name).toBe(true);
    expect(answers.map(textOf).join(""), name).toBe(whole);
    expect(told(answers.at(-1) ?? expect.fail())["status"], name).toBe("completed");
    // The client may disconnect at the end of the text, before the service has sent its last bytes.
    expect(asked, name).toHaveLength(1);
  }
});

test("a text too long for one result is read in parts, too", async () => {
  const tokens = tokensOf(20_000);
  const whole = tokens.join("");
  const simulator = await simulated({
    models: [{ id: LONG, script: { tokens }, loaded: true, contextLength: 100_000 }],
  });
  const host = await hostOn(simulator.url);

  const first = await host.complete({ prompt: "All.", model: LONG, max_tokens: 50_000 });
  const pieces = [String(first.result["text"])];
  const id = first.result["completion_id"];
  for (let from = nextOf(first); from !== undefined && pieces.length < 10; ) {
    const more = await host.call("get_completion", { completion_ids: [id], from });
    pieces.push(String(told(more)["text"]));
    from = nextOf(more);
  }
  const { contents } = await host.client.readResource({ uri: `foundry://completions/${id}` });

  expect(first.text).toContain(`foundry://completions/${id}`);
  expect(pieces.map(({ length }) => length <= 60_000)).not.toContain(false);
  expect(pieces.length).toBeGreaterThan(1);
  expect(pieces.join("") === whole).toBe(true);
  expect(JSON.stringify(contents).includes(JSON.stringify(whole).slice(1, -1))).toBe(true);
});

describe("a call with reply_within 0 returns at once", () => {
  test("during discovery, the load, the wait in the queue and the generation", async () => {
    const models = [
      { id: "late-generic-cpu:1", loadMs: 5000, script: { text: ANSWER } },
      { id: ENDLESS, script: { text: "On. ", forever: true }, tokensPerSecond: 40, loaded: true },
    ];
    const simulator = await simulated({ models });
    const host = await hostOn(simulator.url, { FOUNDRY_CONCURRENCY: "1" });
    const begin = (model: string, prompt: string): Promise<Answer> =>
      host.complete({ model, prompt, max_tokens: 2000, reply_within: 0 });
    const look = async (answer: Answer): Promise<Answer> =>
      host.call("get_completion", {
        completion_ids: [answer.result["completion_id"]],
        reply_within: 0,
      });

    const loads = await begin("late-generic-cpu:1", "Hello");
    const runs = await begin(ENDLESS, "one");
    await simulator.waitFor(({ generating }) => generating === 1);
    const waits = await begin(ENDLESS, "two");
    await simulator.waitFor(({ requests }) => requests.some(({ path }) => path.includes("/load/")));
    // The service's report is known a moment later.
    const seen = await until(async () => {
      const answers = [await look(loads), await look(runs), await look(waits)];
      const statuses = answers.map((answer) => told(answer)["status"]);
      return statuses.join() === "loading,running,queued" ? answers : null;
    });
    const listed = await host.call("get_completion", {});
    const loaded = await host.call("get_completion", {
      completion_ids: [loads.result["completion_id"]],
    });

    for (const { isError, result } of [loads, runs, waits]) {
      expect(isError).toBe(false);
      expect(result).toMatchObject({ status: "queued", text: "", next_from: 0 });
      expect(result).not.toHaveProperty("joined");
    }
    expect(seen[0]?.text).toMatch(
      /^Not finished: loading late-generic-cpu:1\. Call get_completion/,
    );
    expect(seen[1]?.text).toMatch(/^Not finished: \d+ tokens? so far|reading the prompt/);
    expect(seen[2]?.text).toMatch(/^Not finished: waiting, place 1/);
    expect(told(seen[2] ?? expect.fail())).toMatchObject({ place: 1 });
    expect(listed.result["latest"]).toMatchObject([
      { status: "queued" },
      { status: "running" },
      { status: "loading" },
    ]);
    expect(loaded).toMatchObject({ isError: false, text: ANSWER });
  });
});

/** Polls until there is a value. */
async function until<T>(ask: () => Promise<T | null>): Promise<T> {
  for (const end = performance.now() + 20_000; ; ) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() > end) throw new Error("it did not come true within 20 s");
  }
}

describe("a full queue", () => {
  test("refuses a further call at once, only with the time to retry", async () => {
    const simulator = await simulated({
      models: [
        {
          id: LONG,
          script: ({ text }) => ({ text: `${text} and on and on.`, forever: text === "for ever" }),
          tokensPerSecond: 50,
          loaded: true,
        },
      ],
    });
    const host = await hostOn(simulator.url, { FOUNDRY_CONCURRENCY: "1", FOUNDRY_QUEUE: "2" });
    const begin = (prompt: string, reply_within?: number): Promise<Answer> =>
      host.complete({ prompt, model: LONG, reply_within });
    const idOf = ({ result }: Answer): unknown => result["completion_id"];

    // So that there is a measurement.
    await begin("first");
    const running = await begin("for ever", 0);
    await simulator.waitFor(({ generating }) => generating === 1);
    const waiting = [await begin("two", 0), await begin("three", 0)];
    await host.call("get_completion", {
      completion_ids: waiting.map(idOf),
      reply_within: 0.1,
    });
    const refused = await begin("four");
    const cancelled = await host.call("cancel_completion", { completion_id: idOf(running) });
    const served = await host.call("get_completion", { completion_ids: waiting.map(idOf) });

    expect(refused.code).toBe("QUEUE_FULL");
    expect(refused.text).toMatch(/Try again in \d+ s/);
    expect(refused.text).toMatch(/The same call may succeed in \d+ s\./);
    // Hosts that show only structured content show the text where there is no structured content.
    expect(refused.result).toEqual({});
    expect(cancelled).toMatchObject({ isError: false, result: { status: "cancelled" } });
    expect(served.result["completions"]).toMatchObject([
      { status: "completed", text: "two and on and on." },
      { status: "completed", text: "three and on and on." },
    ]);
  });
});

test("invalid input gets an error with what is allowed, and the server continues", async () => {
  const simulator = await simulated();
  const host = await hostOn(simulator.url);
  const done = await host.complete({ prompt: "Hello", model: PROMPT_ANSWER });
  const id = done.result["completion_id"];
  const run = String(id).split("-")[1];
  const get = (given: Record<string, unknown>): Promise<Answer> =>
    host.call("get_completion", given);
  const ask = (given: Record<string, unknown>): Promise<Answer> =>
    host.complete({ prompt: "Hello", model: PROMPT_ANSWER, ...given });

  const cases: [Promise<Answer>, string, RegExp][] = [
    [get({ completion_ids: ["nonsense"] }), "COMPLETION_NOT_FOUND", /no completion "nonsense"/],
    [get({ completion_ids: [`c-${run}-4711`] }), "COMPLETION_NOT_FOUND", /There is no completion/],
    [get({ completion_ids: ["c-000000-1"] }), "COMPLETION_NOT_FOUND", /an earlier run/],
    [get({ completion_ids: [`b-${run}-1`] }), "COMPLETION_NOT_FOUND", /the id of a batch/],
    [get({ completion_ids: [id], from: 999 }), "INVALID_ARGUMENT", /has 24 characters.*0 to 24/s],
    [get({ completion_ids: [id], from: -1 }), "INVALID_ARGUMENT", /from/],
    [get({ completion_ids: [id], from: 1.5 }), "INVALID_ARGUMENT", /from/],
    [get({ from: 3 }), "INVALID_ARGUMENT", /exactly one completion_id, but none was given/],
    [get({ completion_ids: [id, "other"], from: 3 }), "INVALID_ARGUMENT", /several/],
    [get({ completion_ids: Array(51).fill(id) }), "INVALID_ARGUMENT", /1 to 50/],
    [get({ completion_ids: 5 }), "INVALID_ARGUMENT", /a list of 1 to 50 completion_ids/],
    [get({ reply_within: 3601 }), "INVALID_ARGUMENT", /0 to 3600/],
    [ask({ reply_within: 3601 }), "INVALID_ARGUMENT", /0 to 3600/],
    [ask({ reply_within: -1 }), "INVALID_ARGUMENT", /0 to 3600/],
    [ask({ reply_within: "soon" }), "INVALID_ARGUMENT", /0 to 3600/],
    [ask({ join: "no" }), "INVALID_ARGUMENT", /true or false/],
    [host.call("cancel_completion", {}), "INVALID_ARGUMENT", /completion_id/],
    [
      host.call("cancel_completion", { completion_id: "nonsense" }),
      "COMPLETION_NOT_FOUND",
      /no completion "nonsense"/,
    ],
    [
      host.call("cancel_completion", { completion_id: `b-${run}-1` }),
      "COMPLETION_NOT_FOUND",
      /the id of a batch/,
    ],
  ];
  for (const [call, code, words] of cases) {
    const answer = await call;
    expect(answer).toMatchObject({ isError: true, code });
    expect(answer.text).toMatch(words);
  }

  expect((await get({ completion_ids: id })).text).toBe((await get({ completion_ids: [id] })).text);

  const some = await get({ completion_ids: [id, "nonsense", id] });
  const end = await get({ completion_ids: [id], from: ANSWER.length });
  const over = await host.call("cancel_completion", { completion_id: id });
  const again = await get({ completion_ids: [id] });
  const latest = await get({ completion_ids: [] });
  expect(some.result).toMatchObject({
    completions: [{ completion_id: id, text: ANSWER }],
    errors: [{ completion_id: "nonsense", code: "COMPLETION_NOT_FOUND" }],
  });
  expect(latest).toMatchObject({ isError: false, result: { latest: [{ completion_id: id }] } });
  expect(end).toMatchObject({ isError: false, result: { completions: [{ text: "" }] } });
  expect(over.text).toContain("nothing to cancel");
  expect(over.result).toMatchObject({ status: "completed", device_busy: false });
  expect(again.text).toBe(ANSWER);
});
