import { describe, expect, it } from "vitest";
import {
  CallReader,
  ForcedCall,
  loadToolbox,
  type ToolDefinition,
} from "../../../src/foundry/tools/index.js";
import { cpuMsOf, growthOf, LINEAR } from "../../cpu-time.js";

const WEATHER: ToolDefinition = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: {
      type: "object",
      properties: {
        city: { type: "string" },
        days: { type: "integer" },
        hourly: { type: "boolean" },
        where: { type: "object" },
      },
      required: ["city"],
    },
  },
};
const TIME: ToolDefinition = { function: { name: "get_time" } };
const toolbox = await loadToolbox([WEATHER, TIME]);

interface Found {
  readonly text: string;
  readonly calls: readonly unknown[];
  readonly errors: readonly string[];
  readonly warnings: number;
}

function read(pieces: readonly string[], isWhole = true): Found {
  const reader = new CallReader(toolbox);
  const before = pieces.map((piece) => reader.pushText(piece)).join("");
  const { text, calls, warnings } = reader.end(isWhole);
  for (const { id } of calls) expect(id).toMatch(/^\S{1,200}$/);
  return {
    text: before + text,
    calls: calls.map(({ name, arguments: given }) => [name, given]),
    errors: calls.flatMap(({ error }) => error ?? []),
    warnings: warnings.length,
  };
}

/** The same text in pieces of several sizes, and in two pieces split at every second place. */
function* splits(text: string): Generator<string[]> {
  for (const size of [1, 2, 3, 5, 8, 16]) {
    yield text.match(new RegExp(`[\\s\\S]{1,${size}}`, "g")) ?? [];
  }
  for (let at = 1; at < text.length; at += 2) yield [text.slice(0, at), text.slice(at)];
}

function readAllWays(text: string, isWhole = true): Found {
  const whole = read([text], isWhole);
  for (const pieces of splits(text)) {
    const found = read(pieces, isWhole);
    if (JSON.stringify(found) !== JSON.stringify(whole))
      expect({ pieces, found }).toEqual({ pieces, found: whole });
  }
  return whole;
}

const OSLO = ["get_weather", { city: "Oslo" }];
const ROME = ["get_weather", { city: "Rome" }];
const J = '{"name": "get_weather", "arguments": {"city": "Oslo"}}';
const K = '{"name": "get_weather", "parameters": {"city": "Rome"}}';

