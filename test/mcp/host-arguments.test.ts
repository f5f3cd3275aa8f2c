import { describe, expect, it } from "vitest";
import { z } from "zod";
import { hostArguments } from "../../src/mcp/host-arguments.js";
import { listingOf } from "../../src/mcp/tool-listing.js";
import { TOOLS } from "../../src/mcp/tools/index.js";
import { batchInputOf } from "../../src/mcp/tools/shared/batch-requests.js";
import { completionArguments, requestOf } from "../../src/mcp/tools/shared/index.js";
import { growthOf, LINEAR } from "../cpu-time.js";
import { connectedHost, simulatedService, textOf } from "./host.js";

/** Nothing listens there: the arguments are validated before anything is sent. */
const NOWHERE = { endpoint: "http://127.0.0.1:9", retry: { retries: 0 } };

function given(tool: string, sent: unknown) {
  const schema = TOOLS.find(({ name }) => name === tool)?.arguments;
  if (schema === undefined) throw new Error(`there is no tool ${tool}`);
  return hostArguments(schema, sent);
}

it("an empty text is refused where results refer to texts by index", () => {
  const texts = ["", "cat", "dog"];
  expect(() => given("embed", { query: "cat", texts })).toThrow("texts.0");
  expect(given("get_completion", { completion_ids: ["", "c-1"] })).toEqual({
    given: { completion_ids: ["c-1"] },
    warnings: [],
  });
});

describe("null for an optional argument", () => {
  it.each<[string, object, object]>([
    [
      "complete",
      {
        prompt: "Hi",
        messages: null,
        system: null,
        model: null,
        max_tokens: null,
        temperature: null,
        top_p: null,
        stop: null,
        seed: null,
        reply_within: null,
        join: null,
      },
      { prompt: "Hi" },
    ],
    ["complete", { prompt: null, messages: null, sessionId: null }, {}],
    [
      "complete",
      { messages: [{ role: "user", content: "Hi", name: null, tool_calls: null }] },
      { messages: [{ role: "user", content: "Hi" }] },
    ],
    ["complete", { prompt: "Hi", max_tokens: "null" }, { prompt: "Hi" }],
    [
      "complete",
      { prompt: "Hi", join: "null", stop: "null", messages: "null", response_schema: " null " },
      { prompt: "Hi" },
    ],
    ["list_models", { filter: "null" }, {}],
    ["complete", { prompt: "null" }, { prompt: "null" }],
    ["get_completion", { completion_ids: null, from: null, reply_within: null }, {}],
    [
      "complete_batch",
      { prompts: ["a"], requests: null, stop: null, cancel: null },
      { prompts: ["a"] },
    ],
    ["list_models", { filter: null, search: null, task: null, limit: null }, {}],
    ["load_model", { model: "m", device: null, download: null, force: null }, { model: "m" }],
    ["unload_model", { model: "m", force: null }, { model: "m" }],
    ["health_check", { random_string: null }, {}],
  ])("of %s counts as absent: %j", (tool, sent, taken) => {
    const read = (): unknown => given(tool, sent);
    if (Object.keys(taken).length === 0 && tool === "complete") {
      expect(read).toThrow("Neither prompt nor messages came");
    } else {
      expect(read()).toEqual({ given: taken, warnings: [] });
    }
  });

  it.each(["cancel_completion", "load_model", "unload_model"])(
    "of %s that is required is a missing argument",
    (tool) => {
      const name = tool === "cancel_completion" ? "completion_id" : "model";
      expect(() => given(tool, { [name]: null })).toThrow(`${name} is missing.`);
    },
  );

  it("is absent in an item of a batch", async () => {
    const { entries } = await batchInputOf({
      requests: [{ prompt: "Hi", messages: null, seed: null }],
      settings: {},
      aboutFiles: Object,
    });
    expect(entries).toEqual([{ prompt: "Hi", maxTokens: undefined, topP: undefined }]);
  });

  it.each([null, [], "{}", undefined])("for all arguments, or %j, is like none", async (sent) => {
    const { host } = await connectedHost(NOWHERE);
    const params = { name: "health_check", arguments: sent };
    const answer = await host.request({ method: "tools/call", params }, z.looseObject({}));
    expect(answer).toMatchObject({ structuredContent: { status: "unavailable" } });
  });
});

