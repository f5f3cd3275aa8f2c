import { describe, expect, it } from "vitest";
import {
  type ChatAnswer,
  type ChatBody,
  chatEngine,
  events,
  hello,
  json,
} from "../dialects/chat-engine.js";
import { askedOf, clientOf, simulate } from "../fixtures.js";

const THOUGHT = "Größe? Hm.";
const ANSWER = "It is 4!";

/** The forms in which engines send thinking: as members of a message, and in its text. */
const FORMS: readonly (readonly [string, object, answer?: string])[] = [
  ["a member of llama.cpp and vLLM", { reasoning_content: THOUGHT, content: ANSWER }],
  ["a member, with the blank lines behind it", { reasoning: THOUGHT, content: `\n\n${ANSWER}` }],
  [
    "a member, with the first line of the answer indented",
    { reasoning: THOUGHT, content: `\n\n  ${ANSWER}` },
    `  ${ANSWER}`,
  ],
  ["a member of Ollama", { reasoning: THOUGHT, content: ANSWER }],
  ["tags", { content: `<think>\n${THOUGHT}\n</think>\n\n${ANSWER}` }],
  ["tags of other models", { content: `[THINK]${THOUGHT}[/THINK]${ANSWER}` }],
  [
    "channels of gpt-oss",
    {
      content: `<|channel|>analysis<|message|>${THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>${ANSWER}`,
    },
  ],
];

/** How an answer arrives: in one piece, as one event, or bytewise. */
const WAYS = ["whole", "event", "bytes"] as const;

function answerOf(message: object, way: (typeof WAYS)[number]): ChatAnswer {
  if (way === "whole") return json({ choices: [{ message, finish_reason: "stop" }] });
  const answer = events(
    { choices: [{ delta: message }] },
    { choices: [{ finish_reason: "stop" }] },
  );
  return { ...answer, isBytewise: way === "bytes" };
}

const ANSWERED = FORMS.map(([form, message, answer = ANSWER]) => [form, message, answer] as const);

describe.each(ANSWERED)("thinking in %s", (_form, message, answer) => {
  it.each(WAYS)("is in the result only where it is included (%s)", async (way) => {
    const { url } = await chatEngine(() => answerOf(message, way));
    const client = clientOf(url);
    const ask = (reasoning: "omit" | "include" | "off") =>
      client.complete({ prompt: "2+2?", model: "m", reasoning });

    expect(await ask("include")).toMatchObject({
      text: answer,
      reasoning: THOUGHT,
      warnings: [],
    });
    expect(await ask("omit")).toMatchObject({ text: answer, reasoning: null, warnings: [] });
    expect(await ask("off")).toMatchObject({
      text: answer,
      reasoning: null,
      warnings: [expect.stringContaining("reasoning is off: it ignores its switch")],
    });
  });
});

describe.each([
  ["hunyuan-a13b-instruct", "answer"],
  ["ERNIE-4.5-21B-A3B-Thinking", "response"],
  ["granite-3.3-8b", "response"],
])("the tag that %s puts around its answer behind thinking", (model, tag) => {
  const wrapped = `<${tag}>\n${ANSWER}\n</${tag}>`;

  it.each(WAYS)("is no part of it (%s)", async (way) => {
    for (const message of [
      { content: `<think>\n${THOUGHT}\n</think>\n\n${wrapped}` },
      { reasoning_content: THOUGHT, content: `\n\n${wrapped}</s>` },
    ]) {
      const { url } = await chatEngine(() => answerOf(message, way), [model]);
      const { text, reasoning } = await clientOf(url).complete({ prompt: "2+2?", model });
      // A line break before the tag stays, as one does before an end-of-turn token.
      expect([text.trimEnd(), reasoning]).toEqual([ANSWER, THOUGHT]);
    }
  });

  it("stays without thinking, in the middle, of other models, and where the prompt asks for it", async () => {
    const thought = { reasoning_content: THOUGHT };
    for (const [message, id, prompt] of [
      [{ content: wrapped }, model, "2+2?"],
      [{ ...thought, content: `So: ${wrapped}` }, model, "2+2?"],
      [{ ...thought, content: wrapped }, "m", "2+2?"],
      [{ ...thought, content: wrapped }, model, `2+2? Answer in <${tag}>.`],
    ] as const) {
      const { url } = await chatEngine(() => answerOf(message, "bytes"), [id]);
      const { text } = await clientOf(url).complete({ prompt, model: id });
      expect(text).toBe(message.content);
    }
  });
});

