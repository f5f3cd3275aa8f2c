import type { Script } from "foundry-local-simulator";
import { describe, expect, expectTypeOf, it } from "vitest";
import * as z from "zod";
import { loadReader } from "../../../src/foundry/structured/index.js";
import { chatEngine, events } from "../dialects/chat-engine.js";
import { askedOf, clientOf, simulate } from "../fixtures.js";

const SCHEMA = {
  type: "object",
  properties: {
    name: { type: "string" },
    age: { type: "integer", minimum: 0 },
    mood: { enum: ["good", "bad"] },
  },
  required: ["name", "age"],
  additionalProperties: false,
};
const VALUE = { name: "Åsa", age: 42 };
const JSON_TEXT = JSON.stringify(VALUE);

/** A service whose model gives these answers, one for each request; the last one again and again. */
async function answering(answers: readonly (string | Script)[], options: object = {}) {
  let asked = 0;
  const simulator = await simulate({
    models: [
      {
        id: "writer-generic-cpu:1",
        loaded: true,
        script: () => {
          const script = answers[Math.min(asked, answers.length - 1)] ?? "";
          asked += 1;
          return typeof script === "string" ? { text: script } : script;
        },
      },
    ],
    ...options,
  });
  const chats = () => askedOf(simulator, "/v1/chat/completions").map(({ body }) => Object(body));
  return { client: clientOf(simulator.url), chats };
}

const request = { prompt: "Who?", schema: SCHEMA };

it("does not complete a value that a stop string cut", async () => {
  const { client } = await answering(['{\n"name": "Åsa"\n}']);
  const schema = { type: "object", properties: { name: { type: "string" } } };
  const asking = client.complete({ prompt: "Who?", schema, stop: ["\n"] });
  await expect(asking).rejects.toMatchObject({ code: "SCHEMA_MISMATCH" });
});

it.each([
  ["9007199254740993", 1],
  ["9007199254740991", 0],
  ["-9007199254740993", 1],
  ["1.335e18", 0],
  ["6.02e23", 0],
])("warns where digits of a number may be lost: %s", async (number, warnings) => {
  const { client } = await answering([`{"ids":[${number}]}`]);
  const answer = await client.complete({ prompt: "Which?", schema: { type: "object" } });
  expect(answer.warnings.filter((each) => each.includes("make it a string"))).toHaveLength(
    warnings,
  );
});

function containingItself(): object {
  const schema: Record<string, unknown> = { type: "object" };
  schema["properties"] = { a: schema };
  return schema;
}

describe("the text of an answer by a schema", () => {
  it.each([
    ["as it is", JSON_TEXT],
    ["with blanks", `\n\n ${JSON.stringify(VALUE, null, 2)} \n`],
    ["in a code block", `\`\`\`json\n${JSON_TEXT}\n\`\`\``],
    ["in a code block without a language", `\`\`\`\n${JSON_TEXT}\n\`\`\``],
    ["among words", `Sure! Here it is:\n\n${JSON_TEXT}\n\nAnything else?`],
    ["in a code block among words", `Here:\n\`\`\`json\n${JSON_TEXT}\n\`\`\`\nDone.`],
    ["with single quotes", "{'name': 'Åsa', 'age': 42}"],
    ["with a comma too many", '{"name": "Åsa", "age": 42,}'],
    ["with a comment", '{"name": "Åsa", // the name\n "age": 42}'],
    ["with names without quotes", '{name: "Åsa", age: 42}'],
    ["without its last bracket", '{"name": "Åsa", "age": 42'],
  ])("is the value %s", async (_how, text) => {
    const { client, chats } = await answering([text]);

    const completion = await client.complete(request);

    expect(completion).toMatchObject({
      status: "completed",
      data: VALUE,
      text: JSON_TEXT,
      attempts: 1,
    });
    expect(chats()).toHaveLength(1);
  });

  it.each([
    ["of a wrong type", '{"name": "Åsa", "age": "42"}', "age must be integer"],
    ["without a required member", '{"name": "Åsa"}', "must have required property 'age'"],
    ["with a member too many", '{"name": "Åsa", "age": 42, "x": 1}', "(x)"],
    ["outside an enum", '{"name": "Åsa", "age": 42, "mood": "so so"}', '["good","bad"]'],
    ["that is no JSON", "I am sorry, I cannot do that.", "it is not JSON"],
  ])("is requested again with the errors: %s", async (_what, text, complaint) => {
    const { client, chats } = await answering([text, JSON_TEXT]);

    const completion = await client.complete(request);

    expect(completion).toMatchObject({ data: VALUE, text: JSON_TEXT, attempts: 2 });
    const [first, second] = chats();
    expect(second.messages.slice(0, first.messages.length)).toEqual(first.messages);
    expect(second.messages.slice(-2)).toEqual([
      { role: "assistant", content: text },
      { role: "user", content: expect.stringContaining(complaint) },
    ]);
  });
});

