import { describe, expect, it } from "vitest";
import * as z from "zod";
import { clientOf } from "../fixtures.js";
import { type ChatAnswer, type ChatBody, chatEngine, events, json } from "./chat-engine.js";

/** A list of tags, each with a pattern; one property has the name of a keyword. */
const SCHEMA = {
  type: "object",
  properties: {
    uniqueItems: { type: "integer" },
    tags: {
      type: "array",
      uniqueItems: true,
      items: { type: "string", pattern: "^[a-z]+$", format: "hostname", not: { const: "x" } },
    },
  },
  required: ["uniqueItems"],
};
const OTHER = { type: "object", properties: { tags: { type: "array" } } };
const VALUE = { uniqueItems: 1, tags: ["a"] };

const sentSchema = z.object({
  response_format: z.object({ json_schema: z.object({ schema: z.unknown() }) }).optional(),
});
/** The schema in a request; `undefined`: none. */
const schemaIn = (body: ChatBody): unknown =>
  sentSchema.parse(body).response_format?.json_schema.schema;

const answer = ({ stream }: ChatBody): ChatAnswer => {
  const content = JSON.stringify(VALUE);
  return stream === true
    ? events({ choices: [{ delta: { content }, finish_reason: "stop" }] })
    : json({ choices: [{ message: { content }, finish_reason: "stop" }] });
};

/** How an error arrives: with a status, or in a stream, whole or in bytes. */
const FORMS = ["status", "event", "bytes"] as const;
/** For the words of each engine: how bytes are joined does not depend on them. */
const WHOLE_FORMS = ["status", "event"] as const;
type Form = (typeof FORMS)[number];

function refusal(form: Form, message: string, status: number): ChatAnswer {
  const error = { message, type: status === 500 ? "server_error" : "invalid_request_error" };
  if (form === "status") return json({ error }, status);
  return { ...events({ error }), isBytewise: form === "bytes" };
}

/** The schema without one of the keywords of its list and of the items of the list. */
function without(keyword: string): unknown {
  const { tags, uniqueItems } = SCHEMA.properties;
  const { items, ...list } = tags;
  const rest = (members: object) =>
    Object.fromEntries(Object.entries(members).filter(([name]) => name !== keyword));
  return { ...SCHEMA, properties: { uniqueItems, tags: { ...rest(list), items: rest(items) } } };
}

/** The messages of engines about one schema, with the keyword that they name. */
const OF_SCHEMA = [
  [
    "Foundry Local",
    500,
    'Inference failed: onnx_chat_generator.cc:431 failed to create generator: Error creating grammar: Unimplemented keys: ["uniqueItems"]',
    "uniqueItems",
  ],
  [
    "Foundry Local, of a word of everyday language",
    500,
    'Inference failed: failed to create generator: Error creating grammar: Unimplemented keys: ["not"]',
    "not",
  ],
  ["Foundry Local, of a format", 500, "Error creating grammar: Unknown format: hostname", "format"],
  [
    "llama.cpp",
    400,
    "JSON schema conversion failed:\nPattern must start with '^' and end with '$'",
    "pattern",
  ],
  [
    "llama.cpp, of a schema",
    400,
    'JSON schema conversion failed:\nUnrecognized schema: {"a":1}',
    null,
  ],
  [
    "llama.cpp, of its grammar",
    400,
    "Failed to initialize samplers: failed to parse grammar",
    null,
  ],
  [
    "vLLM with xgrammar",
    400,
    "The provided JSON schema contains features not supported by xgrammar.",
    null,
  ],
  ["vLLM with guidance", 400, 'Grammar error: Unimplemented keys: ["uniqueItems"]', "uniqueItems"],
  ["vLLM with outlines", 400, "Failed to compile: outlines cannot handle oneOf", null],
  ["llguidance", 400, "llguidance: regex is too complex", "pattern"],
  ["Ollama", 400, "invalid JSON schema in format", null],
  [
    "Ollama, of a format",
    400,
    'invalid format: {}; expected "json" or a valid JSON Schema object',
    null,
  ],
  // ollama/ollama#12422, #10805: of a long maxLength, some patterns, and of some models with any schema.
  ["Ollama, of its grammar", 500, "failed to load model vocabulary required for format", null],
  ["LM Studio", 400, "Invalid JSON Schema: 'uniqueItems' is an unsupported keyword", "uniqueItems"],
  ["SGLang", 400, "Failed to compile json grammar: unsupported type", null],
  [
    "OpenAI",
    400,
    "Invalid schema for response_format 'answer': In context=('properties', 'tags', 'items', 'not'), 'uniqueItems' is not permitted.",
    "uniqueItems",
  ],
  [
    "OpenAI, of the type",
    400,
    "Invalid schema for response_format 'answer': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'.",
    null,
  ],
] as const;