/** How each service sends thinking in the text of its model: 2.0.1 removes it. */
const SERVICES = [
  ["S", {}, THOUGHT],
  ["C1", {}, THOUGHT],
  ["C2", { version: "2.0.1" }, null],
  ["C2", {}, THOUGHT],
  ["openai", {}, THOUGHT],
] as const;

describe.each(SERVICES)("thinking on %s %j", (dialect, options, thought) => {
  it.each(["streamed", "whole"] as const)("is separate from the answer (%s)", async (way) => {
    const script = { think: THOUGHT, text: ANSWER };
    const reasoningMarkers = { start: "<think>", end: "</think>" };
    const models = [{ id: "m:1", loaded: true, script, reasoningMarkers }];
    const client = clientOf((await simulate({ dialect, models, ...options })).url);
    const answered = async (reasoning: "omit" | "include" | "off") => {
      const request = { prompt: "2+2?", model: "m:1", reasoning };
      if (way === "whole") return client.complete(request);
      const stream = client.streamComplete(request);
      for await (const _ of stream);
      return stream.snapshot();
    };

    expect(await answered("include")).toMatchObject({ text: ANSWER, reasoning: thought });
    expect(await answered("omit")).toMatchObject({ text: ANSWER, reasoning: null, warnings: [] });
    const off = await answered("off");
    expect(off).toMatchObject({ text: ANSWER, reasoning: null });
    expect(off.warnings).toHaveLength(thought === null ? 0 : 1);
  });
});

