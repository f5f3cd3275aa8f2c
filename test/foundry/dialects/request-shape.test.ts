import { describe, expect, it } from "vitest";
import { askedOf, clientOf, simulate } from "../fixtures.js";
import { type ChatAnswer, type ChatBody, chatEngine, events, hello, json } from "./chat-engine.js";

const FIELDS = ["stream_options", "stream", "max_tokens", "temperature", "top_p", "seed"];
const SAMPLING = { temperature: 0.2, topP: 0.9, seed: 7 };

/** How engines refuse a field by its name. */
const REFUSALS: readonly (readonly [string, (name: string) => object, number])[] = [
  [
    "FastAPI",
    (name) => ({
      detail: [
        { type: "extra_forbidden", loc: ["body", name], msg: "Extra inputs are not permitted" },
      ],
    }),
    422,
  ],
  [
    "Mistral",
    (name) => ({
      object: "error",
      message: {
        detail: [
          {
            type: "extra_forbidden",
            loc: ["body", name, "x"],
            msg: "Extra inputs are not permitted",
          },
        ],
      },
      code: null,
    }),
    422,
  ],
  [
    "OpenAI",
    (name) => ({
      error: {
        message: `Unrecognized request argument supplied: ${name}`,
        type: "invalid_request_error",
      },
    }),
    400,
  ],
  [
    "OpenAI, by its parameter",
    (name) => ({
      error: { message: "Unsupported parameter.", param: name, code: "unsupported_parameter" },
    }),
    400,
  ],
  ["a Go engine", (name) => ({ error: `json: unknown field "${name}"` }), 400],
  [
    "a Rust engine",
    (name) => ({
      error: `Failed to deserialize the JSON body: unknown field \`${name}\`, expected one of \`model\`, \`messages\`, \`stream\`, \`max_tokens\`, \`seed\``,
    }),
    422,
  ],
  ["Groq", (name) => ({ error: { message: `property '${name}' is unsupported` } }), 400],
  ["plain words", (name) => ({ message: `${name} is not supported by this engine` }), 500],
  [
    "Google",
    (name) => [
      {
        error: {
          code: 400,
          message: `Invalid JSON payload received. Unknown name "${name}": Cannot find field.`,
        },
      },
    ],
    400,
  ],
];

/** An engine that refuses a field wherever the field is sent. */
const without = (name: string, refusal: object, status: number) => (body: ChatBody) =>
  name in body ? json(refusal, status) : hello(body);

describe.each(REFUSALS)("a field that %s refuses", (engine, refusalOf, status) => {
  it.each(FIELDS)("%s is omitted after one refusal, also later", async (name) => {
    const { url, chats } = await chatEngine(without(name, refusalOf(name), status));
    const client = clientOf(url);
    const first = await client.complete({ prompt: "Hi", model: "m", ...SAMPLING });
    expect(first).toMatchObject({ text: "Hello", attempts: 2 });
    const warnings = first.warnings.join(" ");
    expect(warnings).toContain(name === "stream" ? "did not stream" : `refuses ${name}`);
    const second = await client.complete({ prompt: "Hi", model: "m", ...SAMPLING });
    expect(second).toMatchObject({ text: "Hello", attempts: 1 });
    expect(chats).toHaveLength(3);
    const others = Object.keys(chats[0] ?? {}).filter((each) => !each.startsWith("stream"));
    expect(Object.keys(chats[1] ?? {})).toEqual(
      expect.arrayContaining(others.filter((each) => each !== name)),
    );
  });

  // The words of an engine are recognised by the same rules in a stream: all fields with the first engine.
  const fields = engine === REFUSALS[0]?.[0] ? FIELDS : FIELDS.slice(0, 1);
  it.each(fields.flatMap((name) => [false, true].map((isBytewise) => [name, isBytewise] as const)))(
    "%s is omitted, too, where it is refused in the stream (bytewise: %s)",
    async (name, isBytewise) => {
      const { url, chats } = await chatEngine((body) =>
        name in body ? { ...events([refusalOf(name)].flat()[0]), isBytewise } : hello(body),
      );
      const completion = await clientOf(url).complete({ prompt: "Hi", model: "m", ...SAMPLING });
      expect(completion).toMatchObject({ text: "Hello", attempts: 2 });
      expect(chats).toHaveLength(2);
      expect(chats[1]).not.toHaveProperty(name);
    },
  );
});

