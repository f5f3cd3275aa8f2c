import type { PromptSeen, Script } from "foundry-local-simulator";
import { describe, expect, it } from "vitest";
import type { CompletionMessage, ToolChoice, ToolDefinition } from "../../../src/index.js";
import { WEATHER as QUESTION } from "../../e2e/target.js";
import { chatEngine, events, hello, json } from "../dialects/chat-engine.js";
import { askedOf, clientOf, simulate } from "../fixtures.js";

const WEATHER: ToolDefinition = QUESTION.tool;
const CALL = { name: "get_weather", arguments: { city: "Oslo" } };
const CALL_TEXT = `<tool_call>\n${JSON.stringify(CALL)}\n</tool_call>`;

/** A conversation in which a tool was called. */
const RESULTS: readonly CompletionMessage[] = [
  { role: "user", content: "Hi" },
  {
    role: "assistant",
    content: "",
    tool_calls: [
      { id: "call_1", type: "function", function: { name: "get_weather", arguments: "{}" } },
    ],
  },
  { role: "tool", tool_call_id: "call_1", content: "3 degrees" },
];

/** Calls the tool, and answers with the last message when that has the result. */
function agent({ messages, text }: PromptSeen): Script {
  const last = messages.at(-1);
  if (last?.role === "tool") return { text: `Result: ${last.content}` };
  if (text.includes("returned:")) return { text: `Result: ${text.split("returned:\n")[1]}` };
  return { text: CALL_TEXT };
}

const services = [
  ["S", { dialect: "S" }],
  ["C1", { dialect: "C1" }],
  ["C2 2.0.1", { dialect: "C2", version: "2.0.1" }],
  ["C2 2.2.1", { dialect: "C2", version: "2.2.1" }],
  ["an OpenAI-compatible engine", { dialect: "openai" }],
] as const;

describe.each(services)("tools on %s", (name, options) => {
  const start = async (script: Script | ((prompt: PromptSeen) => Script), toolMarkers: boolean) => {
    const simulator = await simulate({
      ...options,
      models: [
        {
          id: "agent-generic-cpu:1",
          loaded: true,
          script,
          toolMarkers: toolMarkers ? { start: "<tool_call>", end: "</tool_call>" } : null,
        },
      ],
    });
    const bodies = () => askedOf(simulator, "/v1/chat/completions").map(({ body }) => Object(body));
    return { client: clientOf(simulator.url), bodies };
  };

  it.each([true, false])(
    "are called, and the model gets their results (markers known: %s)",
    async (hasMarkers) => {
      const { client, bodies } = await start(agent, hasMarkers);
      const question: CompletionMessage = { role: "user", content: "The weather in Oslo?" };

      const asked = await client.complete({ messages: [question], tools: [WEATHER] });

      expect(asked).toMatchObject({ text: "", finishReason: "tool_calls", toolCalls: [CALL] });
      const [call] = asked.toolCalls ?? [];
      const answered = await client.complete({
        messages: [
          question,
          { role: "assistant", content: asked.text, tool_calls: asked.toolCalls },
          { role: "tool", tool_call_id: call?.id, content: "3 degrees" },
        ],
        tools: [WEATHER],
      });

      expect(answered).toMatchObject({ text: "Result: 3 degrees", finishReason: "stop" });
      expect(answered.toolCalls).toBeUndefined();
      const drops = name === "S" || name === "C2 2.0.1";
      const [, second] = bodies();
      expect(second.messages.some(({ role }: CompletionMessage) => role === "tool")).toBe(!drops);
      expect(answered.warnings.join().includes("drops the results of tools")).toBe(drops);
      expect("tools" in second).toBe(name !== "S");
      if (name === "S") expect(second.messages[0].content).toContain('"name":"get_weather"');
    },
  );

  it("are not searched for in the text where none are offered or allowed", async () => {
    const { client } = await start({ text: `Write ${CALL_TEXT}.` }, false);

    const plain = await client.complete({ prompt: "Hi" });
    const none = await client.complete({ prompt: "Hi", tools: [WEATHER], toolChoice: "none" });

    expect([plain.text, none.text]).toEqual(Array(2).fill(`Write ${CALL_TEXT}.`));
    expect(plain.toolCalls).toBeUndefined();
    expect([plain.finishReason, none.finishReason]).toEqual(["stop", "stop"]);
  });

  it("do not end an answer where they are not allowed, but the service calls them", async () => {
    const { client } = await start({ toolCalls: [CALL] }, true);

    const none = await client.complete({ prompt: "Hi", tools: [WEATHER], toolChoice: "none" });

    expect(none).toMatchObject({ finishReason: "stop" });
    expect(none.toolCalls).toBeUndefined();
  });

  it("with invalid arguments are calls with an error", async () => {
    const { client } = await start({ toolCalls: [{ name: "get_weather", arguments: {} }] }, true);

    const { toolCalls, warnings } = await client.complete({ prompt: "Hi", tools: [WEATHER] });

    expect(toolCalls).toMatchObject([{ error: expect.stringContaining("city") }]);
    expect(warnings.join()).toContain("should not be run");
  });

  it("that were called replace the value of the schema", async () => {
    const { client, bodies } = await start(agent, true);

    const { toolCalls, data } = await client.complete({
      prompt: "Hi",
      tools: [WEATHER],
      schema: { type: "object" },
    });

    expect(toolCalls).toMatchObject([CALL]);
    expect(data).toBeUndefined();
    expect(bodies()[0]).not.toHaveProperty("response_format");
  });
});