describe("an empty value of an optional argument", () => {
  it.each<[string, object, object]>([
    [
      "complete",
      {
        prompt: "Hi",
        messages: [],
        system: "",
        model: "",
        max_tokens: 0,
        temperature: "",
        top_p: "",
        stop: [],
        seed: "",
        reply_within: "",
        join: "",
      },
      { prompt: "Hi" },
    ],
    ["complete", { prompt: "Hi", stop: "", messages: "" }, { prompt: "Hi" }],
    ["complete", { prompt: "Hi", stop: [""], messages: "[]" }, { prompt: "Hi" }],
    [
      "complete",
      { prompt: "", messages: [{ role: "user", content: "Hi" }] },
      { messages: [{ role: "user", content: "Hi" }] },
    ],
    ["get_completion", { completion_ids: [], from: 0 }, { from: 0 }],
    ["get_completion", { completion_ids: ["c-1", ""] }, { completion_ids: ["c-1"] }],
    [
      "complete_batch",
      { prompts: ["a", ""], requests: [], batch_id: "", stop: [] },
      { prompts: ["a", ""] },
    ],
    ["list_models", { filter: "", search: "", task: "", limit: 0 }, {}],
    ["load_model", { model: "m", device: "" }, { model: "m" }],
    ["unload_model", { model: "m", force: "" }, { model: "m" }],
  ])("of %s counts as absent: %j", (tool, sent, taken) => {
    expect(given(tool, sent)).toEqual({ given: taken, warnings: [] });
  });

  it("that is allowed is kept: 0 for temperature, top_p, seed and reply_within, and false", () => {
    const zeros = { prompt: "Hi", temperature: 0, top_p: 0, seed: 0, reply_within: 0, join: false };
    expect(given("complete", zeros).given).toEqual(zeros);
  });

  it.each<[string, object, string]>([
    ["complete", { prompt: "Hi", messages: [{ role: "user", content: "" }] }, "messages.0.content"],
    ["cancel_completion", { completion_id: "" }, "completion_id"],
    ["load_model", { model: "" }, "model"],
    ["unload_model", { model: "" }, "model"],
    ["load_model", { model: [] }, "model"],
  ])("is refused where it is required: %s with %j", (tool, sent, name) => {
    expect(() => given(tool, sent)).toThrow(`Invalid value for ${name}`);
  });
});

describe("prompt and messages", () => {
  const user = (content: string) => ({ role: "user", content }) as const;
  const assistant = (content: string) => ({ role: "assistant", content }) as const;

  it.each<[string, object, object]>([
    ["a prompt", { prompt: "Hi" }, { prompt: "Hi" }],
    ["messages alone", { messages: [user("Hi")] }, { messages: [user("Hi")] }],
    [
      "messages before a prompt",
      { prompt: "And?", messages: [user("Hi"), assistant("Yes.")] },
      { messages: [user("Hi"), assistant("Yes."), user("And?")] },
    ],
    [
      "messages that end with the prompt",
      { prompt: "And?", messages: [assistant("Yes."), user("And? ")] },
      { messages: [assistant("Yes."), user("And? ")] },
    ],
    [
      "messages that end with the same words of the model",
      { prompt: "Yes.", messages: [user("Hi"), assistant("Yes.")] },
      { messages: [user("Hi"), assistant("Yes."), user("Yes.")] },
    ],
    [
      "a beginning of the answer",
      { messages: [user("Hi"), assistant("Well,")] },
      { messages: [user("Hi"), assistant("Well,")] },
    ],
  ])("are one conversation: %s", (_, sent, taken) => {
    const schema = z.strictObject(completionArguments);
    expect(requestOf(hostArguments(schema, sent).given)).toEqual(taken);
  });

  it.each<[string, unknown, string]>([
    ["one part", [{ type: "text", text: "Hi" }], "Hi"],
    [
      "several parts",
      [
        { type: "text", text: "Hi" },
        { type: "text", text: "there" },
      ],
      "Hi\nthere",
    ],
    ["parts and strings", ["Hi", { type: "text", text: "there" }], "Hi\nthere"],
    ["a part with more members", [{ type: "text", text: "Hi", cache_control: {} }], "Hi"],
    ["a list of one string", ["Hi"], "Hi"],
  ])("take text as %s", (_, content, text) => {
    const messages = [{ role: "user", content }];
    expect(given("complete", { messages }).given).toEqual({ messages: [user(text)] });
    expect(given("complete", { prompt: content }).given).toEqual({ prompt: text });
  });

  it.each(["input_audio", "file", "tool_result", "video"])(
    "refuse a part of type %s with a message",
    (type) => {
      const messages = [{ role: "user", content: [{ type: "text", text: "Hi" }, { type }] }];
      expect(() => given("complete", { messages })).toThrow(
        expect.objectContaining({
          code: "INVALID_ARGUMENT",
          message: `Invalid value for messages.0.content.1.type: "${type}".`,
          action: expect.stringMatching(/a part of type "text", "image_url" or "image"/),
        }),
      );
    },
  );

  it.each([{ type: "text" }, { type: "text", text: 5 }, {}, 5, null])(
    "refuse a part without text: %j",
    (part) => {
      const messages = [{ role: "user", content: [part] }];
      expect(() => given("complete", { messages })).toThrow("Invalid value for messages.0.content");
    },
  );
});