describe("the tool calls in a text", () => {
  it.each<[string, string, readonly unknown[], string]>([
    ["tags of Qwen and Hermes", `<tool_call>\n${J}\n</tool_call>`, [OSLO], ""],
    ["parameters for arguments", `<tool_call>${K}</tool_call>`, [ROME], ""],
    ["a list in tags", `<tool_call>[${J}, ${K}]</tool_call>`, [OSLO, ROME], ""],
    ["two tags", `<tool_call>${J}</tool_call>\n<tool_call>${K}</tool_call>`, [OSLO, ROME], ""],
    [
      "text before and after",
      `Let me see.\n<tool_call>${J}</tool_call>\nWait.`,
      [OSLO],
      "Let me see.\n\nWait.",
    ],
    ["a tag that is not closed", `<tool_call>${J}`, [OSLO], ""],
    ["the next tag in place of the end", `<tool_call>${J}\n<tool_call>${K}`, [OSLO, ROME], ""],
    ["an opening tag in place of the end", `<tool_call>${J}<tool_call>`, [OSLO], ""],
    [
      "the closing tag within a string",
      '<tool_call>{"name":"get_weather","arguments":{"city":"</tool_call>{"}}</tool_call>!',
      [["get_weather", { city: "</tool_call>{" }]],
      "!",
    ],
    [
      "arguments as a string",
      `<tool_call>{"name":"get_weather","arguments":"{\\"city\\":\\"Oslo\\"}"}</tool_call>`,
      [OSLO],
      "",
    ],
    [
      "the form of the API",
      `<tool_call>{"id":"a1","type":"function","function":{"name":"get_weather","arguments":{"city":"Oslo"}}}</tool_call>`,
      [OSLO],
      "",
    ],
    [
      "tool_calls of the API as text",
      `{"tool_calls":[{"type":"function","function":{"name":"get_weather","arguments":"{\\"city\\":\\"Oslo\\"}"}}]}`,
      [OSLO],
      "",
    ],
    ["functools of Phi", `functools[${J}]`, [OSLO], ""],
    [
      "functools with two calls and text",
      `I look.\nfunctools[${J}, ${K}] Then I answer.`,
      [OSLO, ROME],
      "I look.\n Then I answer.",
    ],
    ["functools that is not closed", `functools[${J}`, [OSLO], ""],
    ["marks of Phi", `<|tool_call|>[${J}]<|/tool_call|>`, [OSLO], ""],
    ["marks of Granite", `<|tool_call|>[${J},${K}]`, [OSLO, ROME], ""],
    ["Llama's mark", `<|python_tag|>${K}`, [ROME], ""],
    ["two calls of Llama", `<|python_tag|>${J}; ${K}`, [OSLO, ROME], ""],
    ["Mistral's mark", `[TOOL_CALLS][${J}, ${K}]`, [OSLO, ROME], ""],
    ["Mistral's mark with blanks and text", `Well. [TOOL_CALLS] [${J}]`, [OSLO], "Well."],
    ["Mistral's newer form", `[TOOL_CALLS]get_weather{"city": "Oslo"}`, [OSLO], ""],
    [
      "Mistral's newest form",
      `[TOOL_CALLS]get_weather[ARGS]{"city": "Oslo"}[TOOL_CALLS]get_weather[CALL_ID]x1[ARGS]{"city": "Rome"}`,
      [OSLO, ROME],
      "",
    ],
    [
      "Gemma 4's marks",
      '<|tool_call>call:get_weather{city:<|"|>Oslo<|"|>}<tool_call|><|tool_call>call:get_weather{city:<|"|>a "b"\n{<|"|>,days:3,where:{a:[1]}}<tool_call|>',
      [OSLO, ["get_weather", { city: 'a "b"\n{', days: 3, where: { a: [1] } }]],
      "",
    ],
    [
      "FunctionGemma's marks",
      "<start_function_call>call:get_weather{city:<escape>Oslo<escape>}<end_function_call>",
      [OSLO],
      "",
    ],
    ["Gemma 3's block", 'So:\n```tool_code\nprint(get_weather(city="Oslo"))\n```', [OSLO], "So:"],
    [
      "Python in marks of LFM",
      "<|tool_call_start|>[get_weather(city='it\\'s \"a\", b)', hourly=True, where={'a': [1]}), get_time()]<|tool_call_end|>Wait.",
      [
        ["get_weather", { city: 'it\'s "a", b)', hourly: true, where: { a: [1] } }],
        ["get_time", {}],
      ],
      "Wait.",
    ],
    [
      "Python of Llama 4",
      'I look. [get_weather(city="Oslo"), get_weather(city="Rome", days=2)]',
      [OSLO, ["get_weather", { city: "Rome", days: 2 }]],
      "I look.",
    ],
    [
      "two lists in Python",
      '[get_weather(city="Oslo")]; [get_weather(city="""Rome""") # it\n]',
      [OSLO, ROME],
      "",
    ],
    ["Python behind Llama's mark", '<|python_tag|>get_weather(city="Oslo")', [OSLO], ""],
    [
      "Python in lines",
      '<function_calls>\nget_weather(city="Oslo")\nget_weather(city="Rome")\n</function_calls>',
      [OSLO, ROME],
      "",
    ],
    [
      "Kimi's marks",
      '<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{"city": "Oslo"}<|tool_call_end|><|tool_call_begin|>functions.get_time:1<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>',
      [OSLO, ["get_time", {}]],
      "",
    ],
    [
      "Kimi's marks in the singular",
      '<|tool_call_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{"city": "Oslo"}<|tool_call_end|><|tool_call_section_end|>',
      [OSLO],
      "",
    ],
    [
      "Kimi's marks without those around all calls",
      '<|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{"city": "Oslo"}<|tool_call_end|><|tool_call_begin|>functions.get_time:1<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>',
      [OSLO, ["get_time", {}]],
      "",
    ],
    [
      "DeepSeek's marks without those around all calls",
      '<｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Oslo"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
      [OSLO],
      "",
    ],
    ["LongCat's tags", `<longcat_tool_call>\n${J}\n</longcat_tool_call>`, [OSLO], ""],
    ["the marks of GigaChat 3", `So.function call<|role_sep|>\n${J}`, [OSLO], "So."],
    ["the mark of GigaChat 3.1", `<|function_call|>${J}`, [OSLO], ""],
    ["a function call that is spoken of", "A function call it is.", [], "A function call it is."],
    [
      "DeepSeek's marks of V3",
      '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{"city": "Oslo"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{"city": "Rome"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
      [OSLO, ROME],
      "",
    ],
    [
      "DeepSeek's marks of V3.1",
      '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Oslo"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
      [OSLO],
      "",
    ],
    ...["function_calls", "tool_calls"].map(
      (name): [string, string, readonly unknown[], string] => [
        `DeepSeek's tags ${name}`,
        `<｜DSML｜${name}>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" string="true">Oslo</｜DSML｜parameter>\n<｜DSML｜parameter name="days" string="false">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜${name}>`,
        [["get_weather", { city: "Oslo", days: 3 }]],
        "",
      ],
    ),
    [
      "MiniMax's tags",
      '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Oslo</parameter>\n</invoke>\n</minimax:tool_call>',
      [OSLO],
      "",
    ],
    ...[
      ["[TOOL_REQUEST]", "[END_TOOL_REQUEST]"],
      ["[TOOL_CALL]", "[/TOOL_CALL]"],
      ["<TOOLCALL>[", "]</TOOLCALL>"],
      ["<|START_ACTION|>[", "]<|END_ACTION|>"],
      ["<|action_start|><|plugin|>", "<|action_end|>"],
      ["<seed:tool_call>", "</seed:tool_call>"],
    ].map(([start, end]): [string, string, readonly unknown[], string] => [
      `JSON in ${start}`,
      `Well.\n${start}\n${J}\n${end}`,
      [OSLO],
      "Well.",
    ]),
    ["a bare list", `[${J}]`, [OSLO], ""],
    ["a bare list of two", `[${J}, ${K}]`, [OSLO, ROME], ""],
    ["a bare object", `  ${K}  `, [ROME], ""],
    ["bare objects in lines", `${J}\n${K}`, [OSLO, ROME], ""],
    ["bare objects with a semicolon", `${J}; ${K}`, [OSLO, ROME], ""],
    ["bare with text", `I call it: ${J}. Wait.`, [OSLO], "I call it: . Wait."],
    [
      "a bare list with odd blanks",
      `[ \n\t{ "name" :\n"get_weather" , "parameters": {"city"\n:"Rome"}}\n ]`,
      [ROME],
      "",
    ],
    ["a fence", `\`\`\`json\n${J}\n\`\`\``, [OSLO], ""],
    ["a fence with text", `Here:\n\`\`\`json\n[${J}]\n\`\`\`\nDone.`, [OSLO], "Here:\n\nDone."],
    ["a fence around tags", `\`\`\`\n<tool_call>${J}</tool_call>\n\`\`\``, [OSLO], ""],
    [
      "functions of Qwen",
      "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n</function>\n</tool_call>",
      [OSLO],
      "",
    ],
    [
      "functions without their tags",
      "<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n</function>\n</tool_call>",
      [OSLO],
      "",
    ],
    [
      "functions with types",
      '<function=get_weather><parameter=city>7</parameter><parameter=days>3</parameter><parameter=hourly>True</parameter><parameter=where>{"x": [1]}</parameter></function>',
      [["get_weather", { city: "7", days: 3, hourly: true, where: { x: [1] } }]],
      "",
    ],
    [
      "functions with JSON, as Llama",
      '<function=get_weather>{"city": "Oslo"}</function>',
      [OSLO],
      "",
    ],
    [
      "functions with names as attributes",
      '<function name="get_weather"><parameter name="city">Oslo</parameter></function>',
      [OSLO],
      "",
    ],
    [
      "invoke",
      '<function_calls><invoke name="get_weather"><parameter name="city">Oslo</parameter></invoke></function_calls>',
      [OSLO],
      "",
    ],
    [
      "two functions",
      "<function=get_weather><parameter=city>Oslo</parameter></function>\n<function=get_time></function>",
      [OSLO, ["get_time", {}]],
      "",
    ],
    [
      "a value of several lines",
      "<function=get_weather>\n<parameter=city>\na\n\nb\n</parameter>\n</function>",
      [["get_weather", { city: "a\n\nb" }]],
      "",
    ],
    [
      "keys and values of GLM",
      "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n</tool_call>",
      [OSLO],
      "",
    ],
    [
      "names of GLM without arguments",
      "<tool_call>get_weather<arg_key>city</arg_key><arg_value>Oslo</arg_value></tool_call>\n<tool_call>get_time</tool_call>",
      [OSLO, ["get_time", {}]],
      "",
    ],
    [
      "nearly JSON",
      "<tool_call>{'name': 'get_weather', 'arguments': {'city': 'Oslo',}}</tool_call>",
      [OSLO],
      "",
    ],
    [
      "a missing bracket at the end",
      '<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo"}</tool_call>',
      [OSLO],
      "",
    ],
    ["a bracket too many", `<tool_call>${J}}</tool_call>`, [OSLO], ""],
    [
      "a line break within a string",
      '<tool_call>{"name": "get_weather", "arguments": {"city": "Os\nlo"}}</tool_call>',
      [["get_weather", { city: "Os\nlo" }]],
      "",
    ],
    ["no arguments", '<tool_call>{"name": "get_time"}</tool_call>', [["get_time", {}]], ""],
    [
      "null for arguments",
      '<tool_call>{"name": "get_time", "arguments": null}</tool_call>',
      [["get_time", {}]],
      "",
    ],
    [
      "the namespace of gpt-oss",
      '{"name": "functions.get_weather", "arguments": {"city": "Oslo"}}',
      [OSLO],
      "",
    ],
    [
      "umlauts and emoji",
      '<tool_call>{"name":"get_weather","arguments":{"city":"Malmö 🌧"}}</tool_call>',
      [["get_weather", { city: "Malmö 🌧" }]],
      "",
    ],
  ])("%s", (_name, text, calls, rest) => {
    expect(readAllWays(text)).toEqual({ text: rest, calls, errors: [], warnings: 0 });
  });

  it.each<[string, string]>([
    ["plain words", "It is 3 degrees in Oslo."],
    ["blanks at both ends", "\n It rains.\n\n"],
    ["only blanks", " \n"],
    ["a JSON answer", '{"city": "Oslo", "degrees": 3}'],
    ["a JSON answer with a name", '{"name": "Oslo", "degrees": 3}'],
    ["a list with names", '[{"name": "Oslo"}, {"name": "Rome"}]'],
    ["a call of a tool that was not offered, without markup", '{"name": "rm", "arguments": {}}'],
    ["the name of a tool with other members", '{"name": "get_weather", "title": "Weather"}'],
    ["code in a fence", "```js\nconst a = [{ x: 1 }];\n```\n"],
    ["JSON in a fence", '```json\n{"name": "Oslo", "degrees": 3}\n```\n'],
    ["words about the tag", "Write the <tool_call> tag around it."],
    ["a tool's name alone in tags of another model", "<function_call>get_time</function_call>"],
    ["the tag in quotes", 'The tag "<tool_call>" begins it.'],
    ["words about functools", "It is called functools[1] there."],
    ["an index", "a[0] and {b} and `c`"],
    ["a link", "See [a page](https://example.com/a_(b)) and [get_weather(](x)."],
    ["Python without a tool's name", "[print(a=1), f(x=2)]"],
    ["Python without names of arguments", '[get_weather("Oslo")]'],
    ["a comprehension in Python", "cities = [get_weather(city=each) for each in cities]"],
    ["a list with more than a call", '[get_weather(city="Oslo") -> "21"] shows it.'],
    ["a link to a tool", "See [get_time()](https://example.com)."],
    ...["[TOOL_REQUEST]", "[TOOL_CALL]", "<TOOLCALL>", "```tool_code"].map(
      (start): [string, string] => [`words about ${start}`, `It begins with ${start} there.`],
    ),
    ["brackets that stay open", 'Look: [{"name": "x'],
    ["a closing tag alone", "A </tool_call> ends it."],
    ["a backtick at the end", "Use `"],
  ])("are none in %s, and the text stays as it is", (_name, text) => {
    expect(readAllWays(text)).toEqual({ text, calls: [], errors: [], warnings: 0 });
  });

  it.each(["In [f(a), f(b)) it", "A ```tool_code block"])("are not waited for in %s", (text) => {
    expect(new CallReader(toolbox).pushText(text)).toBe(text);
  });

  it.each<[string, string, readonly unknown[], RegExp]>([
    [
      "an unknown tool",
      '<tool_call>{"name":"rm","arguments":{"x":1}}</tool_call>',
      [["rm", { x: 1 }]],
      /There is no tool "rm". There are: get_weather, get_time./,
    ],
    [
      "a missing argument",
      '<tool_call>{"name":"get_weather","arguments":{}}</tool_call>',
      [["get_weather", {}]],
      /must have required property 'city'/,
    ],
    [
      "an argument of another type",
      '[{"name":"get_weather","arguments":{"city":5}}]',
      [["get_weather", { city: 5 }]],
      /city must be string/,
    ],
    [
      "arguments that are words",
      '<tool_call>{"name":"get_weather","arguments":"Oslo"}</tool_call>',
      [["get_weather", {}]],
      /no JSON object: Oslo/,
    ],
    [
      "arguments that are a list",
      '<tool_call>{"name":"get_weather","arguments":["Oslo"]}</tool_call>',
      [["get_weather", {}]],
      /no JSON object/,
    ],
    [
      "what cannot be repaired",
      '<tool_call>{"name": "get_weather", "arguments": {"city" "Oslo" : : }}</tool_call>',
      [["get_weather", {}]],
      /no JSON object/,
    ],
  ])("that do not fit stay, with an error: %s", (_name, text, calls, error) => {
    const found = readAllWays(text);
    expect(found).toMatchObject({ text: "", calls, warnings: 1 });
    expect(found.errors).toEqual([expect.stringMatching(error)]);
  });

  it.each<[string, string, readonly unknown[], string]>([
    ["in a tag", '<tool_call>{"name": "get_weather", "argum', [], ""],
    ["in the second call of a list", `[${J}, {"name": "get_weather", "para`, [OSLO], ""],
    ["in a bare call", 'So: {"name": "get_weather", "arguments": {"ci', [], "So:"],
    ["in functions", "<function=get_weather><parameter=city>Os", [], ""],
    ["in Python", '<|tool_call_start|>[get_time(), get_weather(city="Os', [["get_time", {}]], ""],
    ["in a value of Gemma", '<|tool_call>call:get_weather{city:<|"|>Os', [], ""],
    ["in functools", `functools[${J}, {"na`, [OSLO], ""],
    [
      "in a value of keys and values",
      "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Os",
      [],
      "",
    ],
    ["in a second tag", `<tool_call>${J}</tool_call><tool_call>{"nam`, [OSLO], ""],
  ])("that were cut off %s are left out, with a warning", (_name, text, calls, rest) => {
    expect(readAllWays(text, false)).toEqual({ text: rest, calls, errors: [], warnings: 1 });
  });

  it.each([
    ["in a tag", (json: string) => `<tool_call>${json}</tool_call>`],
    ["bare", (json: string) => json],
  ])("may have an argument that looks like a call, %s", (_where, written) => {
    const city = 'Oslo <function=get_time>{"zone":"x"}</function>';
    const json = JSON.stringify({ name: "get_weather", arguments: { city } });
    expect(readAllWays(written(json))).toMatchObject({ calls: [["get_weather", { city }]] });
  });

  it("that are unreadable are dropped, with a warning", () => {
    expect(readAllWays("Hm. <tool_call>{}</tool_call>")).toEqual({
      text: "Hm.",
      calls: [],
      errors: [],
      warnings: 1,
    });
  });

  it("are bounded in number", () => {
    const { calls } = read([`[${Array(5000).fill(J).join(",")}]`]);
    expect(calls).toHaveLength(64);
  });

  it.each([
    ["starts without an end", '<tool_call>{"'],
    ["openings", "[{"],
    ["names", '[{"name": '],
    ["fences", "```json\n"],
    ["blanks behind brackets", `[${" ".repeat(500)}`],
    ["functions", "<function=get_weather><parameter=city>"],
    ["calls in Python", "[get_weather(city="],
    ["quotes of Gemma", '<|tool_call>call:a{<|"|>'],
  ])("take time in proportion to the text: %s", (_name, part) => {
    const text = part.repeat(Math.ceil(200_000 / part.length));
    const pieces = text.match(/[\s\S]{1,100}/g) ?? [];
    expect(read(pieces).text.length).toBeLessThanOrEqual(text.length);
  });
});