const FORCED = [
  ["C1", { dialect: "C1" }],
  ["C2 2.0.1", { dialect: "C2", version: "2.0.1" }],
] as const;

describe.each(FORCED)("a schema sent as a forced tool on %s", (_name, options) => {
  const value = { a: 1, b: "x" };
  const call = `{"name": "answer", "parameters": ${JSON.stringify(value)}}`;
  const schema = {
    type: "object",
    properties: { a: { type: "integer" }, b: { type: "string" } },
    required: ["a", "b"],
  };

  it.each([
    ["one call", `[${call}]`, null],
    ["several calls", `[${call}, {"name": "answer", "parameters": {"a": 2, "b": "y"}}]`, null],
    ["a call that is cut off", `[${call}, {"name": "answer", "par`, null],
    [
      "calls in markers",
      `<tool_call>[${call}]</tool_call>`,
      { start: "<tool_call>", end: "</tool_call>" },
    ],
    ["the value itself", JSON.stringify(value), null],
  ])(
    "becomes the parameters of the forced tool; the answer is %s",
    async (_what, text, toolMarkers) => {
      const simulator = await simulate({
        ...options,
        models: [{ id: "writer-generic-cpu:1", loaded: true, script: { text }, toolMarkers }],
      });

      const completion = await clientOf(simulator.url).complete({ prompt: "Hi", schema });

      expect(completion).toMatchObject({ data: value, method: "constrained", attempts: 1 });
      expect(completion.toolCalls).toBeUndefined();
      const [body] = askedOf(simulator, "/v1/chat/completions").map(({ body: sent }) =>
        Object(sent),
      );
      expect(body).toMatchObject({
        tools: [{ type: "function", function: { name: "answer", parameters: schema } }],
        tool_choice: "required",
      });
      expect(body).not.toHaveProperty("response_format");
    },
  );
});