describe("the id of a completion", () => {
  it.each<[string, object, object]>([
    ["get_completion", { completion_id: "c-1" }, { completion_ids: ["c-1"] }],
    ["get_completion", { completion_id: ["c-1", "c-2"] }, { completion_ids: ["c-1", "c-2"] }],
    ["get_completion", { completion_id: "c-1", from: "5" }, { completion_ids: ["c-1"], from: 5 }],
    ["get_completion", { completion_id: "c-1", completion_ids: null }, { completion_ids: ["c-1"] }],
    ["cancel_completion", { completion_ids: ["c-1"] }, { completion_id: "c-1" }],
    ["cancel_completion", { completion_ids: "c-1" }, { completion_id: "c-1" }],
  ])("is taken in the singular and in the plural: %s with %j", (tool, sent, taken) => {
    expect(given(tool, sent)).toEqual({ given: taken, warnings: [] });
  });

  it.each(["from_", "next_from"])("is followed by an offset that may be named %s", (name) => {
    const sent = { completion_ids: ["c-1"], [name]: 5 };
    const taken = { completion_ids: ["c-1"], from: 5 };
    expect(given("get_completion", sent)).toEqual({ given: taken, warnings: [] });
    expect(given("get_completion", { ...sent, from: 7 })).toEqual({
      given: { ...taken, from: 7 },
      warnings: [`Unknown arguments were ignored: "${name}".`],
    });
  });

  it("is ignored with a warning under the other name where both are given", () => {
    const sent = { completion_id: "c-1", completion_ids: ["c-2"] };
    expect(given("get_completion", sent)).toEqual({
      given: { completion_ids: ["c-2"] },
      warnings: ['Unknown arguments were ignored: "completion_id".'],
    });
  });
});

const ONE_TOOL = { type: "function", function: { name: "f" } };