it.each([
  [
    "patternProperties",
    { patternProperties: { "^[0-9]+$": { type: "number" } }, additionalProperties: false },
  ],
  ["oneOf", { oneOf: [{ required: ["a"] }], unevaluatedProperties: false }],
  ["contains", { contains: { const: 1 }, unevaluatedItems: false }],
  ["minContains", { contains: { const: 1 }, minContains: 0 }],
])("a restriction that needs %s is removed with it", async (keyword, members) => {
  const schema = { type: "object", ...members };
  const { url, chats } = await chatEngine((body) =>
    JSON.stringify(schemaIn(body)).includes(keyword)
      ? refusal("status", `Grammar error: Unimplemented keys: ["${keyword}"]`, 400)
      : json({ choices: [{ message: { content: '{"1":2,"a":3}' }, finish_reason: "stop" }] }),
  );
  const request = { prompt: "?", model: "m", schema: { ...schema } };
  await clientOf(url)
    .complete(request)
    .catch(() => {});
  expect(chats.slice(0, 2).map(schemaIn)).toEqual([schema, { type: "object" }]);
});

describe.each(OF_SCHEMA)(
  "a schema that an engine refuses as %s does",
  (_engine, status, message, keyword) => {
    it.each(WHOLE_FORMS)(
      "loses the refused keyword, and others stay unchanged (%s)",
      async (form) => {
        const { url, chats } = await chatEngine((body) =>
          JSON.stringify(schemaIn(body)) === JSON.stringify(SCHEMA)
            ? refusal(form, message, status)
            : answer(body),
        );
        const client = clientOf(url);
        const ask = (schema: object) =>
          client.complete({ prompt: "?", model: "m", schema: { ...schema } });

        const completions = [await ask(SCHEMA), await ask(OTHER), await ask(SCHEMA)];

        expect(completions.map(({ data }) => data)).toEqual([VALUE, VALUE, VALUE]);
        expect(completions.map(({ attempts }) => attempts)).toEqual([2, 1, 1]);
        const lesser = keyword === null ? undefined : without(keyword);
        expect(chats.map(schemaIn)).toEqual([SCHEMA, lesser, OTHER, lesser]);
      },
    );
  },
);

describe.each([
  [
    "OpenAI",
    400,
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
  ],
  ["vLLM", 400, "guided_json is not available with this backend"],
  ["LM Studio", 400, "'response_format.type' must be 'text'"],
  ["LM Studio, of JSON", 400, "'response_format.type' must be 'json_schema' or 'text'"],
  ["vLLM 0.12", 400, "structured_outputs: extra inputs not permitted"],
  ["LiteLLM", 400, "litellm.UnsupportedParamsError: no parameters: ['response_format']"],
  ["SGLang", 400, "Grammar backend is disabled"],
  ["TGI", 422, "Input validation error: grammar is not supported"],
  ["a strict engine", 422, "response_format: Extra inputs are not permitted"],
  ["a Go engine", 400, 'json: unknown field "response_format"'],
])("each schema that an engine refuses as %s does", (_engine, status, message) => {
  it.each(WHOLE_FORMS)("is omitted from then on (%s)", async (form) => {
    const { url, chats } = await chatEngine((body) =>
      schemaIn(body) === undefined ? answer(body) : refusal(form, message, status),
    );
    const client = clientOf(url);

    for (const schema of [SCHEMA, OTHER, SCHEMA]) {
      await client.complete({ prompt: "?", model: "m", schema });
    }

    expect(chats.map(schemaIn)).toEqual([SCHEMA, undefined, undefined, undefined]);
  });
});