describe.each(services)("a forced tool call on %s", (name, options) => {
  const isCall = name === "C1" || name === "C2 2.0.1";
  const city = { type: "string" };
  const inline = { type: "object", properties: { city }, required: ["city"] };
  const reference = {
    $defs: { City: city },
    ...inline,
    properties: { city: { $ref: "#/$defs/City" } },
  };
  const circle = { ...inline, properties: { city, next: { $ref: "#" } } };
  const sent = async (parameters: object, toolChoice: ToolChoice) => {
    const simulator = await simulate({
      ...options,
      models: [{ id: "agent-generic-cpu:1", loaded: true, script: agent }],
    });
    const tool = { ...WEATHER, function: { ...WEATHER.function, parameters: { ...parameters } } };
    const { toolCalls, warnings } = await clientOf(simulator.url).complete({
      prompt: "Hi",
      model: "agent-generic-cpu:1",
      tools: [tool],
      toolChoice,
    });
    expect(toolCalls).toMatchObject([CALL]);
    const [request] = askedOf(simulator, "/v1/chat/completions");
    const { tools, tool_choice } = Object(request?.body);
    return { parameters: tools?.[0].function.parameters, tool_choice, warnings: warnings.join() };
  };
  const named: ToolChoice = { type: "function", function: { name: "get_weather" } };

  it.runIf(name !== "S").each(["required", named] as const)(
    "is requested with parameters that the service understands (%j)",
    async (choice) => {
      const { parameters, tool_choice, warnings } = await sent(reference, choice);

      expect(tool_choice).toEqual(choice);
      expect(parameters).toEqual(isCall ? inline : reference);
      expect(warnings).toBe("");
    },
  );

  // lmstudio-ai/lmstudio-bug-tracker#2203.
  it.runIf(name !== "S").each([{}, { type: "object" }, { properties: {} }])(
    "is requested with an object schema where the parameters are %j",
    async (given) => {
      const { parameters, tool_choice, warnings } = await sent(given, "required");

      expect(tool_choice).toBe("required");
      expect(parameters).toEqual({ type: "object", properties: {} });
      expect(warnings).toBe("");
    },
  );

  it.runIf(name !== "S")("is left to the model where the service cannot force it", async () => {
    const { parameters, tool_choice, warnings } = await sent(circle, "required");

    expect(tool_choice).toBe(isCall ? undefined : "required");
    expect(parameters).toEqual(circle);
    expect(warnings.includes("cannot force a call")).toBe(isCall);
  });

  it.runIf(name !== "S")("leaves the parameters unchanged where the call is optional", async () => {
    expect(await sent(reference, "auto")).toMatchObject({ parameters: reference, warnings: "" });
  });
});

const delta = (given: object, finish: string | null = null) => ({
  choices: [{ index: 0, delta: given, finish_reason: finish }],
});