describe("a value sent as a JSON string", () => {
  it.each<[string, object, object]>([
    ["complete", { max_tokens: "100" }, { max_tokens: 100 }],
    ["complete", { temperature: "0.2", top_p: " 1 " }, { temperature: 0.2, top_p: 1 }],
    ["complete", { seed: "7", reply_within: "4.5e1" }, { seed: 7, reply_within: 45 }],
    ["complete", { join: "false" }, { join: false }],
    ["complete", { join: "True" }, { join: true }],
    ["complete", { stop: '["a","b"]' }, { stop: ["a", "b"] }],
    ["complete", { stop: "\n" }, { stop: ["\n"] }],
    ["complete", { tool_choice: "required" }, { tool_choice: "required" }],
    ["complete", { tool_choice: JSON.stringify(ONE_TOOL) }, { tool_choice: ONE_TOOL }],
    ["complete", { tools: [JSON.stringify(ONE_TOOL)] }, { tools: [ONE_TOOL] }],
    ["complete", { tools: [""] }, {}],
    ["complete", { response_schema: '{"type":"array"}' }, { response_schema: { type: "array" } }],
    ["complete", { stop: "[" }, { stop: ["["] }],
    ["get_completion", { completion_ids: '["c-1","c-2"]' }, { completion_ids: ["c-1", "c-2"] }],
    ["get_completion", { completion_ids: "c-1", from: "5" }, { completion_ids: ["c-1"], from: 5 }],
    ["complete_batch", { prompts: '["a","b"]' }, { prompts: ["a", "b"] }],
    ["complete_batch", { prompts: "a" }, { prompts: ["a"] }],
    ["complete_batch", { prompts: "[a] b" }, { prompts: ["[a] b"] }],
    ["complete_batch", { requests: '[{"prompt":"a"}]' }, { requests: [{ prompt: "a" }] }],
    ["complete_batch", { batch_id: "b-1", cancel: "true" }, { batch_id: "b-1", cancel: true }],
    ["list_models", { limit: "5" }, { limit: 5 }],
    ["load_model", { model: "m", download: "true" }, { model: "m", download: true }],
    ["unload_model", { model: "m", force: "false" }, { model: "m", force: false }],
  ])("of %s is taken for what it is: %j", (tool, sent, taken) => {
    const prompt = tool === "complete" ? { prompt: "Hi" } : {};
    expect(given(tool, { ...prompt, ...sent }).given).toEqual({ ...prompt, ...taken });
  });

  it.each<[string, unknown]>([
    ["a list", '[{"role":"user","content":"Hi"}]'],
    ["a list with blanks", ' \n[{"role":"user","content":"Hi"}]\n'],
    ["a list of strings of messages", ['{"role":"user","content":"Hi"}']],
  ])("is read in messages: %s", (_, messages) => {
    const taken = [{ role: "user", content: "Hi" }];
    expect(given("complete", { messages }).given).toEqual({ messages: taken });
  });

  it("is parsed in the items of a batch", async () => {
    const requests = ['{"prompt":"a","max_tokens":"5","stop":"x"}'];
    const { entries } = await batchInputOf({ requests, settings: {}, aboutFiles: Object });
    expect(entries).toEqual([{ prompt: "a", stop: ["x"], maxTokens: 5, topP: undefined }]);
  });

  it.each(["123", "true", "null", '["a"]', '{"prompt":"x"}', "0.5"])(
    "remains a string where a string is allowed: %s",
    (text) => {
      expect(given("complete", { prompt: text, system: text, model: text }).given).toEqual({
        prompt: text,
        system: text,
        model: text,
      });
      expect(given("list_models", { search: text }).given).toEqual({ search: text });
    },
  );

  it.each<[string, object, string]>([
    ["a word", { max_tokens: "many" }, 'Invalid value for max_tokens: "many"'],
    ["a number and more", { max_tokens: "100 tokens" }, "Invalid value for max_tokens"],
    ["too large a number", { temperature: "9" }, "Invalid value for temperature: 9"],
    ["a number for a boolean", { join: "1" }, 'Invalid value for join: "1"'],
    ["half a list", { messages: '[{"role":' }, "Invalid value for messages"],
    ["an object for a list", { messages: '{"role":"user"}' }, "Invalid value for messages"],
    [
      "more values than a message may have",
      { messages: `[${"0,".repeat(600_000)}0]` },
      "Invalid value for messages",
    ],
  ])("that is invalid JSON is refused: %s", (_, sent, words) => {
    expect(() => given("complete", { prompt: "Hi", ...sent })).toThrow(words);
  });

  it("for completion_ids that is no list is refused with the word list", () => {
    expect(() => given("get_completion", { completion_ids: 5 })).toThrow(
      expect.objectContaining({
        action: "Give completion_ids as allowed: a list of 1 to 50 completion_ids.",
      }),
    );
  });
});

describe("a list of one string in place of a string", () => {
  it.each<[string, object, object]>([
    ["cancel_completion", { completion_id: ["c-1"] }, { completion_id: "c-1" }],
    ["load_model", { model: ["m"] }, { model: "m" }],
    ["unload_model", { model: ["m"] }, { model: "m" }],
    ["complete", { prompt: ["Hi"], model: ["m"] }, { prompt: "Hi", model: "m" }],
    ["complete_batch", { batch_id: ["b-1"] }, { batch_id: "b-1" }],
  ])("of %s is taken for that string: %j", (tool, sent, taken) => {
    expect(given(tool, sent)).toEqual({ given: taken, warnings: [] });
  });

  it.each([{ model: [] }, { model: ["a", "b"] }, { model: [1] }, { model: [["a"]] }])(
    "is refused with other content: %j",
    (sent) => {
      expect(() => given("load_model", sent)).toThrow("Invalid value for model");
    },
  );
});

