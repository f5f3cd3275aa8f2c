import { type Simulator, startSimulator } from "foundry-local-simulator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Host } from "./host.js";
import { ANSWER, MODELS, PROMPT_ANSWER } from "./simulated.js";
import { WireHost } from "./wire-host.js";

/** One server for the whole file: each of its tests also shows that those before did no harm. */
let simulator: Simulator;
let host: Host;

beforeAll(async () => {
  simulator = await startSimulator({
    models: [
      ...MODELS,
      { id: "elsewhere-generic-cpu:1", downloaded: false },
      { id: "narrow-generic-cpu:1", contextLength: 512, loaded: true },
    ],
  });
  host = await Host.start({ FOUNDRY_ENDPOINT: simulator.url });
});
afterAll(async () => {
  await host?.close();
  await simulator?.close();
});

const hello = { prompt: "Hello", model: PROMPT_ANSWER };

interface Mistake {
  readonly what: string;
  readonly tool?: string;
  readonly given: Readonly<Record<string, unknown>>;
  /** What the answer names: the argument, what came, what is allowed. */
  readonly says: readonly string[];
}

const MISTAKES: readonly Mistake[] = [
  {
    what: "a prompt that is a number",
    given: { prompt: 5 },
    says: ["Invalid value for prompt: 5", "a string"],
  },
  {
    what: "a prompt that is null",
    given: { prompt: null },
    says: ["Neither prompt nor messages"],
  },
  {
    what: "an empty prompt",
    given: { prompt: "" },
    says: ["Neither prompt nor messages"],
  },
  {
    what: "a prompt of blanks",
    given: { prompt: " \n\t" },
    says: ['Invalid value for prompt: " \\n\\t"', "not blank"],
  },
  {
    what: "an image that has no content",
    given: { messages: [{ role: "user", content: [{ type: "image_url" }] }] },
    says: ["messages.0.content.0.image_url is missing", "PNG, JPEG, GIF or WebP"],
  },
  {
    what: "an image at an address",
    given: {
      messages: [
        { role: "user", content: [{ type: "image_url", image_url: { url: "http://x/a.png" } }] },
      ],
    },
    says: ["messages.0.content.0.image_url.url", "Nothing is fetched from an address"],
  },
  {
    what: "audio",
    given: { messages: [{ role: "user", content: [{ type: "input_audio", data: "" }] }] },
    says: ["messages.0.content.0.type", "Audio is not supported"],
  },
  { what: "neither of them", given: {}, says: ["Neither prompt nor messages"] },
  { what: "messages that are a text", given: { messages: "Hi" }, says: ["messages", "a list"] },
  {
    what: "no message at all",
    given: { messages: [] },
    says: ["Neither prompt nor messages"],
  },
  {
    what: "an unknown role",
    given: { messages: [{ role: "robot", content: "x" }] },
    says: ["messages.0.role", '"robot"', "system, user, assistant"],
  },
  {
    what: "a message without content",
    given: { messages: [{ role: "user" }] },
    says: ["messages.0.content is missing"],
  },
  {
    what: "a temperature above its range",
    given: { ...hello, temperature: 2.1 },
    says: ["Invalid value for temperature: 2.1", "0 to 2"],
  },
  {
    what: "a temperature below its range",
    given: { ...hello, temperature: -1 },
    says: ["Invalid value for temperature: -1", "0 to 2"],
  },
  {
    what: "a temperature as a word",
    given: { ...hello, temperature: "low" },
    says: ["temperature", '"low"', "a number"],
  },
  {
    what: "a top_p above 1",
    given: { ...hello, top_p: 1.5 },
    says: ["Invalid value for top_p: 1.5", "0 to 1"],
  },
  {
    what: "a negative number of tokens",
    given: { ...hello, max_tokens: -1 },
    says: ["Invalid value for max_tokens: -1", "1 to 1000000"],
  },
  {
    what: "half a token",
    given: { ...hello, max_tokens: 1.5 },
    says: ["Invalid value for max_tokens: 1.5", "a whole number"],
  },
  {
    what: "a number of tokens above the limit",
    given: { ...hello, max_tokens: 1e12 },
    says: ["Invalid value for max_tokens: 1000000000000"],
  },
  { what: "a negative seed", given: { ...hello, seed: -1 }, says: ["Invalid value for seed: -1"] },
  { what: "stop as a number", given: { ...hello, stop: 5 }, says: ["stop", "a list of strings"] },
  { what: "a stop of numbers", given: { ...hello, stop: [5] }, says: ["stop.0", "strings"] },
  {
    what: "a misspelt argument",
    given: { ...hello, max_token: 5 },
    says: ['"max_token"', "Did you mean max_tokens?"],
  },
  {
    what: "a blank model",
    given: { prompt: "Hello", model: " " },
    says: ['Invalid value for model: " "'],
  },
  {
    what: "an unknown filter",
    tool: "list_models",
    given: { filter: "cached" },
    says: ["filter", '"cached"', "downloaded, loaded, all"],
  },
  {
    what: "a limit above its range",
    tool: "list_models",
    given: { limit: 501 },
    says: ["Invalid value for limit: 501", "1 to 500"],
  },
  { what: "nothing to load", tool: "load_model", given: {}, says: ["model is missing"] },
  {
    what: "an unknown device",
    tool: "load_model",
    given: { model: PROMPT_ANSWER, device: "tpu" },
    says: ["device", '"tpu"', "cpu, gpu, npu"],
  },
];

