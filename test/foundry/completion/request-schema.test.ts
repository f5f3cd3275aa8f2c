import { describe, expect, it } from "vitest";
import { completionRequestSchema } from "../../../src/foundry/completion/request-schema.js";
import { parseArguments } from "../../../src/lib/arguments.js";

describe("the arguments of a completion", () => {
  it("are taken as they are when they fit", () => {
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
      "prompt is 7, which does not fit.",
      "Give prompt as allowed: a text that is not empty.",
    ],
    [
      { prompt: null },
      "prompt is null, which does not fit.",
      "Give prompt as allowed: a text that is not empty.",
    ],
    [
      { prompt: "" },
      "prompt is an empty text, which does not fit.",
      "Give prompt as allowed: a text that is not empty.",
    ],
    [
      { prompt: " \n\t" },
      "prompt is an empty text, which does not fit.",
      "Give prompt as allowed: a text that is not empty.",
    ],
    [
      { messages: "Hello" },
      'messages is "Hello", which does not fit.',
      "Give messages as allowed: a list of messages.",
    ],
    [
      { messages: [] },
      "messages is [], which does not fit.",
      "Give messages as allowed: at least one message.",
    ],
    [
      { messages: ["Hello"] },
      'messages.0 is "Hello", which does not fit.',
      'Give messages.0 as allowed: an object such as {"role":"user","content":"…"}.',
    ],
    [
      { messages: [{ role: "tool", content: "x" }] },
      'messages.0.role is "tool", which does not fit.',
      "Give messages.0.role as allowed: one of system, user, assistant.",
    ],
    [
      { messages: [{ role: "user" }] },
      "messages.0.content is missing.",
      "Give messages.0.content: a text that is not empty.",
    ],
    [
      { messages: [{ role: "user", content: [{ type: "text", text: "x" }] }] },
      'messages.0.content is [{"type":"text","text":"x"}], which does not fit.',
      "Give messages.0.content as allowed: a text that is not empty.",
    ],
    [
      { messages: [{ role: "user", content: "x", name: "u" }] },
      'There is no argument "name".',
      'Leave "name" out.',
    ],
    [
      { prompt: "x", system: "" },
      "system is an empty text, which does not fit.",
      "Give system as allowed: a text that is not empty.",
    ],
    [
      { prompt: "x", model: "" },
      "model is an empty text, which does not fit.",
      "Give model as allowed: an alias, a name or an id.",
    ],
    [
      { prompt: "x", model: ["phi"] },
      'model is ["phi"], which does not fit.',
      "Give model as allowed: an alias, a name or an id.",
    ],
    [
      { prompt: "x", maxTokens: 0 },
      "maxTokens is 0, which does not fit.",
      "Give maxTokens as allowed: a whole number from 1 to 1000000.",
    ],
    [
      { prompt: "x", maxTokens: 1_000_001 },
      "maxTokens is 1000001, which does not fit.",
      "Give maxTokens as allowed: a whole number from 1 to 1000000.",
    ],
    [
      { prompt: "x", maxTokens: 1.5 },
      "maxTokens is 1.5, which does not fit.",
      "Give maxTokens as allowed: a whole number from 1 to 1000000.",
    ],
    [
      { prompt: "x", maxTokens: "100" },
      'maxTokens is "100", which does not fit.',
      "Give maxTokens as allowed: a whole number from 1 to 1000000.",
    ],
    [
      { prompt: "x", maxTokens: Number.NaN },
      "maxTokens is NaN, which does not fit.",
      "Give maxTokens as allowed: a whole number from 1 to 1000000.",
    ],
    [
      { prompt: "x", maxTokens: 5n },
      "maxTokens is 5, which does not fit.",
      "Give maxTokens as allowed: a whole number from 1 to 1000000.",
    ],
    [
      { prompt: "x", temperature: -0.1 },
      "temperature is -0.1, which does not fit.",
      "Give temperature as allowed: a number from 0 to 2.",
    ],
    [
      { prompt: "x", temperature: 2.1 },
      "temperature is 2.1, which does not fit.",
      "Give temperature as allowed: a number from 0 to 2.",
    ],
    [
      { prompt: "x", temperature: Number.POSITIVE_INFINITY },
      "temperature is Infinity, which does not fit.",
      "Give temperature as allowed: a number from 0 to 2.",
    ],
    [
      { prompt: "x", topP: 1.01 },
      "topP is 1.01, which does not fit.",
      "Give topP as allowed: a number from 0 to 1.",
    ],
    [
      { prompt: "x", stop: "END" },
      'stop is "END", which does not fit.',
      "Give stop as allowed: a list of texts.",
    ],
    [
      { prompt: "x", stop: [] },
      "stop is [], which does not fit.",
      "Give stop as allowed: at least one text.",
    ],
    [
      { prompt: "x", stop: [""] },
      "stop.0 is an empty text, which does not fit.",
      "Give stop.0 as allowed: texts that are not empty.",
    ],
    [
      { prompt: "x", stop: Array.from("abcdefghijklmnopq") },
      'stop is ["a","b","c","d","e","f","g","h","i","j","k","l","m","n","o"…, which does not fit.',
      "Give stop as allowed: at most 16 texts.",
    ],
    [
      { prompt: "x", seed: -1 },
      "seed is -1, which does not fit.",
      "Give seed as allowed: a whole number from 0 to 2147483647.",
    ],
    [
      { prompt: "x", max_tokens: 5 },
      'There is no argument "max_tokens".',
      'Leave "max_tokens" out. There are: prompt, messages, system, model, maxTokens, temperature, topP, stop, seed.',
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
  ])("are refused with name, value and what is allowed: %o", (given, message, action) => {
    expect(() => parseArguments(completionRequestSchema, given)).toThrowError(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message, action }),
    );
  });

  it("take a stop string that is a line break, and a prompt of 5 MB", () => {
    const request = { prompt: "x".repeat(5 * 1024 * 1024), stop: ["\n"] };
    expect(parseArguments(completionRequestSchema, request)).toEqual(request);
  });
});