describe("a request", () => {
  it("has no sampling parameters unless the caller set them", async () => {
    const { url, chats } = await chatEngine(hello);
    await clientOf(url).complete({ prompt: "Hi", model: "m" });
    expect(Object.keys(chats[0] ?? {})).toEqual([
      "model",
      "messages",
      "max_tokens",
      "stream",
      "stream_options",
    ]);
  });

  it.each([
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    "max_tokens is unsupported, use max_completion_tokens",
    "Unrecognized request argument supplied: max_tokens. Did you mean max_completion_tokens?",
  ])("names its length max_completion_tokens where the engine asks for it: %s", async (message) => {
    const { url, chats } = await chatEngine(without("max_tokens", { error: { message } }, 400));
    const completion = await clientOf(url).complete({ prompt: "Hi", model: "m", maxTokens: 50 });
    expect(completion).toMatchObject({ text: "Hello", attempts: 2 });
    expect(completion.warnings).toEqual([expect.stringContaining("max_completion_tokens")]);
    expect(chats[1]).toMatchObject({ max_completion_tokens: 50 });
    expect(chats[1]).not.toHaveProperty("max_tokens");
  });

  it.each([
    ["stream", "stream must be false"],
    ["stream", "Only non-streaming requests are possible here."],
    ["stream", "Streaming is not enabled for this model"],
    ["stream", "This model does not support chat completion streaming"],
    ["stream_options", "Additional properties are not allowed ('stream_options' was unexpected)"],
    ["seed", "found unpermitted parameter: :seed"],
    ["top_p", "[top_p] is not a valid parameter"],
    [
      "temperature",
      "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.",
    ],
    ["max_tokens", "max_tokens is deprecated in favor of max_completion_tokens"],
    ["temperature", "`temperature` is deprecated for this model."],
    [
      "top_p",
      "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
    ],
  ])("is repeated without %s after this message, too: %s", async (name, message) => {
    const { url, chats } = await chatEngine(without(name, { error: { message } }, 400));
    const request = { prompt: "Hi", model: "m", ...SAMPLING };
    expect(await clientOf(url).complete(request)).toMatchObject({ text: "Hello", attempts: 2 });
    expect(chats[1]).not.toHaveProperty(name);
  });

  const OF_THINKING = [
    "thinking_budget_tokens",
    "thinking_token_budget",
    "chat_template_kwargs",
    "reasoning_effort",
  ];
  const ALONE = [
    "stream_options",
    "seed",
    "top_p",
    "temperature",
    "max_tokens",
    "stream",
    ...OF_THINKING,
  ];
  const ALL = { ...SAMPLING, reasoning: "off", reasoningBudget: 100 } as const;
  // GPT4All refuses one after the other.
  it.each([1, 2, 6, 10])("is repeated without %i fields refused in turn", async (count) => {
    const refused = ALONE.slice(0, count);
    const { url, chats } = await chatEngine((body) => {
      const name = refused.find((each) => each in body && body[each] !== false);
      return name === undefined ? hello(body) : json({ error: `unknown field "${name}"` }, 400);
    });
    const request = { prompt: "Hi", model: "m", ...ALL };
    const attempts = count + 1;
    expect(await clientOf(url).complete(request)).toMatchObject({ text: "Hello", attempts });
    expect(chats).toHaveLength(attempts);
  });

  it("is sent without the refused fields later, even if it was refused too often", async () => {
    const { url, chats } = await chatEngine((body) => {
      const name = ALONE.find((each) => each in body && body[each] !== false);
      if (name !== undefined) return json({ error: `unknown field "${name}"` }, 400);
      return JSON.stringify(body).includes('"system"')
        ? json({ error: "System role not supported" }, 400)
        : hello(body);
    });
    const client = clientOf(url);
    const request = { prompt: "Hi", system: "Be brief", model: "m", ...ALL };
    await expect(client.complete(request)).rejects.toMatchObject({ attempts: 11 });
    expect(await client.complete(request)).toMatchObject({ text: "Hello", attempts: 1 });
    expect(chats).toHaveLength(12);
  });

  it("is repeated without several fields that are refused together", async () => {
    const { url } = await chatEngine((body) =>
      "seed" in body || "stream_options" in body
        ? json({ error: "Unrecognized request arguments supplied: seed, stream_options" }, 400)
        : hello(body),
    );
    const request = { prompt: "Hi", model: "m", ...SAMPLING };
    expect(await clientOf(url).complete(request)).toMatchObject({ text: "Hello", attempts: 2 });
  });

  it("fails where the engine refuses one field after the other", async () => {
    const { url, chats } = await chatEngine((body) => {
      const name = Object.keys(body).findLast((each) => each !== "model") ?? "messages";
      return json({ error: `unknown field "${name}"` }, 400);
    });
    const request = { prompt: "Hi", model: "m", ...SAMPLING };
    await expect(clientOf(url).complete(request)).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      attempts: 7,
    });
    expect(chats).toHaveLength(7);
  });

  it.each([
    "temperature must be between 0 and 2",
    "Invalid value for 'seed': it is out of range",
    "unknown field `functions`, expected one of `model`, `stream`, `seed`, `temperature`",
    "top_p: Input should be less than or equal to 1",
    "stream is not an option here",
    "seed 7 is not allowed: the maximum is 5",
  ])("is not repeated where the refusal names no field: %s", async (message) => {
    const { url, chats } = await chatEngine(() => json({ error: { message } }, 400));
    const request = { prompt: "Hi", model: "m", ...SAMPLING };
    await expect(clientOf(url).complete(request)).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
    expect(chats).toHaveLength(1);
  });

  it("is sent with all fields to another model of the endpoint", async () => {
    const refusal = { error: "seed is not supported with this model" };
    const { url, chats } = await chatEngine((body) =>
      body["model"] === "m" && "seed" in body ? json(refusal, 400) : hello(body),
    );
    const client = clientOf(url);
    await client.complete({ prompt: "Hi", model: "m", seed: 7 });
    const { warnings } = await client.complete({ prompt: "Hi", model: "other", seed: 7 });
    expect(warnings).toEqual([]);
    expect(chats.at(-1)).toMatchObject({ model: "other", seed: 7 });
  });

  it("has a warning each time a setting of the caller was omitted", async () => {
    const { url } = await chatEngine(without("seed", { error: "unknown field seed" }, 400));
    const client = clientOf(url);
    const expected = [expect.stringContaining("refuses seed")];
    for (const seed of [1, 2]) {
      const { warnings } = await client.complete({ prompt: "Hi", model: "m", seed });
      expect(warnings).toEqual(expected);
    }
    expect((await client.complete({ prompt: "Hi", model: "m" })).warnings).toEqual([]);
  });
});