describe("tool calls of an engine", () => {
  const called = (index: number, given: object) => ({ tool_calls: [{ index, ...given }] });

  it.each([true, false])(
    "that are unreadable leave the thinking unchanged, streamed: %s",
    async (isStreamed) => {
      const content = '<think>A plan.</think><tool_call>{"city":"Oslo"}</tool_call>';
      const { url, chats } = await chatEngine(() =>
        isStreamed
          ? events(delta({ content }, "stop"))
          : json({ choices: [{ message: { content }, finish_reason: "stop" }] }),
      );
      const client = clientOf(url, { cache: 10 });
      const ask = () =>
        client.complete({ prompt: "Hi", model: "m", tools: [WEATHER], temperature: 0 });

      const answers = [await ask(), await ask()];

      for (const answer of answers) {
        expect(answer).toMatchObject({ text: "", reasoning: "A plan." });
        expect(answer.warnings).toContainEqual(expect.stringMatching(/call/));
      }
      expect(chats).toHaveLength(2);
    },
  );

  it("may be structured and split into pieces", async () => {
    const { url } = await chatEngine(() =>
      events(
        delta({ role: "assistant", content: null }),
        delta(
          called(0, {
            id: "call_7",
            type: "function",
            function: { name: "get_weather", arguments: "" },
          }),
        ),
        delta(called(0, { function: { arguments: '{"city":' } })),
        delta(called(0, { function: { arguments: '"Oslo"}' } })),
        delta({}, "tool_calls"),
      ),
    );

    const { toolCalls } = await clientOf(url).complete({
      prompt: "Hi",
      model: "m",
      tools: [WEATHER],
    });

    expect(toolCalls).toEqual([{ id: "call_7", ...CALL }]);
  });

  it("are forced by name where the engine takes no name, as LM Studio", async () => {
    // lmstudio-ai/lmstudio-bug-tracker#670.
    const error =
      "Invalid tool_choice type: 'object'. Supported string values: none, auto, required";
    const { url, chats } = await chatEngine((body) =>
      typeof body["tool_choice"] === "object"
        ? json({ error }, 400)
        : events(
            delta(called(0, { function: { name: "get_weather", arguments: '{"city":"Oslo"}' } })),
            delta({}, "tool_calls"),
          ),
    );
    const client = clientOf(url);
    const toolChoice = { type: "function", function: { name: "get_weather" } } as const;
    const tools = [{ function: { name: "other" } }, WEATHER];
    const ask = () => client.complete({ prompt: "Hi", model: "m", tools, toolChoice });

    const answers = [await ask(), await ask()];

    for (const answer of answers) expect(answer).toMatchObject({ toolCalls: [CALL], warnings: [] });
    expect(chats.map((body) => body["tool_choice"])).toEqual([toolChoice, "required", "required"]);
    expect(chats.slice(1).map(({ tools: sent }) => sent)).toEqual([[WEATHER], [WEATHER]]);
  });

  // huggingface/text-generation-inference#3198.
  it.each([
    [
      422,
      "Template error: syntax error: Conversation roles must alternate user/assistant/user/assistant/...",
    ],
    [400, "Only user and assistant roles are supported!"],
    // gpt4all-chat/src/server.cpp of nomic-ai/gpt4all.
    [400, "Invalid 'messages[1]': unrecognized key: 'tool_calls'"],
    [
      400,
      "Invalid 'messages[2].role': expected one of 'system', 'assistant', or 'user', but got 'tool' instead.",
    ],
    [422, "messages[2].role: unknown variant `tool`, expected one of `system`, `user`"],
    [
      422,
      {
        detail: [
          {
            loc: ["body", "messages", 2, "role"],
            msg: "Input should be 'system', 'user' or 'assistant'",
          },
        ],
      },
    ],
  ])(
    "give their results as text where the template has no role for them, with %i: %o",
    async (status, error) => {
      const isOfTool = (message: unknown) => JSON.stringify(message).includes('"role":"tool"');
      const { url, chats } = await chatEngine((body) =>
        isOfTool(body["messages"]) ? json({ error }, status) : hello(body),
      );
      const client = clientOf(url);

      const answer = await client.complete({ messages: RESULTS, model: "m", tools: [WEATHER] });

      expect(answer.text).toBe("Hello");
      expect(chats).toHaveLength(2);
      expect(JSON.stringify(chats[1])).toContain("3 degrees");
    },
  );

  // ggml-org/llama.cpp#14349, ml-explore/mlx-lm#1375, vllm-project/vllm#9019.
  it.each([
    [500, "Tool call IDs should be alphanumeric strings with length 9! at row 91, column 40"],
    [404, "Tool call IDs should be alphanumeric strings with length 9!"],
    [400, "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9."],
  ])(
    "get short ids where a template of Mistral asks for them, with %i: %s",
    async (status, error) => {
      const idsOf = (body: object): unknown =>
        JSON.stringify(body).match(/(?<="(?:tool_call_)?id":")[^"]+/g);
      const { url, chats } = await chatEngine((body) =>
        JSON.stringify(body["messages"]).includes("call_1") ? json({ error }, status) : hello(body),
      );
      const answer = await clientOf(url).complete({
        messages: RESULTS,
        model: "m",
        tools: [WEATHER],
      });

      expect(answer).toMatchObject({ text: "Hello", warnings: [] });
      expect(chats).toHaveLength(2);
      const [id, sameId] = String(idsOf(chats[1] ?? {})).split(",");
      expect(id).toMatch(/^[a-z0-9]{9}$/);
      expect(sameId).toBe(id);
    },
  );

  // vLLM before 0.8.3, DashScope.
  it.each([
    '`tool_choice` must either be a named tool, "auto", or "none".',
    "tool_choice 'required' is not supported",
    { detail: [{ loc: ["body", "tool_choice"], msg: "Input should be 'none' or 'auto'" }] },
    "The tool_choice parameter does not support being set to required or object in thinking mode",
  ])("are left to the model where the engine cannot force them: %o", async (error) => {
    const { url, chats } = await chatEngine((body) =>
      "tool_choice" in body
        ? json({ error }, 400)
        : events(
            delta(called(0, { function: { name: "get_weather", arguments: '{"city":"Oslo"}' } })),
            delta({}, "tool_calls"),
          ),
    );

    const answer = await clientOf(url).complete({
      prompt: "Hi",
      model: "m",
      tools: [WEATHER],
      toolChoice: "required",
    });

    expect(answer).toMatchObject({ toolCalls: [CALL] });
    expect(answer.warnings).toEqual([expect.stringContaining("cannot force a call")]);
    expect(chats).toHaveLength(2);
  });

  it("are requested in one piece where the engine streams none, as llama.cpp before May 2025", async () => {
    // simonw/llm-llama-server#3, containers/ramalama#1431.
    const message = called(0, { function: { name: "get_weather", arguments: CALL.arguments } });
    const { url, chats } = await chatEngine((body) => {
      if (!("tools" in body)) return hello(body);
      return body["stream"] === true
        ? json({ error: { code: 500, message: "Cannot use tools with stream" } }, 500)
        : json({ choices: [{ message }] });
    });
    const client = clientOf(url);

    const answer = await client.complete({ prompt: "Hi", model: "m", tools: [WEATHER] });
    const other = await client.complete({ prompt: "Hi", model: "m" });

    expect(answer).toMatchObject({ toolCalls: [CALL] });
    expect(other).toMatchObject({ text: "Hello", warnings: [] });
    expect(chats.map(({ stream }) => stream)).toEqual([true, undefined, true]);
  });

  it.each(["reasoning_content", "content"])(
    "may be in thinking that never ends, in %s",
    async (member) => {
      const text = `${member === "content" ? "<think>" : ""}I look. ${CALL_TEXT}`;
      const { url } = await chatEngine(() => events(delta({ [member]: text }), delta({}, "stop")));

      const answer = await clientOf(url).complete({ prompt: "Hi", model: "m", tools: [WEATHER] });

      expect(answer).toMatchObject({ text: "", toolCalls: [CALL], finishReason: "tool_calls" });
      expect(answer.warnings).toEqual([]);
    },
  );

  it("have a warning where digits of a number may be lost", async () => {
    const call = '{"name":"get_weather","arguments":{"id":9007199254740993}}';
    const delta = { content: `<tool_call>${call}</tool_call>` };
    const { url } = await chatEngine(() => events({ choices: [{ delta, finish_reason: "stop" }] }));
    const tools = [{ function: { name: "get_weather" } }];

    const { warnings } = await clientOf(url).complete({ prompt: "Hi", model: "m", tools });

    expect(warnings).toEqual([expect.stringContaining("make it a string")]);
  });

  it("leave the text of thinking in which none can be read", async () => {
    const reasoning_content = 'Or <tool_call>{"a": 1}</tool_call>? It is 5.';
    const { url } = await chatEngine(() => events(delta({ reasoning_content }), delta({}, "stop")));

    const answer = await clientOf(url).complete({ prompt: "Hi", model: "m", tools: [WEATHER] });

    expect(answer).toMatchObject({ text: reasoning_content, finishReason: "stop" });
  });

  it("may be in the channels of gpt-oss", async () => {
    const text =
      '<|channel|>analysis<|message|>I look.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city":"Oslo"}<|call|>';
    const { url } = await chatEngine(() =>
      events(...[...text].map((content) => delta({ content })), delta({}, "stop")),
    );

    const answer = await clientOf(url).complete({ prompt: "Hi", model: "m", tools: [WEATHER] });

    expect(answer).toMatchObject({ text: "", reasoning: "I look.", toolCalls: [CALL] });
  });

  it.each([
    ["analysisI look.assistantcommentary to=functions.get_weather json", "I look."],
    ["analysisI look.assistantcommentary to=functions.get_weatherjson", "I look."],
    ["analysisI look.assistant to=functions.get_weathercommentary json", "I look."],
    ["commentary to=functions.get_weather json", null],
    [" to=functions.get_weathercommentary json", null],
  ])("may be in channels whose tokens are gone: %s", async (header, reasoning) => {
    const pieces = [...`${header}{"city":"Oslo"}`];
    for (const contents of [pieces, [pieces.join("")]]) {
      const { url } = await chatEngine(() =>
        events(...contents.map((content) => delta({ content })), delta({}, "stop")),
      );

      const answer = await clientOf(url).complete({ prompt: "Hi", model: "m", tools: [WEATHER] });

      expect(answer).toMatchObject({ text: "", reasoning, toolCalls: [CALL], warnings: [] });
    }
  });

  it.each(["commentary to=function", "to=functions.get_weather is how it calls", "assistant to="])(
    "are not begun by an ordinary text: %s",
    async (text) => {
      const { url } = await chatEngine(() =>
        events(...[...text].map((content) => delta({ content })), delta({}, "stop")),
      );

      const answer = await clientOf(url).complete({ prompt: "Hi", model: "m", tools: [WEATHER] });

      expect(answer).toMatchObject({ text, reasoning: null, finishReason: "stop" });
    },
  );

  it.each([
    ["Ollama", 400, "registry.ollama.ai/library/gemma3:1b does not support tools"],
    ["llama.cpp", 500, "tools param requires --jinja flag"],
    [
      "LMDeploy",
      400,
      "Please launch the api_server with --tool-call-parser if you want to use tool.",
    ],
    ["OpenRouter", 404, "No endpoints found that support tool use."],
    ["an engine without grammars", 400, "grammar is not supported by this model"],
    ["an engine with MLX", 500, "Function calling is not supported by this model."],
    [
      "vLLM",
      400,
      '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
    ],
    [
      "C2 without markers",
      500,
      "structured tool calling requires model-published opening and closing tool markers",
    ],
  ])(
    "are requested in the system text where the engine refuses tools, as %s does",
    async (_engine, status, message) => {
      const { url, chats } = await chatEngine((body) =>
        "tools" in body
          ? json({ error: { message } }, status)
          : events(delta({ content: CALL_TEXT }), delta({}, "stop")),
      );
      const client = clientOf(url);

      const first = await client.complete({ prompt: "Hi", model: "m", tools: [WEATHER] });
      const second = await client.complete({ prompt: "Hi", model: "m", tools: [WEATHER] });

      expect(first).toMatchObject({ toolCalls: [CALL], attempts: 2 });
      expect(second).toMatchObject({ toolCalls: [CALL], attempts: 1 });
      expect(chats).toHaveLength(3);
      expect(first.warnings.join()).toContain("takes no tools");
    },
  );
});

