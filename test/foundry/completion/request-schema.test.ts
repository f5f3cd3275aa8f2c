import { describe, expect, it } from "vitest";
import { completionRequestSchema } from "../../../src/foundry/completion/request.js";
import { parseArguments } from "../../../src/lib/arguments.js";

describe("the arguments of a completion", () => {
  it("are accepted unchanged when they are valid", () => {
    const request = {
      messages: [{ role: "user", content: "Hello" }],
      system: "Be brief.",
      model: "phi-4-mini",
      maxTokens: 1_000_000,
      temperature: 2,
      topP: 0,
      stop: ["\n", "END"],
      seed: 2_147_483_647,
    };
    expect(parseArguments(completionRequestSchema, request)).toEqual(request);
  });

  it.each([
    [
      { prompt: 7 },
      "Invalid value for prompt: 7.",
      "Give prompt as allowed: a string that is not blank.",
    ],
    [
      { prompt: null },
      "Invalid value for prompt: null.",
      "Give prompt as allowed: a string that is not blank.",
    ],
    [
      { prompt: "" },
      "Invalid value for prompt: an empty string.",
      "Give prompt as allowed: a string that is not blank.",
    ],
    [
      { prompt: " \n\t" },
      'Invalid value for prompt: " \\n\\t".',
      "Give prompt as allowed: a string that is not blank.",
    ],
    [
      { messages: "Hello" },
      'Invalid value for messages: "Hello".',
      "Give messages as allowed: a list of messages.",
    ],
    [
      { messages: [] },
      "Invalid value for messages: [].",
      "Give messages as allowed: at least one message.",
    ],
    [
      { messages: ["Hello"] },
      'Invalid value for messages.0: "Hello".',
      'Give messages.0 as allowed: an object such as {"role":"user","content":"…"}.',
    ],
    [
      { messages: [{ role: "narrator", content: "x" }] },
      'Invalid value for messages.0.role: "narrator".',
      "Give messages.0.role as allowed: one of system, user, assistant, tool.",
    ],
    [
      { messages: [{ role: "user" }] },
      "messages.0.content is missing.",
      "Give messages.0.content: a string that is not blank.",
    ],
    [
      { messages: [{ role: "user", content: [{ type: "text", text: " " }] }] },
      'Invalid value for messages.0.content: [{"type":"text","text":" "}].',
      "Give messages.0.content as allowed: a string that is not blank.",
    ],
    [
      { messages: [{ role: "user", content: 7 }] },
      "Invalid value for messages.0.content: 7.",
      "Give messages.0.content as allowed: a string that is not blank.",
    ],
    [
      { messages: [{ role: "user", content: "x", name: "u" }] },
      'There is no argument "name" in messages.0.',
      'Leave "name" out. There are: role, content, tool_calls, tool_call_id.',
    ],
    [
      { prompt: "x", system: "" },
      "Invalid value for system: an empty string.",
      "Give system as allowed: a string that is not blank.",
    ],
    [
      { prompt: "x", model: "" },
      "Invalid value for model: an empty string.",
      "Give model as allowed: an alias, a name or an id.",
    ],
    [
      { prompt: "x", model: ["phi"] },
      'Invalid value for model: ["phi"].',
      "Give model as allowed: an alias, a name or an id.",
    ],
    [
      { prompt: "x", maxTokens: 0 },
      "Invalid value for maxTokens: 0.",
      "Give maxTokens as allowed: a whole number from 1 to 1000000.",
    ],
    [
      { prompt: "x", maxTokens: 1_000_001 },
      "Invalid value for maxTokens: 1000001.",
      "Give maxTokens as allowed: a whole number from 1 to 1000000.",
    ],
    [
      { prompt: "x", maxTokens: 1.5 },
      "Invalid value for maxTokens: 1.5.",
      "Give maxTokens as allowed: a whole number from 1 to 1000000.",
    ],
    [
      { prompt: "x", maxTokens: "100" },
      'Invalid value for maxTokens: "100".',
      "Give maxTokens as allowed: a whole number from 1 to 1000000.",
    ],
    [
      { prompt: "x", maxTokens: Number.NaN },
      "Invalid value for maxTokens: NaN.",
      "Give maxTokens as allowed: a whole number from 1 to 1000000.",
    ],
    [
      { prompt: "x", maxTokens: 5n },
      "Invalid value for maxTokens: 5.",
      "Give maxTokens as allowed: a whole number from 1 to 1000000.",
    ],
    [
      { prompt: "x", temperature: -0.1 },
      "Invalid value for temperature: -0.1.",
      "Give temperature as allowed: a number from 0 to 2.",
    ],
    [
      { prompt: "x", temperature: 2.1 },
      "Invalid value for temperature: 2.1.",
      "Give temperature as allowed: a number from 0 to 2.",
    ],
    [
      { prompt: "x", temperature: Number.POSITIVE_INFINITY },
      "Invalid value for temperature: Infinity.",
      "Give temperature as allowed: a number from 0 to 2.",
    ],
    [
      { prompt: "x", topP: 1.01 },
      "Invalid value for topP: 1.01.",
      "Give topP as allowed: a number from 0 to 1.",
    ],
    [
      { prompt: "x", stop: "END" },
      'Invalid value for stop: "END".',
      "Give stop as allowed: a list of strings.",
    ],
    [
      { prompt: "x", stop: [] },
      "Invalid value for stop: [].",
      "Give stop as allowed: at least one text.",
    ],
    [
      { prompt: "x", stop: [""] },
      "Invalid value for stop.0: an empty string.",
      "Give stop.0 as allowed: strings that are not empty.",
    ],
    [
      { prompt: "x", stop: Array.from("abcdefghijklmnopq") },
      'Invalid value for stop: ["a","b","c","d","e","f","g","h","i","j","k","l","m","n","o"….',
      "Give stop as allowed: at most 16 strings.",
    ],
    [
      { prompt: "x", tools: [{ type: "function" }] },
      "tools.0.function is missing.",
      'Give tools.0.function: an object such as {"name":"get_weather","description":"…","parameters":{"type":"object","properties":{}}}.',
    ],
    [
      { prompt: "x", seed: -1 },
      "Invalid value for seed: -1.",
      "Give seed as allowed: a whole number from 0 to 2147483647.",
    ],
    [
      { prompt: "x", max_tokens: 5 },
      'There is no argument "max_tokens".',
      'Leave "max_tokens" out. Did you mean maxTokens? There are: prompt, messages, system, model, models, temperature, stop, seed, maxTokens, topP, schema, tools, toolChoice, reasoning, reasoningBudget.',
    ],
    [
      { prompt: "x", messages: [{ role: "user", content: "y" }] },
      "Both prompt and messages came, but a completion takes one of them.",
      "Give either prompt, a single request, or messages, a conversation.",
    ],
    [
      {},
      "Neither prompt nor messages came, but a completion needs one of them.",
      "Give either prompt, a single request, or messages, a conversation.",
    ],
  ])("are refused with name, value and allowed values: %o", (given, message, action) => {
    expect(() => parseArguments(completionRequestSchema, given)).toThrowError(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message, action }),
    );
  });

  it("may contain a line break as a stop string, and a prompt of 5 MB", () => {
    const request = { prompt: "x".repeat(5 * 1024 * 1024), stop: ["\n"] };
    expect(parseArguments(completionRequestSchema, request)).toEqual(request);
  });
});