describe("reasoning off", () => {
  const request = { prompt: "2+2?", reasoning: "off" } as const;

  it.each([
    ["S", "qwen3-0.6b-generic-cpu:1", {}],
    ["C1", "qwen3-0.6b-generic-cpu:1", {}],
    ["C2", "Qwen3-8B-generic-cpu:1", { version: "2.0.1" }],
    ["C2", "qwen3-0.6b-generic-cpu:1", {}],
    ["openai", "Qwen3-8B-Instruct:1", {}],
  ] as const)("adds a switch to the prompt of Qwen3, on %s: %s", async (dialect, id, options) => {
    const simulator = await simulate({ dialect, models: [{ id, loaded: true }], ...options });
    const messages = [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello" },
      { role: "user", content: "2+2?" },
    ] as const;

    await clientOf(simulator.url).complete({ messages, model: id, reasoning: "off" });

    const [chat] = askedOf(simulator, "/v1/chat/completions");
    expect(Object(chat?.body).messages).toEqual([
      messages[0],
      messages[1],
      { role: "user", content: "2+2? /no_think" },
    ]);
  });

  it.each([
    ["S", "phi-4-mini-reasoning-generic-cpu:1", {}, {}],
    ["C1", "qwen3.5-2b-generic-cpu:1", {}, {}],
    ["C2", "phi-4-mini-reasoning-generic-cpu:1", { version: "2.0.1" }, {}],
    ["C2", "qwen3.5-2b-generic-cpu:1", {}, { chat_template_kwargs: { enable_thinking: false } }],
    [
      "openai",
      "deepseek-r1:1",
      {},
      { chat_template_kwargs: { enable_thinking: false }, reasoning_effort: "none" },
    ],
    [
      "openai",
      "gpt-oss-20b:1",
      {},
      { chat_template_kwargs: { enable_thinking: false }, reasoning_effort: "low" },
    ],
  ] as const)(
    "sends the fields that the service accepts: %s, %s",
    async (dialect, id, options, fields) => {
      const simulator = await simulate({ dialect, models: [{ id, loaded: true }], ...options });
      const client = clientOf(simulator.url);

      await client.complete({ ...request, model: id });
      await client.complete({ prompt: "2+2?", model: id, reasoning: "omit" });

      const [off, omitted] = askedOf(simulator, "/v1/chat/completions").map(({ body }) =>
        Object(body),
      );
      const { chat_template_kwargs, reasoning_effort } = off;
      expect({ chat_template_kwargs, reasoning_effort }).toEqual({
        chat_template_kwargs: undefined,
        reasoning_effort: undefined,
        ...fields,
      });
      expect(off.messages).toEqual([{ role: "user", content: "2+2?" }]);
      expect(omitted).not.toHaveProperty("chat_template_kwargs");
      expect(omitted).not.toHaveProperty("reasoning_effort");
    },
  );

  it.each([
    ["vLLM, by its value", "reasoning_effort", "Input should be 'low', 'medium' or 'high'"],
    ["Ollama, of gpt-oss", "reasoning_effort", "invalid reasoning value: 'none' (must be high)"],
    ["OpenAI", "reasoning_effort", "Unrecognized request argument supplied: reasoning_effort"],
    ["OpenAI", "chat_template_kwargs", "Unrecognized request argument: chat_template_kwargs"],
    ["FastAPI", "chat_template_kwargs", "Extra inputs are not permitted"],
    ["llama.cpp", "chat_template_kwargs", "invalid type for chat_template_kwargs.enable_thinking"],
  ])("is repeated without a refused field, by %s: %s", async (_engine, name, msg) => {
    const refuses = (body: ChatBody) =>
      name in body ? json({ detail: [{ loc: ["body", name], msg }] }, 400) : hello(body);
    const { url, chats } = await chatEngine(refuses);
    const client = clientOf(url);

    const first = await client.complete({ ...request, model: "m" });
    const second = await client.complete({ ...request, model: "m" });

    expect([first.attempts, second.attempts]).toEqual([2, 1]);
    expect(chats.map((body) => name in body)).toEqual([true, false, false]);
  });

  it.each([
    'invalid reasoning value: \'none\' (must be "high", "medium", "low")',
    "Reasoning is mandatory for this endpoint and cannot be disabled.",
    '"m" does not support thinking',
    "chat_template is not supported for Mistral tokenizers.",
  ])("is repeated without all switches where none is named: %s", async (message) => {
    const { url, chats } = await chatEngine((body) =>
      "reasoning_effort" in body ? json({ error: { message } }, 400) : hello(body),
    );

    const answer = await clientOf(url).complete({ ...request, model: "m" });

    expect(answer).toMatchObject({ text: "Hello", attempts: 2 });
    expect(chats[1]).not.toHaveProperty("chat_template_kwargs");
  });

  it.each([
    "The reasoning of the last message must be passed back.",
    "phi-4-mini-reasoning does not support audio",
  ])("is not repeated for words about thinking that refuse no switch: %s", async (message) => {
    const { url, chats } = await chatEngine(() => json({ error: { message } }, 400));

    await expect(clientOf(url).complete({ ...request, model: "m" })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
    expect(chats).toHaveLength(1);
  });
});

describe("a budget for reasoning", () => {
  const request = { prompt: "2+2?", model: "m", reasoningBudget: 50 } as const;
  const NAMES = ["thinking_budget_tokens", "thinking_token_budget"] as const;
  const thoughtFor = (tokens: number) =>
    events(
      { choices: [{ delta: { reasoning_content: "hmm ".repeat(tokens) } }] },
      { choices: [{ delta: { content: ANSWER }, finish_reason: "stop" }] },
    );

  it("is sent to an engine under both names, and to no service of Foundry Local", async () => {
    const engine = await chatEngine(hello);
    await clientOf(engine.url).complete(request);
    await clientOf(engine.url).complete({ ...request, reasoningBudget: undefined });
    expect(engine.chats.map((body) => NAMES.map((name) => body[name]))).toEqual([
      [50, 50],
      [undefined, undefined],
    ]);
    for (const dialect of ["S", "C1", "C2"] as const) {
      const { url, requests } = await simulate({ dialect, models: [{ id: "m:1", loaded: true }] });
      await clientOf(url).complete(request);
      const sent = JSON.stringify(requests.map(({ body }) => body));
      for (const name of NAMES) expect(sent).not.toContain(name);
    }
  });

  it.each([
    ["thinking_token_budget", "thinking_token_budget is set but reasoning_config is not"],
    ["thinking_budget_tokens", "Extra inputs are not permitted"],
  ] as const)("is repeated without a refused name: %s", async (name, msg) => {
    const { url, chats } = await chatEngine((body) =>
      name in body ? json({ detail: [{ loc: ["body", name], msg }] }, 400) : hello(body),
    );
    const client = clientOf(url);
    const first = await client.complete(request);
    const second = await client.complete(request);
    expect([first.attempts, second.attempts]).toEqual([2, 1]);
    expect(NAMES.map((each) => each in Object(chats.at(-1)))).toEqual(
      NAMES.map((each) => each !== name),
    );
  });

  it("causes a warning where the engine refuses both names", async () => {
    const { url, chats } = await chatEngine((body) => {
      const name = NAMES.find((each) => each in body);
      const msg = `Unrecognized request argument supplied: ${name}`;
      return name === undefined ? hello(body) : json({ error: { message: msg } }, 400);
    });
    const { warnings } = await clientOf(url).complete(request);
    expect(warnings).toEqual([
      "This engine refuses a budget for reasoning, so the request was sent without it.",
    ]);
    expect(NAMES.some((name) => name in Object(chats.at(-1)))).toBe(false);
  });

  it("fails where the engine refuses the number, and a later call sends another one", async () => {
    const { url, chats } = await chatEngine((body) => {
      const isWrong = Number(body["thinking_token_budget"]) > 4096;
      const message = "thinking_token_budget must be at most 4096";
      return isWrong ? json({ error: { message } }, 400) : hello(body);
    });
    const client = clientOf(url);
    await expect(client.complete({ ...request, reasoningBudget: 9999 })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      detail: expect.stringContaining("at most 4096"),
    });
    await client.complete(request);
    expect(Object(chats.at(-1))).toMatchObject({ thinking_token_budget: 50 });
  });

  it("causes no warning by the count of a short prompt, whose template has more tokens", async () => {
    const engine = await chatEngine(() =>
      events(
        { choices: [{ delta: { reasoning_content: "Hm. ".repeat(30), content: "4" } }] },
        { choices: [{ finish_reason: "stop" }] },
        { choices: [], usage: { prompt_tokens: 72, completion_tokens: 32 } },
      ),
    );
    const client = clientOf(engine.url);
    await client.complete({ prompt: "Hi", model: "m" });
    const { warnings } = await client.complete({ ...request, reasoningBudget: 50 });
    expect(warnings).toEqual([]);
  });

  it("causes a warning only where the model thought for much longer", async () => {
    const engine = await chatEngine(({ seed }) => thoughtFor(Number(seed)));
    const warningsFor = async (tokens: number, more = {}) =>
      (await clientOf(engine.url).complete({ ...request, seed: tokens, ...more })).warnings;
    expect(await warningsFor(200)).toEqual([
      "The model thought for about 229 tokens although `reasoningBudget` is 50: this service does not hold it to a budget. llama.cpp and vLLM do; otherwise set reasoning to off, or raise `maxTokens`.",
    ]);
    expect(await warningsFor(60)).toEqual([]);
    expect(await warningsFor(200, { reasoningBudget: undefined })).toEqual([]);
  });
});