describe("an unknown argument added by a host", () => {
  it.each([
    "toolCallId",
    "tool_call_id",
    "sessionId",
    "session_id",
    "random_string",
    "_meta",
    "dummy",
    "wait_for_previous",
    "action",
    "chatInput",
    "signal",
    "run_manager",
    "config",
    "requestId",
    "thread_id",
    "kwargs",
    "stream",
    "top_k",
    "user",
    "__proto__",
  ])("is ignored with a warning by every tool: %s", (name) => {
    const own: Readonly<Record<string, object>> = {
      complete: { prompt: "Hi" },
      cancel_completion: { completion_id: "c-1" },
      complete_batch: { prompts: ["Hi"] },
      embed: { texts: ["Hi"], query: "Hi" },
      load_model: { model: "m" },
      unload_model: { model: "m" },
    };
    for (const tool of TOOLS) {
      const sent = JSON.parse(`{"${name}":"x"}`);
      const all = Object.assign(sent, own[tool.name]);
      const warnings = [`Unknown arguments were ignored: "${name}".`];
      expect(given(tool.name, all)).toEqual({ given: own[tool.name] ?? {}, warnings });
    }
  });

  it.each<[string, object, string]>([
    ["complete", { prompt: "Hi", maxTokens: 5 }, "max_tokens"],
    ["complete", { prompt: "Hi", max_token: 5 }, "max_tokens"],
    ["complete", { prompt: "Hi", "max-tokens": 5 }, "max_tokens"],
    ["complete", { prompt: "Hi", max_completion_tokens: 5 }, "max_tokens"],
    ["complete", { promt: "Hi" }, "prompt"],
    ["complete", { pormpt: "Hi" }, "prompt"],
    ["complete", { Prompt: "Hi" }, "prompt"],
    ["complete", { prompts: "Hi" }, "prompt"],
    ["complete", { message: [] }, "messages"],
    ["complete", { prompt: "Hi", tempreature: 0 }, "temperature"],
    ["complete", { prompt: "Hi", modelName: "m" }, "model"],
    ["complete", { prompt: "Hi", schema: {} }, "response_schema"],
    ["complete", { prompt: "Hi", response_format: {} }, "response_schema"],
    ["complete", { prompt: "Hi", systemPrompt: "x" }, "system"],
    ["get_completion", { completionIds: ["c-1"] }, "completion_ids"],
    ["cancel_completion", { completionId: "c-1" }, "completion_id"],
    ["complete_batch", { prompt: ["Hi"] }, "prompts"],
    ["complete_batch", { batchId: "b-1" }, "batch_id"],
    ["load_model", { model: "m", downlaod: true }, "download"],
    ["unload_model", { model_id: "m" }, "model"],
    ["list_models", { Filter: "all" }, "filter"],
    ["get_completion", { id: "c-1" }, "completion_ids"],
    ["get_completion", { ids: ["c-1"] }, "completion_ids"],
    ["cancel_completion", { id: "c-1" }, "completion_id"],
    ["cancel_completion", { ids: ["c-1"] }, "completion_id"],
    ["load_model", { name: "m" }, "model"],
    ["unload_model", { name: "m" }, "model"],
    ["unload_model", { id: "m" }, "model"],
  ])("is refused where it is a misspelt one: %s with %j", (tool, sent, meant) => {
    expect(() => given(tool, sent)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("There is no argument"),
        action: expect.stringContaining(`Did you mean ${meant}?`),
      }),
    );
  });

  it.each<[string, object]>([
    ["get_completion", { batch_id: "b-1" }],
    ["get_completion", { batch_id: "b-1", from: 0 }],
    ["get_completion", { batch_id: "b-1", completion_ids: null }],
    ["cancel_completion", { batch_id: "b-1" }],
    ["cancel_completion", { batch_id: "b-1", reply_within: 5 }],
  ])("is refused with the right tool where it is the id of a batch: %s with %j", (tool, sent) => {
    expect(() => given(tool, sent)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: 'There is no argument "batch_id".',
        action: expect.stringContaining("Call complete_batch with batch_id"),
      }),
    );
  });

  it.each<[string, object]>([
    ["get_completion", { completion_ids: ["c-1"], batch_id: "b-1" }],
    ["get_completion", { completion_ids: ["c-1"], batch_id: null }],
    ["get_completion", { batch_id: null }],
    ["cancel_completion", { completion_id: "c-1", batch_id: "b-1" }],
    ["complete", { prompt: "Hi", name: "x", id: "y" }],
  ])("is ignored where the call says what it is for without it: %s with %j", (tool, sent) => {
    expect(() => given(tool, sent)).not.toThrow();
  });

  it.each([
    [10, '"x9".'],
    [11, '"x9" and 1 more.'],
    [15, '"x9" and 5 more.'],
  ])("is only counted where there are many: %i", (count, end) => {
    const names = Array.from({ length: count }, (_, n) => [`x${n}`, 1]);
    const [warning] = given("complete", { prompt: "Hi", ...Object.fromEntries(names) }).warnings;
    expect(warning).toMatch(/^Unknown arguments were ignored: "x0", /);
    expect(warning?.endsWith(end)).toBe(true);
  });

  it("is ignored in messages, and named with its position", () => {
    const messages = [{ role: "user", content: "Hi", id: "msg_1", type: "message" }];
    expect(given("complete", { messages }).warnings).toEqual([
      'Unknown arguments were ignored: "messages.id", "messages.type".',
    ]);
    expect(() => given("complete", { messages: [{ role: "user", contents: "Hi" }] })).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('There is no argument "contents" in messages.0.'),
        action: expect.stringContaining("Did you mean content?"),
      }),
    );
  });

  it("is named in the error where another argument is missing", () => {
    expect(() => given("complete", { query: "Hi" })).toThrow(
      'Neither prompt nor messages came, but a completion needs one of them. Unknown arguments were ignored: "query".',
    );
  });

  it("is named in the text and in the notes of a result", async () => {
    const service = await simulatedService({ dialect: "openai" });
    const { host } = await connectedHost({ endpoint: service.url });
    await host.listTools();
    const words = 'Unknown arguments were ignored: "toolCallId".';
    const added = { toolCallId: "x" };
    for (const [name, own] of [
      ["complete", { prompt: "Hi", model: "phi-4-mini" }],
      ["complete_batch", { prompts: ["Hi"], model: "phi-4-mini" }],
      ["complete_batch", { requests: [{ prompt: "Hi", model: "phi-4-mini", ...added }] }],
      ["list_models", {}],
      ["get_completion", {}],
      ["health_check", {}],
    ] as const) {
      const isInItem = "requests" in own;
      const answer = await host.callTool({
        name,
        arguments: isInItem ? own : { ...own, ...added },
      });
      expect(answer.structuredContent).toMatchObject({
        notes: expect.arrayContaining([words]),
      });
      expect(answer.content).toEqual([
        { type: "text", text: expect.stringMatching(new RegExp(`\\nNote: ${words}$`)) },
      ]);
      expect(answer.isError).toBeFalsy();
    }
    expect(textOf(await host.callTool({ name: "health_check" }))).not.toContain("ignored");
  });

  it("costs little time in the parts of a message, however many there are", () => {
    const content = [{ type: "text", text: "Hi" }, ...Array.from({ length: 400_000 }, () => 5)];
    const messages = [{ role: "user", content }];
    expect(() => given("complete", { messages })).toThrow("Invalid value for messages.0.content");
  });

  it("is compared with the known ones only among the first hundred", () => {
    const names = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`other${n}`, 1]));
    expect(() => given("complete", { prompt: "Hi", max_tokenz: 5, ...names })).toThrow();
    expect(() => given("complete", { prompt: "Hi", ...names, max_tokenz: 5 })).not.toThrow();
  });

  it("costs time in proportion where there are very many, and few words", async () => {
    const growth = await growthOf((count) => {
      const names = Array.from({ length: count }, (_, n) => [`${n}${"x".repeat(50)}`, 1]);
      const { warnings } = given("complete", { prompt: "Hi", ...Object.fromEntries(names) });
      expect(warnings.join("").length).toBeLessThan(1000);
    }, 4000);
    expect(growth).toBeLessThan(LINEAR);
  });
});

