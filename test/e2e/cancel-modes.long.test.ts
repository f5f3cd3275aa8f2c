import { ErrorCode, McpError } from "@modelcontextprotocol/sdk/types.js";
import type { ReceivedRequest, Simulator } from "foundry-local-simulator";
import { describe, expect, test } from "vitest";
import type { Answer, Host } from "./host.js";
import { hostOn, simulated } from "./simulated.js";

const MODEL = "teller-generic-cpu:1";
const answerTo = (prompt: string): string =>
  `You said ${prompt}; ${Array.from({ length: 30 }, (_, at) => `${at} 🌊`).join(", ")}.`;
/** A model whose answer takes more than six seconds: longer than a busy machine takes for a cancellation. */
const TOKENS_PER_SECOND = 20;

const STOP = "User pressed stop";
/** What the SDK's client cancels a call with at its time limit. */
const TIMEOUT = new McpError(ErrorCode.RequestTimeout, "Request timed out", { timeout: 60_000 });
const REASONS = { "a timeout": TIMEOUT, "a stop": STOP, "an unclear reason": undefined };
/** The error of a call in its host. */
const FAILURES = {
  "a timeout": "Request timed out",
  "a stop": STOP,
  "an unclear reason": "aborted",
};

async function serviceAndHost(settings: Record<string, string> = {}): Promise<{
  simulator: Simulator;
  host: Host;
}> {
  const simulator = await simulated({
    models: [{ id: MODEL, script: ({ text }) => ({ text: answerTo(text) }), loaded: true }],
    tokensPerSecond: TOKENS_PER_SECOND,
  });
  const host = await hostOn(simulator.url, settings);
  // The service is detected before the time of a call starts.
  await host.complete(ask("before", { max_tokens: 1 }));
  return { simulator, host };
}

/** `reply_within` is set: after a timeout of the host the server would otherwise answer earlier. */
const ask = (prompt: string, more: object = {}) => ({
  prompt,
  model: MODEL,
  reply_within: 45,
  ...more,
});

/** The requests for this prompt, as the service saw them. */
const requestsOf = ({ requests }: Simulator, prompt: string): ReceivedRequest[] =>
  requests.filter(
    ({ path, body }) =>
      path.endsWith("/chat/completions") && JSON.stringify(body).includes(`"${prompt}"`),
  );

/** How these requests ended, all of which do: the client may have the answer before the service has its end. */
async function endsOf(simulator: Simulator, prompt: string): Promise<ReceivedRequest["endedBy"][]> {
  await simulator.waitFor((s) => requestsOf(s, prompt).every(({ endedBy }) => endedBy !== null));
  return requestsOf(simulator, prompt).map(({ endedBy }) => endedBy);
}

/** A call that its host gives up when tokens have come. */
async function givenUp(
  { simulator, host }: { simulator: Simulator; host: Host },
  cancellation: keyof typeof REASONS,
  given: Readonly<Record<string, unknown>> & { readonly prompt: string },
): Promise<void> {
  const user = new AbortController();
  const call = host.complete(given, { signal: user.signal });
  const failed = expect(call).rejects.toThrow(FAILURES[cancellation]);
  await simulator.waitFor((s) => requestsOf(s, given.prompt).some((r) => r.tokensSent > 3));
  user.abort(REASONS[cancellation]);
  await failed;
}

const latestOf = async (host: Host): Promise<readonly Readonly<Record<string, unknown>>[]> => {
  const { result } = await host.call("get_completion");
  return Array.isArray(result["latest"]) ? result["latest"].map(Object) : [];
};

const textOf = ({ result }: Answer): string =>
  String(Object(Array.isArray(result["completions"]) ? result["completions"][0] : result)["text"]);

const SAYS_JOINED = /^Note: An identical earlier call already started this completion/m;

/** One call that a host gives up, with a server of its own, and its outcome. */
type Scenario = (setting: string, cancellation: keyof typeof REASONS) => Promise<void>;