it.each<[string, object]>([
  ["alternatives", { anyOf: [{ type: "string" }, { type: "null" }] }],
  ["values", { enum: ["12345", "2"] }],
  ["one value", { const: "12345" }],
  ["a reference", { $ref: "#/$defs/zip" }],
])("an argument in tags stays a text where its schema has %s", async (_, zip) => {
  const parameters = { type: "object", properties: { zip }, $defs: { zip: { type: "string" } } };
  const reader = new CallReader(await loadToolbox([{ function: { name: "find", parameters } }]));
  reader.pushText("<function=find><parameter=zip>12345</parameter></function>");
  const { calls } = reader.end(true);
  expect(calls).toEqual([{ id: expect.any(String), name: "find", arguments: { zip: "12345" } }]);
});

it.each<[string, object, string, unknown]>([
  [
    "a list beside a text",
    { anyOf: [{ type: "array", items: { type: "string" } }, { type: "string" }] },
    '["a","b"]',
    ["a", "b"],
  ],
  [
    "a number beside one text",
    { anyOf: [{ const: "all", type: "string" }, { type: "integer" }] },
    "5",
    5,
  ],
  ["null among values", { enum: ["low", "high", null] }, "null", null],
  ["a number among values", { enum: ["auto", 1, 2] }, "1", 1],
  ["a text in quotes", { type: "string" }, '"an exact phrase"', '"an exact phrase"'],
  ["a text among values", { enum: ["auto", 1, 2] }, "auto", "auto"],
])("an argument in tags is %s where its schema has that", async (_, x, written, value) => {
  const parameters = { type: "object", properties: { x } };
  const reader = new CallReader(await loadToolbox([{ function: { name: "f", parameters } }]));
  reader.pushText(`<function=f><parameter=x>${written}</parameter></function>`);
  const { calls } = reader.end(true);
  expect(calls).toEqual([{ id: expect.any(String), name: "f", arguments: { x: value } }]);
});