describe.each(["S", "C1", "C2", "openai"] as const)("an answer by a schema, of %s", (dialect) => {
  it("fails after two repairs, with the last answer as its text", async () => {
    const { client, chats } = await answering(["{}", "[]", '{"name": 5}'], { dialect });
    const stream = client.streamComplete(request);

    const read = async () => {
      for await (const _event of stream);
    };

    await expect(read()).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
      message: expect.stringContaining("name must be string"),
    });
    expect(stream.snapshot()).toMatchObject({ status: "failed", text: '{"name": 5}', attempts: 3 });
    expect(stream.snapshot().data).toBeUndefined();
    expect(chats()).toHaveLength(3);
  });

  it("is not completed where it was cut off", async () => {
    const { client } = await answering(['{"name": "Åsa", "age": 4 2 3 4 5 6 7 8 9'], { dialect });

    await expect(client.complete({ ...request, maxTokens: 5 })).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
      action: expect.stringContaining("`maxTokens`"),
    });
  });

  it("does not contain the thinking before it", async () => {
    const { client } = await answering([{ think: `Maybe {"name":"x"}?`, text: JSON_TEXT }], {
      dialect,
    });

    expect(await client.complete(request)).toMatchObject({ data: VALUE, text: JSON_TEXT });
  });
});

it.each(["length", "a_new_reason"])(
  "an answer with the finish_reason %s is not completed",
  async (finish_reason) => {
    const { url } = await chatEngine(() =>
      events({ choices: [{ delta: { content: '{"name": "Åsa", "age": 4' }, finish_reason }] }),
    );

    const answer = clientOf(url).complete({ ...request, model: "m" });

    await expect(answer).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
      message: expect.stringContaining("it was cut off"),
    });
  },
);