describe("a schema that an engine refuses", () => {
  const message = 'Error creating grammar: Unimplemented keys: ["uniqueItems"]';

  it.each(FORMS)("is omitted where it is refused without the keyword, too (%s)", async (form) => {
    const { url, chats } = await chatEngine((body) =>
      schemaIn(body) === undefined ? answer(body) : refusal(form, message, 500),
    );
    const client = clientOf(url);

    const first = await client.complete({ prompt: "?", model: "m", schema: SCHEMA });
    const second = await client.complete({ prompt: "?", model: "m", schema: SCHEMA });

    expect([first.attempts, second.attempts]).toEqual([3, 1]);
    expect(chats.map(schemaIn)).toEqual([SCHEMA, without("uniqueItems"), undefined, undefined]);
  });

  it("opens no circuit, however many are refused", async () => {
    const { url, chats } = await chatEngine((body) =>
      schemaIn(body) === undefined ? answer(body) : refusal("status", message, 500),
    );
    const client = clientOf(url);

    for (let index = 0; index < 8; index += 1) {
      const schema = { ...OTHER, title: `schema ${index}` };
      expect(await client.complete({ prompt: "?", model: "m", schema })).toMatchObject({
        data: VALUE,
        attempts: 2,
      });
    }

    expect(chats).toHaveLength(16);
  });

  it.each<[string, object, object]>([
    [
      "alternatives that are equal then",
      {
        oneOf: [
          { uniqueItems: true, minItems: 1 },
          { uniqueItems: false, minItems: 1 },
        ],
      },
      { anyOf: [{ minItems: 1 }, { minItems: 1 }] },
    ],
    [
      "alternatives beside others",
      { oneOf: [{ uniqueItems: true }], anyOf: [{ minItems: 1 }], allOf: [{ minItems: 2 }] },
      { anyOf: [{ minItems: 1 }], allOf: [{ minItems: 2 }] },
    ],
    [
      "alternatives with the keyword behind a reference",
      { oneOf: [{ $ref: "#/$defs/a" }, {}], $defs: { a: { uniqueItems: true } } },
      { anyOf: [{ $ref: "#/$defs/a" }, {}], $defs: { a: {} } },
    ],
    [
      "alternatives without the keyword",
      { oneOf: [{ minItems: 1 }], uniqueItems: true },
      { oneOf: [{ minItems: 1 }] },
    ],
    [
      "what follows from a condition with the keyword",
      {
        allOf: [{ if: { uniqueItems: true }, else: { properties: { a: {} } } }],
        unevaluatedProperties: false,
      },
      { allOf: [{}] },
    ],
    [
      "a number of elements with the keyword",
      { contains: { uniqueItems: true }, minContains: 1, maxContains: 1 },
      {},
    ],
  ])("allows no fewer values without a keyword: %s", async (_what, members, sent) => {
    const schema = { type: "object", ...members };
    const { url, chats } = await chatEngine((body) =>
      JSON.stringify(schemaIn(body)) === JSON.stringify(schema)
        ? refusal("status", message, 500)
        : answer(body),
    );

    await clientOf(url)
      .complete({ prompt: "?", model: "m", schema })
      .catch(() => {});

    expect(schemaIn(chats[1] ?? {})).toEqual({ type: "object", ...sent });
  });

  it("loses parts that would become stricter without the refused keyword", async () => {
    const schema = {
      type: "object",
      properties: { a: { not: { type: "array", uniqueItems: true } }, b: { enum: [{ not: 1 }] } },
      anyOf: [{ uniqueItems: true }, { type: "object" }],
      $defs: { uniqueItems: { uniqueItems: false } },
    };
    const { url, chats } = await chatEngine((body) =>
      JSON.stringify(schemaIn(body)) === JSON.stringify(schema)
        ? refusal("status", message, 500)
        : answer(body),
    );

    await clientOf(url).complete({ prompt: "?", model: "m", schema });

    expect(schemaIn(chats[1] ?? {})).toEqual({
      type: "object",
      properties: { a: {}, b: { enum: [{ not: 1 }] } },
      anyOf: [{}, { type: "object" }],
      $defs: { uniqueItems: {} },
    });
  });
});