const isFoundAgain: Scenario = async (setting, cancellation) => {
  const both = await serviceAndHost({ FOUNDRY_ON_CANCEL: setting });
  const { simulator, host } = both;

  await givenUp(both, cancellation, ask("first"));
  const generating = simulator.generating;
  const [latest] = await latestOf(host);
  const found = await host.call("get_completion", {
    completion_ids: [latest?.["completion_id"]],
    reply_within: 45,
  });

  expect(generating).toBe(1);
  expect(latest).toMatchObject({ status: "running", model: MODEL });
  expect(found).toMatchObject({ isError: false, text: answerTo("first") });
  expect(await endsOf(simulator, "first")).toEqual(["answered"]);
};

const isJoinedWhileItRuns: Scenario = async (setting, cancellation) => {
  const both = await serviceAndHost({ FOUNDRY_ON_CANCEL: setting });
  const { simulator, host } = both;

  // At once, so that the cancellation and the same call again come together.
  await givenUp(both, cancellation, ask("first"));
  const different = host.complete(ask("first", { max_tokens: 5 }));
  const separate = host.complete(ask("first", { join: false }));
  const repeated = await host.complete(ask("first"));

  expect(repeated.result).toMatchObject({ joined: true, text: answerTo("first") });
  expect(repeated.text).toMatch(SAYS_JOINED);
  expect((await different).result).toMatchObject({ finish_reason: "length" });
  expect((await different).result).not.toHaveProperty("joined");
  expect((await separate).result).toMatchObject({ text: answerTo("first") });
  expect((await separate).result).not.toHaveProperty("joined");
  expect(await endsOf(simulator, "first")).toEqual(["answered", "answered", "answered"]);
};

const isJoinedAfterItsEndOnce: Scenario = async (setting, cancellation) => {
  const both = await serviceAndHost({ FOUNDRY_ON_CANCEL: setting });
  const { simulator, host } = both;

  await givenUp(both, cancellation, ask("first"));
  await simulator.waitFor((s) => requestsOf(s, "first").every((r) => r.endedBy === "answered"));
  const repeated = await host.complete(ask("first"));
  const sentTill = requestsOf(simulator, "first").length;
  const once = await host.complete(ask("first"));

  expect(repeated.result).toMatchObject({ joined: true, text: answerTo("first") });
  expect(repeated.text).toMatch(SAYS_JOINED);
  expect(sentTill).toBe(1);
  expect(once.result).toMatchObject({ text: answerTo("first") });
  expect(once.result).not.toHaveProperty("joined");
  expect(once.text).toBe(answerTo("first"));
};

const isStopped: Scenario = async (setting, cancellation) => {
  const both = await serviceAndHost({ FOUNDRY_ON_CANCEL: setting });
  const { simulator, host } = both;

  await givenUp(both, cancellation, ask("first"));
  await simulator.waitFor(({ generating }) => generating === 0);
  const [latest] = await latestOf(host);
  const found = await host.call("get_completion", {
    completion_ids: [latest?.["completion_id"]],
    reply_within: 45,
  });
  const [first] = await endsOf(simulator, "first");
  const repeated = await host.complete(ask("first"));

  expect(first).toBe("client-gone");
  expect(latest).toMatchObject({ status: "cancelled" });
  expect(found.code).toBe("CANCELLED");
  expect(textOf(found)).not.toBe("");
  expect(answerTo("first").startsWith(textOf(found))).toBe(true);
  expect(found.text).toContain(textOf(found));
  expect(repeated.result).toMatchObject({ text: answerTo("first") });
  expect(repeated.result).not.toHaveProperty("joined");
};

const CONTINUED = {
  what: "the completion goes on, is found again, and is taken over by the same call",
  scenarios: [isFoundAgain, isJoinedWhileItRuns, isJoinedAfterItsEndOnce],
};
const STOPPED = {
  what: "the generation stops, its text is kept, and the same call starts a new completion",
  scenarios: [isStopped],
};
/** The decision for each other setting and reason is in `test/mcp/hosts/cancellation.test.ts`. */
const MODES = [
  { setting: "auto", cancellation: "a timeout", ...CONTINUED },
  { setting: "auto", cancellation: "a stop", ...STOPPED },
  { setting: "auto", cancellation: "an unclear reason", ...CONTINUED },
  { setting: "stop", cancellation: "a timeout", ...STOPPED },
  {
    setting: "detach",
    cancellation: "a stop",
    what: "the completion goes on and is found again",
    scenarios: [isFoundAgain],
  },
] as const;
for (const { setting, cancellation, what, scenarios } of MODES) {
  test(`FOUNDRY_ON_CANCEL=${setting}, ${cancellation}: ${what}`, async () => {
    await Promise.all(scenarios.map((scenario) => scenario(setting, cancellation)));
  });
}

