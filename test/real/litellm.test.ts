import { type Simulator, startSimulator } from "foundry-local-simulator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Host } from "../e2e/host.js";
import { CannotRunHere } from "../installed.js";
import { deadPort } from "../ports.js";
import { LITELLM_KEY, type LiteLlm, startLiteLlm } from "./litellm.js";
import { findPython } from "./python.js";

const TEXT = "Hello from behind a router.";
const THOUGHT = "Two and two make four.";

const GROUPS = ["talker", "slow", "thinker", "small", "failing", "unknown"];

const upstream = await startSimulator({
  dialect: "openai",
  models: [
    { id: "talker:1", script: { text: TEXT } },
    { id: "slow:1", tokensPerSecond: 5, script: { text: TEXT } },
    {
      id: "thinker:1",
      reasoningMarkers: { start: "<think>", end: "</think>" },
      script: { think: THOUGHT, text: TEXT },
    },
    { id: "small:1", contextLength: 64, script: { text: TEXT } },
    { id: "failing:1", script: { text: TEXT.repeat(20), failAfterTokens: 20 } },
  ],
});
afterAll(() => upstream.close());

const nowhere = `http://127.0.0.1:${await deadPort()}`;
const CONFIG = JSON.stringify({
  model_list: [
    ...GROUPS.map((model) => group(model, model)),
    { ...group("limited", "talker", { rpm: 1 }) },
    group("down", "talker", { api_base: `${nowhere}/v1` }),
  ],
  // As the example of docs/scaling.md, but without retries: these are counted here.
  router_settings: { num_retries: 0, optional_pre_call_checks: ["enforce_model_rate_limits"] },
  general_settings: { master_key: LITELLM_KEY },
});

function group(name: string, model: string, more: object = {}) {
  const parameters = {
    model: `openai/${model}:1`,
    api_base: `${upstream.url}/v1`,
    api_key: "none",
  };
  return { model_name: name, litellm_params: { ...parameters, ...more } };
}

/** The proxy, or why it cannot be had here. */
const proxy = await findPython()
  .then((python) => startLiteLlm(python, CONFIG))
  .catch((error: unknown) => {
    if (error instanceof CannotRunHere) return error.message;
    throw error;
  });

const title = "the LiteLLM proxy of PyPI";
if (typeof proxy === "string") {
  process.stderr.write(`Skipped: ${title}: ${proxy}\n`);
  describe(title, () => {
    test.skip(`needs what this machine does not have: ${proxy}`, () => {});
  });
} else {
  afterAll(() => proxy.stop());
  describe(title, () => describeProxy(proxy, upstream));
}