/** vllm-project/vllm#2964, huggingface/chat-ui#1386, microsoft/autogen#1037, anomalyco/opencode#5034. */
const NO_SYSTEM_ROLE: readonly (readonly [string, number])[] = [
  ["System role not supported", 400],
  ["Conversation roles must alternate user/assistant/user/assistant/...", 400],
  ["Only user and assistant roles are supported!", 400],
  ["Error: Jinja Exception: Only user, assistant and tool roles are supported, got system.", 500],
  ["Template error: invalid operation: System role not supported (in <string>:1)", 422],
  ["Developer instruction is not enabled for models/gemma-3-4b-it", 400],
  ["This model does not support the system role", 400],
  ["Jinja Exception: System message must be at the beginning.", 500],
  ["messages[0].role: unknown variant `system`, expected `user` or `assistant`", 422],
];

describe("a system text", () => {
  const request = {
    model: "m",
    system: "Be brief.",
    messages: [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Yes?" },
      { role: "user", content: "One." },
      { role: "user", content: "Two." },
    ],
  } as const;

  it.each(NO_SYSTEM_ROLE)(
    "goes in front of the first message where the role is refused: %s",
    async (message, status) => {
      const { url, chats } = await chatEngine((body) =>
        JSON.stringify(body).includes('"system"')
          ? json({ object: "error", message, type: "BadRequestError", code: status }, status)
          : hello(body),
      );
      const client = clientOf(url);
      const completion = await client.complete(request);
      expect(completion).toMatchObject({ text: "Hello", attempts: 2 });
      expect(completion.warnings).toEqual([expect.stringContaining("role system")]);
      expect(chats[1]?.["messages"]).toEqual([
        { role: "user", content: "Be brief.\n\nHi" },
        { role: "assistant", content: "Yes?" },
        { role: "user", content: "One.\n\nTwo." },
      ]);
      expect(await client.complete(request)).toMatchObject({ attempts: 1 });
    },
  );

  it("need not be there for neighbours of one role to be joined where they are refused", async () => {
    const { url, chats } = await chatEngine((body) =>
      chats.length === 1
        ? json(
            { error: "Conversation roles must alternate user/assistant/user/assistant/..." },
            400,
          )
        : hello(body),
    );
    const { messages } = request;
    const { text, warnings } = await clientOf(url).complete({ model: "m", messages });
    expect({ text, warnings }).toEqual({ text: "Hello", warnings: [] });
    expect(chats[1]?.["messages"]).toEqual([
      ...messages.slice(0, 2),
      { role: "user", content: "One.\n\nTwo." },
    ]);
  });

  it("is the first message where an answer would be", async () => {
    const { url, chats } = await chatEngine((body) =>
      JSON.stringify(body).includes('"system"')
        ? json({ error: "System role not supported" }, 400)
        : hello(body),
    );
    await clientOf(url).complete({
      model: "m",
      system: "Be brief.",
      messages: [
        { role: "assistant", content: "Yes?" },
        { role: "user", content: "Hi" },
      ],
    });
    expect(chats[1]?.["messages"]).toEqual([
      { role: "user", content: "Be brief." },
      { role: "assistant", content: "Yes?" },
      { role: "user", content: "Hi" },
    ]);
  });

  it("that describes tools goes in front of the first message, too", async () => {
    const { url, chats } = await chatEngine((body) => {
      if ("tools" in body) return json({ error: "This model does not support tools" }, 400);
      return JSON.stringify(body).includes('"system"')
        ? json({ error: "System role not supported" }, 400)
        : hello(body);
    });
    const clock = { name: "clock", description: "The time" };
    const tools = [{ type: "function" as const, function: clock }];
    const completion = await clientOf(url).complete({ prompt: "Hi", model: "m", tools });
    expect(completion).toMatchObject({ text: "Hello", attempts: 3 });
    expect(completion.warnings).toEqual([
      expect.stringContaining("takes no tools"),
      expect.stringContaining("role system"),
    ]);
    expect(chats[2]?.["messages"]).toEqual([
      { role: "user", content: expect.stringMatching(/clock.*\n\nHi$/s) },
    ]);
  });

  it("is not added where none was sent", async () => {
    const { url, chats } = await chatEngine(() =>
      json({ error: "System role not supported" }, 400),
    );
    await expect(clientOf(url).complete({ prompt: "Hi", model: "m" })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
    expect(chats).toHaveLength(1);
  });
});

// ggml-org/llama.cpp#19905, #21347; janhq/jan#6123.
describe.each([
  "\n------------\nWhile executing FilterExpression at line 18, column 34 in source:\n...if -%}↵ {%- if value['type'] | upper == 'STRING' -%}↵...\n ^\nError: Unknown (built-in) filter 'upper' for type Array",
  "Value is not callable: null at row 49, column 79:\n {%- set content = (m_content.split('</think>')|last) %}\n ^\n",
])("a template of llama.cpp that fails: %s", (message) => {
  const failed = json({ error: { code: 500, message, type: "server_error" } }, 500);
  const tools = [{ type: "function" as const, function: { name: "clock" } }];

  it("on tools gets these as text", async () => {
    const { url, chats } = await chatEngine((body) => ("tools" in body ? failed : hello(body)));
    const completion = await clientOf(url).complete({ prompt: "Hi", model: "m", tools });
    expect(completion).toMatchObject({ text: "Hello", attempts: 2 });
    expect(JSON.stringify(chats[1]?.["messages"])).toContain("clock");
  });

  it("on the results of tools gets these as text", async () => {
    const { url, chats } = await chatEngine((body) =>
      JSON.stringify(body).includes('"role":"tool"') ? failed : hello(body),
    );
    const completion = await clientOf(url).complete({
      model: "m",
      tools,
      messages: [
        { role: "user", content: "Hi" },
        {
          role: "assistant",
          content: "",
          tool_calls: [{ id: "a", type: "function", function: { name: "clock", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "a", content: "noon" },
      ],
    });
    expect(completion).toMatchObject({ text: "Hello", attempts: 2 });
    expect(JSON.stringify(chats[1]?.["messages"])).toContain("noon");
  });

  it("on more than the tools leaves these in the next request", async () => {
    const { url, chats } = await chatEngine((body) => (chats.length <= 2 ? failed : hello(body)));
    const client = clientOf(url);
    const request = { prompt: "Hi", model: "m", tools };
    await expect(client.complete(request)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    expect(await client.complete(request)).toMatchObject({ text: "Hello" });
    expect(chats.map((body) => "tools" in body)).toEqual([true, false, true]);
  });

  it("on the order of the messages says so, and leaves the tools as they are", async () => {
    const refusal =
      "While executing CallExpression at line 189, column 32 in source: Error: Jinja Exception: After the optional system message, conversation roles must alternate user and assistant roles";
    const { url, chats } = await chatEngine(() => json({ error: { message: refusal } }, 500));
    const messages = [
      { role: "assistant" as const, content: "Hello" },
      { role: "user" as const, content: "Hi" },
    ];
    await expect(clientOf(url).complete({ model: "m", tools, messages })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      action: expect.stringContaining("Begin `messages` with one of the user"),
    });
    expect(chats).toHaveLength(1);
  });

  it.each([
    [
      "llama.cpp",
      "While executing CallExpression at line 85, column 32 in source: Error: Jinja Exception: No user query found in messages.",
      500,
    ],
    [
      "LM Studio",
      'Error rendering prompt with jinja template: "No user query found in messages."',
      400,
    ],
  ])("on messages without one of the user says so (%s)", async (_engine, message, status) => {
    const { url } = await chatEngine(() => json({ error: { message } }, status));
    const messages = [{ role: "assistant" as const, content: "Hello" }];
    await expect(clientOf(url).complete({ model: "m", messages })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      action: expect.stringContaining("Begin `messages` with one of the user"),
      retryable: false,
    });
  });

  it("on other messages is requested once", async () => {
    const { url, chats } = await chatEngine(() => failed);
    await expect(clientOf(url).complete({ prompt: "Hi", model: "m" })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      message: expect.stringContaining("The chat template of m fails on this request."),
      retryable: false,
    });
    expect(chats).toHaveLength(1);
  });
});

describe("an engine that fails before its answer", () => {
  const piece = (given: object, finish: string | null = null) => ({
    choices: [{ index: 0, delta: given, finish_reason: finish }],
  });
  const failed = { error: { message: "overloaded", code: 503 } };

  it.each<[string, ChatAnswer, ChatAnswer]>([
    [
      "after an event that cannot be read",
      { body: `data: ping\n\ndata: ${JSON.stringify(failed)}\n\n` },
      {
        body: `${events(piece({ content: "Hel" }), piece({ content: "lo" }, "stop")).body}data: [DONE]\n\n`,
      },
    ],
    [
      "after an event without text",
      events(piece({ role: "assistant" }), failed),
      events({ choices: [{ message: { role: "assistant", content: "Hello" } }] }),
    ],
  ])("is asked again, and of the first attempt nothing counts: %s", async (_, first, second) => {
    let chat = 0;
    const { url } = await chatEngine(() => {
      chat += 1;
      return chat === 1 ? first : second;
    });
    const answer = await clientOf(url).complete({ prompt: "Hi", model: "m" });
    expect(answer).toMatchObject({ text: "Hello", attempts: 2, warnings: [] });
  });
});

describe("an engine whose streams never begin", () => {
  it("gets requests without streaming after the stall limit, and from then on at once", async () => {
    const { url, chats } = await chatEngine((body) =>
      body["stream"] === true ? null : hello(body),
    );
    const client = clientOf(url, { stallTimeoutMs: 1000 });
    const first = await client.complete({ prompt: "Hi", model: "m" });
    expect(first).toMatchObject({ status: "completed", text: "Hello", attempts: 2 });
    expect(first.warnings).toEqual([expect.stringContaining("did not stream")]);
    expect(await client.complete({ prompt: "Hi", model: "m" })).toMatchObject({ attempts: 1 });
    expect(chats.map(({ stream }) => stream)).toEqual([true, undefined, undefined]);
  });

  it("gets requests without streaming where it is Foundry Local 0.5, too", async () => {
    const simulator = await simulate({
      dialect: "S",
      models: [{ id: "talker-generic-cpu:1", alias: "talker", script: { text: "Hello" } }],
    });
    simulator.addFault({ kind: "hang", on: { path: "/v1/chat/completions" }, times: 1 });
    const client = clientOf(simulator.url, { stallTimeoutMs: 1000 });
    const first = await client.complete({ prompt: "Hi", model: "talker" });
    expect(first).toMatchObject({ status: "completed", text: "Hello", attempts: 2 });
    expect(first.warnings).toEqual([expect.stringContaining("did not stream")]);
    expect(await client.complete({ prompt: "Hi", model: "talker" })).toMatchObject({ attempts: 1 });
    const chats = askedOf(simulator, "/v1/chat/completions").map(({ body }) => body);
    expect(chats).toEqual([
      expect.objectContaining({ stream: true }),
      expect.not.objectContaining({ stream: true }),
      expect.not.objectContaining({ stream: true }),
    ]);
  });

  it("gets streaming requests again after an answer without streaming took too long", async () => {
    let chat = 0;
    const { url, chats } = await chatEngine((body) => {
      chat += 1;
      // The first stream, and then a long answer in one piece.
      return chat === 1 || chat === 3 ? null : hello(body);
    });
    const client = clientOf(url, { stallTimeoutMs: 1000 });
    const ask = () => client.complete({ prompt: "Hi", model: "m" });
    await ask();
    await expect(ask()).rejects.toMatchObject({ code: "TIMEOUT" });
    await ask();
    expect(chats.map(({ stream }) => stream)).toEqual([true, undefined, undefined, true]);
  });

  it("counts as slow where it does not answer without streaming either, and streams the next time", async () => {
    let isSlow = true;
    const { url, chats } = await chatEngine((body) => (isSlow ? null : hello(body)));
    const client = clientOf(url, { stallTimeoutMs: 1000 });
    await expect(client.complete({ prompt: "Hi", model: "m" })).rejects.toMatchObject({
      code: "TIMEOUT",
      attempts: 2,
    });
    isSlow = false;
    await client.complete({ prompt: "Hi", model: "m" });
    expect(chats.map(({ stream }) => stream)).toEqual([true, undefined, true]);
  });
});