describe("a completion shared at temperature 0", () => {
  test("continues for the second caller when the first one cancels", async () => {
    const both = await serviceAndHost();
    const { simulator, host } = both;
    const given = ask("first", { temperature: 0 });
    const second = simulator
      .waitFor((s) => requestsOf(s, "first").some((r) => r.tokensSent > 0))
      .then(() => host.complete(given));

    await givenUp(both, "a stop", given);
    const answer = await second;

    expect(answer.result).toMatchObject({ joined: true, text: answerTo("first") });
    expect(await endsOf(simulator, "first")).toEqual(["answered"]);
  });

  test("stops when both have cancelled", async () => {
    const both = await serviceAndHost();
    const { simulator, host } = both;
    const given = ask("first", { temperature: 0 });
    const user = new AbortController();
    const second = host.complete(given, { signal: user.signal });
    const gone = expect(second).rejects.toThrow(STOP);

    await givenUp(both, "a stop", given);
    const runs = simulator.generating;
    user.abort(STOP);
    await gone;
    await simulator.waitFor(({ generating }) => generating === 0);

    expect(runs).toBe(1);
    expect(await endsOf(simulator, "first")).toEqual(["client-gone"]);
  });
});

describe("the cancellation of a queued call", () => {
  test("keeps it from being sent if the user stopped it, but not after a timeout", async () => {
    const { simulator, host } = await serviceAndHost({ FOUNDRY_CONCURRENCY: "1" });
    const running = host.complete(ask("first"));
    await simulator.waitFor(({ generating }) => generating === 1);
    const user = new AbortController();
    const stopped = host.complete(ask("stopped"), { signal: user.signal });
    const limit = new AbortController();
    const timedOut = host.complete(ask("timed out"), { signal: limit.signal });
    const ends = [
      expect(stopped).rejects.toThrow(STOP),
      expect(timedOut).rejects.toThrow("Request timed out"),
    ];

    const before = await latestOf(host);
    user.abort(STOP);
    limit.abort(TIMEOUT);
    await Promise.all(ends);
    const repeated = await host.complete(ask("timed out"));

    expect(before.map(({ status }) => status)).toEqual([
      "queued",
      "queued",
      "running",
      "completed",
    ]);
    expect((await running).text).toBe(answerTo("first"));
    expect(repeated.result).toMatchObject({ joined: true, text: answerTo("timed out") });
    expect(requestsOf(simulator, "stopped")).toEqual([]);
    expect(requestsOf(simulator, "timed out")).toHaveLength(1);
  });
});

test("a cancelled get_completion stops no completion, whatever FOUNDRY_ON_CANCEL is", async () => {
  const { simulator, host } = await serviceAndHost({ FOUNDRY_ON_CANCEL: "stop" });
  const { result } = await host.complete(ask("first", { reply_within: 0 }));
  const given = { completion_ids: [result["completion_id"]], reply_within: 45 };
  const cancelled = async (reason?: McpError): Promise<void> => {
    const user = new AbortController();
    const look = host.call("get_completion", given, { signal: user.signal });
    const gone = expect(look).rejects.toThrow(reason === undefined ? "aborted" : reason.message);
    await simulator.waitFor((s) => requestsOf(s, "first").some((r) => r.tokensSent > 3));
    user.abort(reason);
    await gone;
  };

  await cancelled();
  await cancelled(TIMEOUT);
  const rest = await host.call("get_completion", given);

  expect(rest).toMatchObject({ isError: false, text: answerTo("first") });
});
