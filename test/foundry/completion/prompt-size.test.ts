import { describe, expect, it, vi } from "vitest";
import { leastTokens } from "../../../src/foundry/completion/prompt-size.js";
import { type ChatBody, chatEngine, events, json } from "../dialects/chat-engine.js";
import { httpService } from "../dialects/http-service.js";
import { askedOf, clientOf, simulate } from "../fixtures.js";

const MODEL = "narrow-generic-cpu:1";

/** A service whose model has this context, which its list declares. */
const vllm = (max_model_len: number, tokensOf: (content: string) => number) =>
  engineWith({ max_model_len }, (body) => {
    const [message] = Object(body).messages;
    const tokens = tokensOf(message.content);
    return events(
      { choices: [{ delta: { content: "Yes." }, finish_reason: "stop" }] },
      { choices: [], usage: { prompt_tokens: tokens, completion_tokens: 1 } },
    );
  });

async function engineWith(listed: object, answer: (body: unknown) => { readonly body: string }) {
  const chats: unknown[] = [];
  const { url } = await httpService((request, response, text) => {
    if (request.method !== "POST") {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ object: "list", data: [{ id: MODEL, ...listed }] }));
      return;
    }
    chats.push(JSON.parse(text));
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(answer(JSON.parse(text)).body);
  });
  return { client: clientOf(url), chats };
}

describe("the minimum number of tokens of a text", () => {
  it.each([
    ["nothing", "", 0, 0],
    ["words", "word ".repeat(1000), 850, 1000],
    ["code", 'const a = { b: 1, c: "two" };\n'.repeat(100), 500, 1600],
    ["blanks", " \n\t".repeat(5000), 0, 1],
    ["a line of signs", "-".repeat(5000), 0, 20],
    ["lines of signs", `${"=".repeat(80)}\n`.repeat(100), 0, 100],
    ["indented code", `${" ".repeat(40)}return x;\n`.repeat(100), 150, 400],
    ["Chinese", "模型在本地运行，不需要网络。".repeat(100), 60, 800],
    ["Japanese", "ありがとうございます。".repeat(100), 40, 200],
    ["Russian", "Модель работает локально. ".repeat(100), 250, 600],
    ["Thai", "สวัสดีครับยินดีต้อนรับ ".repeat(100), 80, 800],
    ["emoji", "😀🚀 ".repeat(100), 80, 400],
    ["base64", "aGVsbG8gd29ybGQhIQ+/".repeat(500), 200, 7000],
    ["one character", "a".repeat(10_000), 0, 100],
  ])("is a lower bound for %s", (_what, text, from, to) => {
    const tokens = leastTokens([text]);

    expect(tokens).toBeGreaterThanOrEqual(from);
    expect(tokens).toBeLessThanOrEqual(to);
  });

  it("is at least one for each message", () => {
    expect(leastTokens(Array.from({ length: 1000 }, () => "?"))).toBe(900);
  });
});