const listedSchema = z.looseObject({
  properties: z
    .record(z.string(), z.looseObject({ type: z.string(), enum: z.array(z.string()).optional() }))
    .default({}),
  required: z.array(z.string()).default([]),
});

/** The values that frameworks fill in for a listed schema where their model gives none. */
const FILLED: readonly (readonly [string, (type: string, values: readonly string[]) => unknown])[] =
  [
    ["empty values", (type) => ({ string: "", array: [], boolean: false })[type] ?? 0],
    ["null", () => null],
    ["the first allowed value", (type, [first = ""]) => (type === "string" ? first : null)],
    ["no value", () => undefined],
  ];

describe.each(TOOLS.map((tool) => [tool.name, tool] as const))(
  "a call of %s that a framework builds from the listed schema",
  (_, tool) => {
    it.each(FILLED)("is accepted with required arguments and %s for others", (_how, fill) => {
      const { properties, required } = listedSchema.parse(listingOf(tool).inputSchema);
      const sent = Object.fromEntries(
        Object.entries(properties)
          .map(([name, { type, enum: values = [] }]) => [
            name,
            required.includes(name) ? "a" : fill(type, values),
          ])
          .filter(([, value]) => value !== undefined),
      );
      expect(hostArguments(tool.arguments, sent).warnings).toEqual([]);
    });
  },
);