function describeProxy({ url }: LiteLlm, service: Simulator): void {
  const { requests } = service;
  let host: Host;
  beforeAll(async () => {
    host = await Host.start({ FOUNDRY_ENDPOINT: url, FOUNDRY_API_KEY: LITELLM_KEY });
  });
  afterAll(() => host?.close());

  const complete = (model: string, more: object = {}) =>
    host.complete({ prompt: "Say something.", model, ...more });
  const chatsSince = (count: number) =>
    requests.slice(count).filter(({ path }) => path.includes("/chat/completions")).length;

  test("is healthy, and an OpenAI-compatible engine", async () => {
    const { result } = await host.call("health_check");
    expect(result).toMatchObject({ status: "healthy", dialect: "openai", problems: [] });
  });

  test("lists the proxy's groups as models", async () => {
    const { result } = await host.call("list_models", { limit: 100 });
    expect(result["models"]).toMatchObject([...GROUPS, "limited", "down"].map((id) => ({ id })));
  });

  test("streams a completion to its end, with counts", async () => {
    const pieces: string[] = [];
    const answer = await host.complete(
      { prompt: "Say something.", model: "slow" },
      {
        // A whole number marks progress with new text.
        onProgress: ({ progress, message }) => Number.isInteger(progress) && pieces.push(message),
      },
    );
    expect(answer).toMatchObject({
      isError: false,
      result: { status: "completed", text: TEXT, finish_reason: "stop" },
    });
    expect(answer.result["usage"]).toMatchObject({ output_tokens: 6 });
    expect(answer.result["usage"]).not.toHaveProperty("estimated");
    // It was sent once.
    expect(answer.result).not.toHaveProperty("attempts");
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.join("")).toBe(TEXT);
  });

  test("passes on the thinking of a model", async () => {
    const { result } = await complete("thinker");
    expect(result).toMatchObject({ status: "completed", text: TEXT, reasoning: THOUGHT });
  });

  test("reports the proxy's rate limit as one clear error with the time to wait", async () => {
    const before = requests.length;
    const answers = [];
    // Its limit counts by clock minutes, so a second request may be in another minute.
    for (let number = 0; number < 3; number += 1) answers.push(await complete("limited"));
    const refused = answers.find(({ isError }) => isError);

    expect(answers[0]).toMatchObject({ isError: false, result: { text: TEXT } });
    expect(refused).toMatchObject({ code: "SERVICE_BUSY" });
    expect(refused?.text).toContain("Model rate limit exceeded");
    expect(refused?.text).toMatch(/may succeed in \d+ s/);
    expect(refused?.text).toMatch(/Id of the request in the service's log: [0-9a-f-]{36}/);
    expect(chatsSince(before)).toBe(answers.filter(({ isError }) => !isError).length);
  });

  test("retries a busy service behind the proxy, and returns its answer", async () => {
    const before = requests.length;
    service.addFault({
      kind: "status",
      on: { path: "/v1/chat/completions" },
      times: 2,
      status: 429,
      body: '{"error":{"message":"Too many requests","type":"rate_limit"}}',
      contentType: "application/json",
      headers: { "retry-after": "1" },
    });
    expect(await complete("talker")).toMatchObject({
      isError: false,
      result: { text: TEXT, attempts: 3 },
    });
    expect(chatsSince(before)).toBe(3);
  });

  test("names a model that the service behind the proxy does not have", async () => {
    const answer = await complete("unknown");
    expect(answer).toMatchObject({ isError: true, code: "MODEL_NOT_FOUND" });
  });

  test("refuses a model without a group, with the existing ones", async () => {
    const answer = await complete("no-such-group");
    expect(answer).toMatchObject({ isError: true, code: "MODEL_NOT_FOUND" });
  });

  test("recognises a full context in the router's message", async () => {
    const answer = await complete("small", { prompt: "word ".repeat(200), max_tokens: 16 });
    expect(answer).toMatchObject({ isError: true, code: "CONTEXT_LENGTH_EXCEEDED" });
    expect(answer.text).toContain("64");
  });

  test("reports a stopped service behind the proxy as one clear error with its message", async () => {
    const answer = await complete("down");
    expect(answer.isError).toBe(true);
    expect(answer.text).toContain("Connection error");
    expect(answer.text).toContain("Id of the request in the service's log");
  });

  test("keeps the text of a generation that fails in the middle, and marks it as incomplete", async () => {
    const answer = await complete("failing");
    expect(answer).toMatchObject({ isError: true, result: { status: "interrupted" } });
    expect(answer.text).toContain("Hello from behind a router.");
  });

  // Without a database, it answers a wrong key with 400 and no key with 500.
  test.for([
    [
      "a wrong key",
      { FOUNDRY_API_KEY: "sk-wrong-key-of-a-test" },
      "UNAUTHORIZED",
      "No connected db",
    ],
    ["no key", {}, "SERVICE_ERROR", "HTTP 500"],
  ] as const)("reports %s clearly, without the key", async ([_what, settings, code, words]) => {
    const stranger = await Host.start({ FOUNDRY_ENDPOINT: url, ...settings });
    try {
      const answer = await stranger.complete({ prompt: "Hi", model: "talker" });
      expect(answer).toMatchObject({ isError: true, code });
      expect(answer.text).toContain(words);
      expect(answer.text).not.toContain("sk-wrong-key-of-a-test");
    } finally {
      await stranger.close();
    }
  });
}