describe("an answer by a schema", () => {
  it("is constrained where the service supports it", async () => {
    const newest = await answering([JSON_TEXT], { dialect: "C2" });
    const older = await answering([JSON_TEXT], { dialect: "C2", version: "2.0.1" });
    const engine = await answering([JSON_TEXT], { dialect: "openai" });
    for (const { client } of [newest, older, engine]) await client.complete(request);

    expect(newest.chats()[0].response_format).toEqual({ type: "json_schema", json_schema: SCHEMA });
    expect(engine.chats()[0].response_format).toEqual({
      type: "json_schema",
      json_schema: { name: "answer", schema: SCHEMA },
    });
    expect(older.chats()[0].response_format).toBeUndefined();
  });

  it.each([
    ["constrained", { dialect: "C2" }],
    ["constrained", { dialect: "openai" }],
    ["constrained", { dialect: "C2", version: "2.0.1" }],
    ["constrained", { dialect: "C1" }],
    ["instructed", { dialect: "S" }],
  ])("reports that it was %s: %j", async (method, options) => {
    const { client } = await answering([JSON_TEXT], options);

    expect(await client.complete(request)).toMatchObject({ method, attempts: 1 });
    expect(await client.complete({ prompt: "Who?" })).not.toHaveProperty("method");
  });

  it("drops the text of an invalid answer, in the stream as well", async () => {
    const { client } = await answering(["Nonsense.", `\`\`\`\n${JSON_TEXT}\n\`\`\``]);
    let text = "";

    for await (const event of client.streamComplete(request)) {
      if (event.type === "text_dropped") text = "";
      if (event.type === "text") text += event.text;
    }

    expect(text).toBe(JSON_TEXT);
  });

  it("counts the tokens of all answers", async () => {
    const { client } = await answering(["one two three", JSON_TEXT], { dialect: "openai" });
    const once = await (await answering([JSON_TEXT], { dialect: "openai" })).client.complete(
      request,
    );

    const { usage } = await client.complete(request);

    expect(usage.estimated).toBe(false);
    expect(usage.inputTokens).toBeGreaterThan(2 * (once.usage.inputTokens ?? 0));
    expect(usage.outputTokens).toBe((once.usage.outputTokens ?? 0) + 3);
  });

  it("keeps the system text of the caller in front of the schema", async () => {
    const { client, chats } = await answering([JSON_TEXT]);
    await client.complete({ ...request, system: "Be brief." });

    const [{ messages }] = chats();
    expect(messages).toHaveLength(2);
    expect(messages[0].content).toMatch(/^Be brief\.\n\nAnswer with one JSON value/);
  });

  it.each([
    ["a list", ["a list", 5]],
    ["a string", ["a string", "[1, 2]"]],
  ])("may be %s", async (_what, [, answer]) => {
    const { client } = await answering([String(answer)]);

    const { data } = await client.complete({ prompt: "What?", schema: {} });

    expect(data).toEqual(JSON.parse(String(answer)));
  });

  it.each([
    ["is no schema", { type: "objekt" }, "type"],
    ["refers to another document", { $ref: "https://example.com/schema.json" }, "example.com"],
    ["refers to nothing", { $ref: "#/$defs/none" }, "none"],
    ["is too long", { description: "x".repeat(40_000) }, "40"],
    ["contains itself", containingItself(), "JSON"],
    ["has a value that JSON has not", { minimum: 5n }, "JSON"],
    ["is a list", [], "schema"],
    ["is a text", "object", "schema"],
    ["is of draft-04 and has an id", { id: "person", type: "object" }, '"id"'],
    ["has a pattern that is none", { type: "string", pattern: "(" }, "regular expression"],
  ])("is refused before anything is sent where the schema %s", async (_what, schema, words) => {
    const { client, chats } = await answering([JSON_TEXT]);

    const refused = Reflect.apply(client.complete, client, [{ prompt: "Who?", schema }]);

    await expect(refused).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(words),
    });
    expect(chats()).toHaveLength(0);
  });

  it.each([
    [
      "2020-12",
      {
        $schema: "https://json-schema.org/draft/2020-12/schema",
        prefixItems: [{ type: "string" }],
        items: false,
      },
      '["a"]',
    ],
    [
      "draft-07",
      {
        $schema: "http://json-schema.org/draft-07/schema#",
        items: [{ type: "string" }],
        additionalItems: false,
      },
      '["a"]',
    ],
    [
      "draft-07 without a name, as of TypeBox and pydantic 1",
      { type: "array", items: [{ type: "string" }], additionalItems: false },
      '["a"]',
    ],
    ["with references", { $defs: { a: { type: "array" } }, $ref: "#/$defs/a" }, '["a"]'],
    [
      "with formats",
      { type: "array", items: { type: "string", format: "date" } },
      '["2026-11-28"]',
    ],
  ])("is validated by a schema %s", async (_what, schema, answer) => {
    const { client } = await answering([answer]);

    expect((await client.complete({ prompt: "What?", schema })).data).toEqual(JSON.parse(answer));
  });
});