describe("invalid arguments are refused with their name, their value and what is allowed", () => {
  test.for(MISTAKES.map((mistake) => [mistake.what, mistake] as const))(
    "%s",
    async ([, { tool = "complete", given, says }]) => {
      const asked = simulator.requests.length;

      const answer = await host.call(tool, given);

      expect(answer).toMatchObject({ isError: true, code: "INVALID_ARGUMENT" });
      for (const words of says) expect(answer.text).toContain(words);
      // The service got no request, and the next call succeeds.
      expect(simulator.requests.length).toBe(asked);
      expect((await host.complete(hello)).text).toBe(ANSWER);
    },
  );

  test("several mistakes are all reported at once", async () => {
    const { text } = await host.complete({ prompt: "", temperature: 9, colour: "red" });

    expect(text).toContain("prompt");
    expect(text).toContain("Invalid value for temperature: 9");
    expect(text).toContain('"colour"');
  });
});

describe("models that cannot be used", () => {
  test("an unknown model is refused with names that exist", async () => {
    const answer = await host.complete({ prompt: "Hello", model: "tny" });

    expect(answer).toMatchObject({ isError: true, code: "MODEL_NOT_FOUND" });
    expect(answer.text).toContain('There is no model "tny"');
    expect(answer.text).toContain('Did you mean "tiny"?');
  });

  test.for(["../../etc/passwd", "a b", "x".repeat(5000), "%00", "ü".repeat(300), ":1", "\u0000"])(
    "an impossible name is refused: %j",
    async (model) => {
      const answer = await host.complete({ prompt: "Hello", model });

      expect(answer).toMatchObject({ isError: true, code: "MODEL_NOT_FOUND" });
      expect(answer.text.length).toBeLessThan(500);
      expect((await host.complete(hello)).text).toBe(ANSWER);
    },
  );

  test("a model that is not downloaded is refused, without a download", async () => {
    const model = "elsewhere-generic-cpu:1";

    const completed = await host.complete({ prompt: "Hello", model });
    const loaded = await host.call("load_model", { model });

    expect(completed).toMatchObject({ isError: true, code: "MODEL_NOT_CACHED" });
    expect(loaded).toMatchObject({ isError: true, code: "MODEL_NOT_CACHED" });
    expect(completed.text).toContain("foundry model download");
  });
});

describe("texts that are too long or broken", () => {
  test("a prompt longer than the context is refused with the token counts", async () => {
    const answer = await host.complete({
      prompt: "word ".repeat(2000),
      model: "narrow-generic-cpu:1",
    });

    expect(answer).toMatchObject({ isError: true, code: "CONTEXT_LENGTH_EXCEEDED" });
    expect(answer.text).toMatch(/\d{4} tokens/);
    expect(answer.text).toContain("512 tokens");
  });

  test("a prompt of 5 MB reaches the service whole, and its answer comes back", async () => {
    const prompt = "five megabytes ".repeat(350_000);

    const answer = await host.complete({ prompt, model: PROMPT_ANSWER });

    expect(answer).toMatchObject({ isError: true, code: "CONTEXT_LENGTH_EXCEEDED" });
    const chat = simulator.requests.findLast(({ path }) => path.endsWith("/chat/completions"));
    expect(JSON.stringify(chat?.body).length).toBeGreaterThan(prompt.length);
    expect(answer.text.length).toBeLessThan(1000);
    expect((await host.complete(hello)).text).toBe(ANSWER);
  });

  test("half a character is replaced, with a warning", async () => {
    const answer = await host.complete({ ...hello, prompt: "before \ud83d after" });

    expect(answer.result["text"]).toBe(ANSWER);
    // A host that shows only the text shows it, too.
    expect(answer.text).toMatch(/^Hello from a tiny model\.\n\nNote: .*Unicode/);
    expect(answer.result["notes"]).toContainEqual(expect.stringContaining("Unicode"));
    const chat = simulator.requests.findLast(({ path }) => path.endsWith("/chat/completions"));
    expect(JSON.stringify(chat?.body)).toContain("before \ufffd after");
  });

  test("characters of every kind arrive as they are", async () => {
    const prompt = 'zero\u0000 tab\t quote" back\\slash \u2028 ß 漢字 🌍 \u202e <|im_end|>';

    await host.complete({ ...hello, prompt });

    const chat = simulator.requests.findLast(({ path }) => path.endsWith("/chat/completions"));
    expect(chat?.body).toMatchObject({ messages: [{ role: "user", content: prompt }] });
  });
});