/** llama.cpp refuses what its grammar would repeat too often (https://github.com/ggml-org/llama.cpp/issues/27087). */
describe("tools of which an engine can make no grammar", () => {
  const NO_GRAMMAR = { message: "Failed to initialize samplers: failed to parse grammar" };
  const called = { index: 0, id: "a", function: { name: "note", arguments: '{"text":"Oslo"}' } };
  const engine = (isRefused: (tools: string) => boolean) =>
    chatEngine((body) => {
      const tools = JSON.stringify(body["tools"] ?? null);
      if (isRefused(tools)) return json({ error: { code: 400, ...NO_GRAMMAR } }, 400);
      if (tools === "null") return events(delta({ content: CALL_TEXT }), delta({}, "stop"));
      return events(delta({ tool_calls: [called] }), delta({}, "tool_calls"));
    });
  const note = (text: object): ToolDefinition => {
    const properties = { text: { type: "string", description: "A note.", ...text } };
    return { function: { name: "note", parameters: { type: "object", properties } } };
  };
  const bounded = note({ maxLength: 2000, pattern: "^O" });

  it("are sent without their bounds, and the arguments are checked by them", async () => {
    const { url, chats } = await engine((tools) => tools.includes("maxLength"));
    const client = clientOf(url);

    const first = await client.complete({ prompt: "Hi", model: "m", tools: [bounded] });
    const second = await client.complete({
      prompt: "Hi",
      model: "m",
      tools: [note({ maxLength: 3 })],
    });

    expect(first).toMatchObject({ attempts: 2, warnings: [] });
    expect(first.toolCalls).toEqual([{ id: "a", name: "note", arguments: { text: "Oslo" } }]);
    expect(chats[1]).toHaveProperty("tools", [note({})]);
    expect(second).toMatchObject({ attempts: 1, toolCalls: [{ error: expect.any(String) }] });
  });

  it("are described in the text where they have no bounds, and other tools are not", async () => {
    const { url, chats } = await engine((tools) => tools.includes("get_weather"));
    const client = clientOf(url);

    const first = await client.complete({ prompt: "Hi", model: "m", tools: [WEATHER] });
    const second = await client.complete({ prompt: "Hi", model: "m", tools: [bounded] });

    expect(first).toMatchObject({ toolCalls: [CALL], attempts: 3 });
    expect(second).toMatchObject({ toolCalls: [{ name: "note" }], attempts: 1 });
    expect(chats).toHaveLength(4);
  });
});