describe("a prompt that cannot fit", () => {
  it.each([
    ["words", { prompt: "word ".repeat(1000) }],
    ["code", { prompt: 'if (a === 1) { return "b"; }\n'.repeat(200) }],
    ["a text of several bytes a character", { prompt: "模型在本地运行".repeat(2000) }],
    [
      "many short messages",
      {
        messages: Array.from({ length: 701 }, (_, index) => ({
          role: index % 2 === 0 ? ("user" as const) : ("assistant" as const),
          content: "Yes.",
        })),
      },
    ],
    ["a long system text", { prompt: "Hi", system: "rule ".repeat(1000) }],
  ])("is refused before anything is sent: %s", async (_what, request) => {
    const { client, chats } = await vllm(512, () => 1);

    await expect(client.complete({ ...request, model: MODEL })).rejects.toMatchObject({
      code: "CONTEXT_LENGTH_EXCEEDED",
      message: expect.stringMatching(/at least \d+ tokens, more than the 512 tokens of narrow/),
      action: expect.stringMatching(/^Cut at least \d+ tokens, about \d+ characters/),
      retryable: false,
    });
    expect(chats).toEqual([]);
  });

  it("is refused before its model is loaded, by a limit in the model's files", async () => {
    const simulator = await simulate({
      dialect: "C1",
      models: [{ id: MODEL, contextLength: 512 }],
    });
    const client = clientOf(simulator.url);
    const { models } = await client.listModels();
    expect(models).toMatchObject([{ contextLength: 512 }]);

    await expect(
      client.complete({ prompt: "word ".repeat(1000), model: MODEL }),
    ).rejects.toMatchObject({ code: "CONTEXT_LENGTH_EXCEEDED" });

    expect(askedOf(simulator, "/models/load/")).toEqual([]);
    expect(askedOf(simulator, "/v1/chat")).toEqual([]);
  });

  it("is refused with that reason where the schema alone does not fit", async () => {
    const { client, chats } = await vllm(512, () => 1);
    const schema = { type: "object", description: "word ".repeat(1000) };

    await expect(client.complete({ prompt: "Hi", model: MODEL, schema })).rejects.toMatchObject({
      code: "CONTEXT_LENGTH_EXCEEDED",
      message: expect.stringContaining("The schema alone has at least"),
    });
    expect(chats).toEqual([]);
  });

  it("is refused for five minutes by a limit that the engine reported", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const message =
        "This model's maximum context length is 512 tokens. However, your request has 900 input tokens";
      const { url, chats } = await chatEngine((_body: ChatBody) =>
        json({ error: { message } }, 400),
      );
      const client = clientOf(url);
      const ask = () => client.complete({ prompt: "word ".repeat(1000), model: "m" });
      const code = "CONTEXT_LENGTH_EXCEEDED";

      await expect(ask()).rejects.toMatchObject({ code });
      const sent = chats.length;
      await expect(ask()).rejects.toMatchObject({ code, message: expect.stringContaining("512") });
      expect(chats).toHaveLength(sent);

      vi.setSystemTime(Date.now() + 301_000);
      await expect(ask()).rejects.toMatchObject({ code });
      expect(chats.length).toBeGreaterThan(sent);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a prompt that may fit", () => {
  it.each([
    ["words", "word ".repeat(400)],
    ["blanks", " ".repeat(100_000)],
    ["signs", `${"-".repeat(500)}\n`.repeat(100)],
    ["one long word", "x".repeat(10_000)],
    ["Chinese", "模型在本地运行".repeat(300)],
  ])("is sent: %s", async (_what, text) => {
    const { client, chats } = await vllm(512, () => 1);

    await client.complete({ prompt: `a${text}`, model: MODEL });

    expect(chats).toHaveLength(1);
  });

  it("is sent where no limit is known", async () => {
    const { client, chats } = await engineWith({}, () =>
      events({ choices: [{ delta: { content: "Yes." }, finish_reason: "stop" }] }),
    );

    await client.complete({ prompt: "word ".repeat(100_000), model: MODEL });

    expect(chats).toHaveLength(1);
  });

  it("is sent where the counts of the service are lower than the bound", async () => {
    const { client, chats } = await vllm(512, (content) => Math.ceil(content.length / 30));

    await client.complete({ prompt: "word ".repeat(500), model: MODEL });
    await client.complete({ prompt: "word ".repeat(800), model: MODEL });
    expect(chats).toHaveLength(2);
  });

  it("is estimated from the last count where the service does not count tokens", async () => {
    let isCounted = true;
    const { client } = await engineWith({}, () => {
      const usage = isCounted
        ? [{ choices: [], usage: { prompt_tokens: 1000, completion_tokens: 1 } }]
        : [];
      isCounted = false;
      return events({ choices: [{ delta: { content: "Yes." }, finish_reason: "stop" }] }, ...usage);
    });
    const ask = () => client.complete({ prompt: "模".repeat(1000), model: MODEL });

    expect((await ask()).usage).toMatchObject({ inputTokens: 1000, estimated: false });
    expect((await ask()).usage).toMatchObject({ inputTokens: 1000, estimated: true });
  });
});

describe("a prompt that the engine cut without a word", () => {
  const WORDS = "word ".repeat(5000);
  const NOW = { type: "function" as const, function: { name: "now" } };
  const asUser = (content: string) => ({ role: "user" as const, content });

  it.each([
    ["alone", { prompt: WORDS }],
    ["before a question", { messages: [WORDS, "Why?"].map(asUser) }],
    ["beside tools", { prompt: WORDS, tools: [NOW] }],
  ])("is named in a warning: %s", async (_what, request) => {
    const { client } = await vllm(32_768, () => 2049);

    const { warnings } = await client.complete({ ...request, model: MODEL });

    expect(warnings).toEqual([
      expect.stringMatching(/counted 2049 tokens in a prompt that has at least 4\d{3}: .* cut/),
    ]);
  });

  it.each([
    ["that is whole", 5010],
    ["whose tokenizer joins words", 3500],
    ["that is counted without what is cached", 20],
  ])("is not suspected of one %s", async (_what, tokens) => {
    const { client } = await vllm(32_768, () => tokens);

    const { warnings } = await client.complete({ prompt: WORDS, model: MODEL });

    expect(warnings).toEqual([]);
  });
});