describe("extreme lines on stdin", () => {
  const deep = (depth: number, open = "[", close = "]"): string =>
    open.repeat(depth) + close.repeat(depth);

  test.for<[string, string]>([
    [
      "a response with an unknown id, nested deep",
      `{"jsonrpc":"2.0","id":77,"result":{"a":${deep(5000)}}}`,
    ],
    [
      "an error nested deep",
      `{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"","data":${deep(50_000)}}}`,
    ],
    [
      "a notification nested deep",
      `{"jsonrpc":"2.0","method":"notifications/x","params":{"a":${deep(50_000)}}}`,
    ],
    [
      "objects nested deep",
      `{"jsonrpc":"2.0","id":78,"result":{"a":${deep(5000, '{"a":[', "]}")}}}`,
    ],
    ["nothing but open brackets", "[".repeat(1_000_000)],
    ["a list of a million numbers", `[${"1,".repeat(999_999)}1]`],
    ["a list of many objects", `[${"{},".repeat(200_000)}{}]`],
    ["a line of blanks", " ".repeat(1_000_000)],
    ["many empty lines", "\n".repeat(1_000_000)],
    ["many lines that are no JSON", "x\n".repeat(20_000)],
    ["NUL bytes", "\0".repeat(1000)],
  ])("%s: the next request is answered", async ([, line]) => {
    const wire = await WireHost.start({ FOUNDRY_ENDPOINT: simulator.url });

    wire.write(`${line}\n`);

    expect((await wire.request("ping")).result).toEqual({});
    expect(wire.stderr.length).toBeLessThan(10_000);
    wire.endInput();
    expect(await wire.ended).toMatchObject({ code: 0 });
  });

  test("a deeply nested request is answered under its id, with a message", async () => {
    const wire = await WireHost.start({ FOUNDRY_ENDPOINT: simulator.url });

    const given = `{"name":"complete","arguments":{"prompt":${deep(100_000)}}}`;
    wire.write(`{"jsonrpc":"2.0","id":1000,"method":"tools/call","params":${given}}\n`);

    const { result } = await wire.answerTo(1000);
    expect(result).toMatchObject({ isError: true });
    expect(JSON.stringify(result)).toContain("INVALID_ARGUMENT: Invalid value for prompt: [[[");
  });
});

describe("a host that reads nothing", () => {
  const REQUESTS = 300;

  /** Each is answered with 18 kB. */
  async function unread(): Promise<WireHost> {
    const wire = await WireHost.start({ FOUNDRY_ENDPOINT: simulator.url });
    wire.pauseOutput();
    for (let n = 0; n < REQUESTS; n++) wire.send("tools/list");
    return wire;
  }

  test("gets every answer once it reads again", async () => {
    const wire = await unread();
    wire.resumeOutput();
    expect((await wire.request("ping")).result).toEqual({});
    const ids = wire.received.map(({ message }) => message.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThanOrEqual(REQUESTS);
  });

  test("does not keep the server from ending at the end of stdin", async () => {
    const wire = await unread();
    wire.endInput();
    expect(await wire.exitCode()).toBe(0);
    wire.resumeOutput();
  });

  test.skipIf(process.platform === "win32")("does not keep it from ending at SIGTERM", async () => {
    const wire = await unread();
    wire.signal("SIGTERM");
    expect(await wire.exitCode()).toBe(0);
    wire.resumeOutput();
  });
});