function containingItself(): object {
  const schema: Record<string, unknown> = { type: "object" };
  schema["properties"] = { a: schema };
  return schema;
}

describe("invalid tools", () => {
  const calledWith = (given: object) => ({
    prompt: undefined,
    messages: [
      { role: "assistant", tool_calls: [{ id: "a", name: "get_weather", arguments: given }] },
    ],
  });
  const complete = (given: object) =>
    clientOf("http://127.0.0.1:9").complete({ prompt: "Hi", ...given });
  it.each([
    ["a name with blanks", { tools: [{ function: { name: "get it" } }] }],
    ["a tool without a name", { tools: [{ type: "function", function: {} }] }],
    [
      "parameters that are no schema",
      { tools: [{ function: { name: "a", parameters: { type: 7 } } }] },
    ],
    [
      "parameters that contain themselves",
      { tools: [{ function: { name: "a", parameters: containingItself() } }] },
    ],
    [
      "parameters with a value that JSON has not",
      { tools: [{ function: { name: "a", parameters: { minProperties: 5n } } }] },
    ],
    ["a call whose arguments contain themselves", calledWith(containingItself())],
    ["a call with an argument that JSON has not", calledWith({ days: 5n })],
    ["parameters that are a list", { tools: [{ function: { name: "a", parameters: [] } }] }],
    [
      "a result without its call",
      { prompt: undefined, messages: [{ role: "tool", content: "3" }] },
    ],
    [
      "a call without a name",
      { prompt: undefined, messages: [{ role: "assistant", tool_calls: [{ id: "a" }] }] },
    ],
    ["two tools of one name", { tools: [WEATHER, WEATHER] }],
    ["a required call without tools", { toolChoice: "required" }],
    ["a required call of an empty list", { tools: [], toolChoice: "required" }],
    [
      "a chosen tool that is not offered",
      { tools: [WEATHER], toolChoice: { type: "function", function: { name: "other" } } },
    ],
    ["an unknown choice", { tools: [WEATHER], toolChoice: "any" }],
  ])("are refused before anything is sent: %s", async (_what, given) => {
    await expect(complete(given)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("tool calls of an answer that was cut", () => {
  const answered = async (content: string, finish_reason: string, stop?: readonly string[]) => {
    const engine = await chatEngine(() =>
      events({ choices: [{ delta: { content }, finish_reason }] }),
    );
    const request = {
      model: "m",
      prompt: "The weather in Oslo?",
      tools: [WEATHER],
      ...(stop && { stop }),
    };
    return clientOf(engine.url).complete(request);
  };

  it("are kept where a stop string follows them", async () => {
    const text = `${CALL_TEXT}\nObservation: cold`;
    expect(await answered(text, "stop", ["Observation:"])).toMatchObject({
      text: "\n",
      finishReason: "tool_calls",
      toolCalls: [CALL],
    });
  });

  it.each(["content_filter", "length", "gone"])(
    "are left out where %s cut them off",
    async (end) => {
      const completion = await answered(CALL_TEXT.slice(0, -20), end);
      expect(completion.toolCalls).toBeUndefined();
      expect(completion.finishReason).toBe(end === "gone" ? null : end);
      expect(completion.warnings).toContainEqual(expect.stringContaining("cut off in a call"));
    },
  );
});