describe("structured tool calls", () => {
  const piece = (given: object) => ({ index: 0, id: null, name: null, arguments: null, ...given });
  const readPieces = (pieces: readonly object[], text = "") => {
    const reader = new CallReader(toolbox);
    const before = reader.pushText(text);
    for (const each of pieces) reader.pushPiece(piece(each));
    const found = reader.end(true);
    return { ...found, text: before + found.text };
  };

  it.each<[string, readonly object[], readonly unknown[]]>([
    [
      "whole, as a string",
      [{ id: "a", name: "get_weather", arguments: '{"city":"Oslo"}' }],
      [OSLO],
    ],
    [
      "whole, as an object",
      [{ id: "a", name: "get_weather", arguments: { city: "Oslo" } }],
      [OSLO],
    ],
    [
      "in pieces",
      [
        { id: "a", name: "get_weather", arguments: "" },
        ...'{"city":"Oslo"}'.split("").map((c) => ({ arguments: c })),
      ],
      [OSLO],
    ],
    [
      "in pieces with ids of their own",
      [
        { id: "a", name: "get_weather", arguments: "" },
        { id: "b", arguments: '{"city":"Os' },
        { id: "c", arguments: 'lo"}' },
      ],
      [OSLO],
    ],
    [
      "whose arguments are null",
      [{ id: "a", name: "get_time", arguments: "null" }],
      [["get_time", {}]],
    ],
    [
      "in pieces that repeat the id and the name",
      [
        { id: "a", name: "get_weather", arguments: '{"city"' },
        { id: "a", name: "get_weather", arguments: ':"Oslo"}' },
        { id: "a", name: "get_weather", arguments: "" },
      ],
      [OSLO],
    ],
    // https://github.com/vllm-project/vllm/issues/42167
    [
      "in pieces without their end, and then whole",
      [
        { id: "a", name: "get_weather", arguments: "" },
        { arguments: '{"city":' },
        { arguments: '"Oslo"' },
        { arguments: '{"city": "Oslo"}' },
      ],
      [OSLO],
    ],
    [
      "in pieces, and then whole, with the id and the name",
      [
        { id: "a", name: "get_weather", arguments: '{"city":"Oslo"}' },
        { id: "a", name: "get_weather", arguments: '{"city":"Oslo"}' },
      ],
      [OSLO],
    ],
    // https://github.com/mudler/LocalAI/issues/9722
    [
      "twice, with the same id",
      [
        { id: "a", name: "get_weather", arguments: '{"city":"Oslo"}' },
        { index: 1, id: "a", name: "get_weather" },
        { index: 1, id: "a", arguments: '{"city": "Oslo"}' },
      ],
      [OSLO],
    ],
    [
      "with a piece that is JSON",
      [
        { id: "a", name: "get_time", arguments: '{"zone":' },
        { arguments: '{"zone":1}' },
        { arguments: "}" },
      ],
      [["get_time", { zone: { zone: 1 } }]],
    ],
    [
      "two that take turns",
      [
        { id: "a", name: "get_weather" },
        { index: 1, id: "b", name: "get_weather" },
        { arguments: '{"city":' },
        { index: 1, arguments: '{"city":"Rome"}' },
        { arguments: '"Oslo"}' },
      ],
      [OSLO, ROME],
    ],
    [
      "two with index 0 and ids of their own",
      [
        { id: "a", name: "get_weather", arguments: '{"city":"Oslo"}' },
        { id: "b", name: "get_weather", arguments: '{"city":"Rome"}' },
      ],
      [OSLO, ROME],
    ],
    // https://github.com/agno-agi/agno/pull/8880
    [
      "two of which the second begins with the index of the first",
      [
        { id: "a", name: "get_weather", arguments: '{"city":"Oslo"}' },
        { id: "b", name: "get_weather", arguments: '{"ci' },
        { index: 1, arguments: 'ty":' },
        { index: 1, arguments: '"Rome"}' },
      ],
      [OSLO, ROME],
    ],
    [
      "whole, beside a piece that begins none",
      [
        { id: "a", name: "get_weather", arguments: '{"city":"Oslo"}' },
        { index: 1, arguments: '{"city":"Rome"}' },
      ],
      [OSLO],
    ],
    [
      "two with one id and indices of their own",
      [
        { id: "r", name: "get_weather" },
        { id: "r", name: null, arguments: '{"city":"Oslo"}' },
        { index: 1, id: "r", name: "get_weather" },
        { index: 1, id: "r", name: null, arguments: '{"city":"Rome"}' },
      ],
      [OSLO, ROME],
    ],
    [
      "two whole ones with one id",
      [
        { id: "r", name: "get_weather", arguments: '{"city":"Oslo"}' },
        { id: "r", name: "get_weather", arguments: '{"city":"Rome"}' },
      ],
      [OSLO, ROME],
    ],
    [
      "two whole ones with one id and no index",
      [
        { index: null, id: "r", name: "get_weather", arguments: { city: "Oslo" } },
        { index: null, id: "r", name: "get_weather", arguments: { city: "Rome" } },
      ],
      [OSLO, ROME],
    ],
    [
      "two without ids or indices",
      [
        { index: null, name: "get_weather", arguments: '{"city":"Oslo"}' },
        { index: null, name: "get_weather", arguments: '{"city":"Rome"}' },
      ],
      [OSLO, ROME],
    ],
    [
      "two without ids or indices, the second without arguments",
      [
        { index: null, name: "get_weather", arguments: '{"city":"Oslo"}' },
        { index: null, name: "get_time", arguments: "" },
      ],
      [OSLO, ["get_time", {}]],
    ],
    [
      "two with one id, the second without arguments",
      [
        { id: "r", name: "get_weather", arguments: '{"city":"Oslo"}' },
        { id: "r", name: "get_time", arguments: "" },
      ],
      [OSLO, ["get_time", {}]],
    ],
    [
      "a name in two pieces",
      [{ id: "a", name: "get_" }, { name: "weather" }, { arguments: '{"city":"Oslo"}' }],
      [OSLO],
    ],
    ["without arguments", [{ id: "a", name: "get_time", arguments: "" }], [["get_time", {}]]],
    ...[
      "functions.get_weather:0",
      "default_api:get_weather",
      "get_weather<|channel|>commentary",
      " get_weather\n",
    ].map((name): [string, readonly object[], readonly unknown[]] => [
      `with the name ${name}`,
      [{ id: "a", name, arguments: '{"city":"Oslo"}' }],
      [OSLO],
    ]),
    ...[
      'json\n{"city":"Oslo"}',
      '```json\n{"city":"Oslo"}\n```',
      '{"city":"Oslo"}<|im_end|>',
      '{"city":"Oslo"}\n</tool_call>',
      '{}{"city":"Oslo"}',
    ].map((given): [string, readonly object[], readonly unknown[]] => [
      `with the arguments ${given}`,
      [{ id: "a", name: "get_weather", arguments: given }],
      [OSLO],
    ]),
  ])("are joined: %s", (_name, pieces, calls) => {
    const found = readPieces(pieces);
    expect(found.calls.map(({ name, arguments: given }) => [name, given])).toEqual(calls);
    expect(new Set(found.calls.map(({ id }) => id)).size).toBe(calls.length);
    expect(found.calls.map(({ error }) => error)).toEqual(calls.map(() => undefined));
  });

  it("keep their ids, and get new ones where these are missing or duplicate", () => {
    const ids = readPieces([
      { id: "call_1", name: "get_time", arguments: "{}" },
      { index: 1, name: "get_time", arguments: "{}" },
    ]).calls.map(({ id }) => id);
    expect(ids).toEqual(["call_1", expect.stringMatching(/^[0-9a-f]{9}$/)]);
  });

  it("count once where the text contains them, too, and are removed from the text", () => {
    const found = readPieces(
      [{ id: "a", name: "get_weather", arguments: '{"city":"Oslo"}' }],
      `So. <tool_call>${J}</tool_call><tool_call>{"name":"get_time"}</tool_call>`,
    );
    expect(found.calls.map(({ name }) => name)).toEqual(["get_weather", "get_time"]);
    expect(found.text).toBe("So.");
  });
});