describe("a schema that is expensive to check", () => {
  it("fails at once where its check takes too long", async () => {
    const { client, chats } = await answering([`"${"a".repeat(60)}!"`]);
    const schema = { type: "string", pattern: "^(a+)+$" };

    await expect(client.complete({ prompt: "What?", schema })).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
      action: expect.stringContaining('"pattern"'),
      retryable: false,
    });
    expect(chats()).toHaveLength(1);
  });

  it("is compiled once for each definition, however many references it has", async () => {
    const names = Array.from({ length: 100 }, (_, index) => `a${index}`);
    const large = {
      properties: Object.fromEntries(names.map((name) => [name, { type: "integer", minimum: 1 }])),
    };
    const references = Array.from({ length: 200 }, () => ({ $ref: "#/$defs/large" }));
    // 20,000 definitions would take longer than a schema may.
    const read = await loadReader({ $defs: { large }, allOf: references });
    expect(read('{"a1":0}', true)).toMatchObject({ complaints: [expect.stringContaining("a1")] });
  });

  it("is refused before anything is sent where it takes too long to compile", async () => {
    const { client, chats } = await answering(["1"]);
    const schema = { oneOf: Array.from({ length: 2000 }, (_, index) => ({ const: index })) };

    await expect(client.complete({ prompt: "What?", schema })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      // Node 26 may run out of stack before it runs out of time.
      message: expect.stringMatching(/cannot be compiled within|too large or nested/),
    });
    expect(chats()).toHaveLength(0);
  });

  it.each([
    ["itself", { $ref: "#" }],
    ["itself among others", { allOf: [{ type: "object" }, { $ref: "#" }] }],
    ["itself by way of another", { $defs: { a: { $ref: "#" } }, $ref: "#/$defs/a" }],
    [
      "itself in a circle",
      { $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" },
    ],
    ["itself in what it must not be", { not: { $ref: "#" } }],
  ])("is named as the reason where it has an endless reference to %s", async (_what, schema) => {
    const { client } = await answering(["{}"]);

    await expect(client.complete({ prompt: "What?", schema })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("The schema cannot be used"),
    });
  });

  it.each([
    ["an asynchronous one", { $async: true, type: "object" }],
    [
      "with an escaped hyphen",
      { properties: { a: { type: "string", pattern: "^\\d{3}\\-\\d$" } } },
    ],
    [
      "with a hyphen behind a class",
      { properties: { a: { type: "string", pattern: "^[\\w-_]+$" } } },
    ],
    ["with an escaped quote", { properties: { a: { type: "string", pattern: '^[^\\"]+$' } } }],
    ["with a format that is not known", { properties: { a: { format: "number-of-a-form" } } }],
    ["of values that are always or never valid", { properties: { a: true, b: false } }],
    ["with a name in another script", { properties: { "ключ 名": false } }],
    ["that refers to itself", { properties: { c: { $ref: "#" } } }],
  ])("is accepted: %s", async (_what, schema) => {
    const { client } = await answering(['{"a": "123-4", "c": {}}']);

    const { data } = await client.complete({ prompt: "What?", schema });

    expect(data).toEqual({ a: "123-4", c: {} });
  });

  it.each(["constructor", "toString", "valueOf", "hasOwnProperty"])(
    "has only own members: %s",
    async (name) => {
      const read = await loadReader({ type: "object", properties: { [name]: { type: "string" } } });
      const readRequired = await loadReader({ type: "object", required: [name] });

      expect(read("{}", true)).toEqual({ fits: true, data: {} });
      expect(readRequired("{}", true).fits).toBe(false);
      expect(readRequired(`{"${name}": 1}`, true).fits).toBe(true);
    },
  );

  it("rejects a value that an asynchronous schema refuses", async () => {
    const { client } = await answering(["{}"]);
    const schema = { $async: true, type: "string" };

    await expect(client.complete({ prompt: "What?", schema })).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
    });
  });
});

describe("a schema of zod", () => {
  const Person = z.object({
    name: z.string().transform((name) => name.toUpperCase()),
    age: z.number().refine((age) => age < 100, "nobody is that old"),
  });

  it("gives the value its type, with the schema's conversions", async () => {
    const { client, chats } = await answering([JSON_TEXT]);

    const { data, text } = await client.complete({ prompt: "Who?", schema: Person });

    expectTypeOf(data).toEqualTypeOf<{ name: string; age: number }>();
    expect(data).toEqual({ name: "ÅSA", age: 42 });
    expect(text).toBe(JSON_TEXT);
    expect(chats()[0].messages[0].content).toContain('"required":["name","age"]');
  });

  it("fails where the schema's own check fails", async () => {
    const { client } = await answering(['{"name": "Åsa", "age": 142}']);

    await expect(client.complete({ prompt: "Who?", schema: Person })).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
      message: expect.stringContaining("schema: age: nobody is that old"),
    });
  });

  it("is refused where it has no form in JSON Schema", async () => {
    const { client } = await answering([JSON_TEXT]);

    await expect(client.complete({ prompt: "When?", schema: z.date() })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("Date"),
    });
  });

  it("is refused where its library is too old to have one", async () => {
    const { client } = await answering([JSON_TEXT]);
    const { jsonSchema: _none, ...standard } = Person["~standard"];

    const refused = Reflect.apply(client.complete, client, [
      { prompt: "Who?", schema: { "~standard": standard } },
    ]);

    await expect(refused).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "The schema cannot be used: it has no JSON Schema.",
    });
  });
});