describe("an answer that used all its tokens for thinking", () => {
  const thinking = (body: ChatBody): ChatAnswer => {
    const message = { reasoning_content: THOUGHT };
    return body["stream"] === true
      ? events({ choices: [{ delta: message, finish_reason: "length" }] })
      : json({ choices: [{ message, finish_reason: "length" }] });
  };

  it.each(["omit", "include"] as const)("names the limit to raise (%s)", async (reasoning) => {
    const { url } = await chatEngine(thinking);

    const completion = await clientOf(url).complete({ prompt: "2+2?", model: "m", reasoning });

    expect(completion).toMatchObject({ text: "", finishReason: "length" });
    expect(completion.warnings).toEqual([
      expect.stringMatching(
        /used up its tokens while thinking.*`maxTokens`, or with reasoning off/,
      ),
    ]);
  });

  it("has this warning last, behind those about the budget or reasoning off", async () => {
    const { url } = await chatEngine((body) => {
      const message = { reasoning_content: "hmm ".repeat(200) };
      return body["stream"] === true
        ? events({ choices: [{ delta: message, finish_reason: "length" }] })
        : json({ choices: [{ message, finish_reason: "length" }] });
    });
    const warningsOf = async (more: object) =>
      (await clientOf(url).complete({ prompt: "2+2?", model: "m", ...more })).warnings;
    expect(await warningsOf({ reasoningBudget: 50 })).toEqual([
      expect.stringContaining("although `reasoningBudget` is 50"),
      expect.stringContaining("used up its tokens while thinking"),
    ]);
    expect(await warningsOf({ reasoning: "off" })).toEqual([
      expect.stringContaining("although reasoning is off"),
      expect.stringMatching(/used up its tokens while thinking.*larger `maxTokens`\.$/),
    ]);
  });

  it("has this warning with a schema, too, and is not requested again", async () => {
    const { url, chats } = await chatEngine(thinking);
    const schema = { type: "object" };

    await expect(
      clientOf(url).complete({ prompt: "2+2?", model: "m", schema, reasoning: "omit" }),
    ).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
      message: expect.stringContaining("used up its tokens while thinking"),
      action: expect.stringContaining("`maxTokens`"),
      retryable: false,
    });
    expect(chats).toHaveLength(1);
  });
});