describe("a forced tool call", () => {
  it.each(["", 'Like {"a" or so.', 'Like [{"a', "Like {{"])(
    "ends where the next one begins, after the thinking %j",
    (thinking) => {
      const forced = new ForcedCall();
      forced.pushText(thinking);
      expect(forced.textWasReasoning()).toBe(thinking);

      forced.pushText('[{"name": "answer", "parameters": {"a": 1}}, ');
      expect(forced.goesOn).toBe(false);
      forced.pushText('{"name"');
      expect(forced.goesOn).toBe(true);
    },
  );

  it("leaves the begun value of a call that broke off", () => {
    const forced = new ForcedCall();
    forced.pushText('<tool_call>[{"name": "answer", "parameters": {"a": [1, 2');
    expect(forced.end(false).text).toBe('{"a": [1, 2');
  });

  it("is looked for without reading a long list again with each of its pieces", async () => {
    const read = (objects: number): void => {
      const forced = new ForcedCall();
      for (const piece of ["[", ...Array(objects).fill('{"a": 1},')]) {
        forced.pushText(piece);
        if (forced.goesOn) throw new Error("It went on.");
      }
    };
    expect(await growthOf(read, 5000)).toBeLessThan(LINEAR);
  });

  it("does not go on where what went on was thinking", () => {
    const forced = new ForcedCall();
    forced.pushText('{"name": "answer", "parameters": {}}, {"name"');
    expect(forced.goesOn).toBe(true);

    forced.textWasReasoning();

    expect(forced.goesOn).toBe(false);
  });
});

it.each([
  ["blanks behind a name", `[TOOL_CALLS]get_time${" ".repeat(200_000)}x`],
  ["blanks in front of words", `<tool_call>${"\n".repeat(200_000)}x</tool_call>`],
  ["parameters", `<function=get_time>${`<parameter=${" ".repeat(330)}`.repeat(600)}`],
  [
    "broken calls",
    `<tool_call>{"name":"get_time","arguments":[${"1 ".repeat(60_000)}</tool_call>`.repeat(20),
  ],
])("a model that repeats itself in calls does not hold up other work: %s", async (_what, text) => {
  const reader = new CallReader(await loadToolbox([TIME]));
  const cpu = await cpuMsOf(() => {
    reader.pushText(text);
    reader.end(true);
  });
  expect(cpu).toBeLessThan(6000);
});
