import { describe, expect, it } from "vitest";
import { errorWordsOf, wordsOfError } from "../../src/http/index.js";

describe("the messages in an error", () => {
  it.each<readonly [string, unknown, string]>([
    ["an object", { error: { message: "no room" } }, "no room"],
    ["a string", { error: "no room" }, "no room"],
    ["a list of strings", { error: ["no room", "no time"] }, "no room; no time"],
    ["a list of objects", [{ error: { code: 400, message: "no room" } }], "no room"],
    ["errors", { errors: [{ message: "no room" }, { message: "no room" }] }, "no room"],
    ["a message at the top", { object: "error", message: "no room", code: 400 }, "no room"],
    ["FastAPI's string", { detail: "no room" }, "no room"],
    ["FastAPI's object", { detail: { error: "no room" } }, "no room"],
    [
      "FastAPI's list",
      { detail: [{ loc: ["body", "seed"], msg: "not permitted", type: "extra_forbidden" }] },
      "not permitted (seed)",
    ],
    [
      "FastAPI's list inside a message",
      {
        object: "error",
        message: { detail: [{ loc: ["body", "a", 0], msg: "not permitted" }] },
        code: null,
      },
      "not permitted (a.0)",
    ],
    ["JSON inside a message", { error: { message: '{"error":{"message":"no room"}}' } }, "no room"],
    [
      "JSON behind a prefix",
      { error: { message: 'litellm.X: OpenAI - {"error":{"message":"no room"}}. Group=m' } },
      "litellm.X: OpenAI - no room. Group=m",
    ],
    [
      "the engine behind a proxy",
      { error: { message: "It failed.", details: { response: { error: "there is no room" } } } },
      "It failed: there is no room",
    ],
    // https://github.com/open-webui/computer/issues/293
    [
      "OpenRouter's metadata",
      {
        error: {
          message: "Provider returned error",
          code: 429,
          metadata: { raw: "m is rate-limited upstream.", provider_name: "BaseTen" },
        },
      },
      "Provider returned error: m is rate-limited upstream.",
    ],
    [
      "OpenRouter's metadata, as JSON",
      {
        error: {
          message: "Provider returned error",
          code: 400,
          metadata: { raw: '{"error":{"message":"not supported","param":"seed"}}' },
        },
      },
      "Provider returned error: not supported (seed)",
    ],
    ["details", { error: { details: { message: "no room" } } }, "no room"],
    ["a description", { error: "invalid_token", error_description: "it is old" }, "it is old"],
    ["a reason", { success: false, error: { reason: "no room" } }, "no room"],
    ["Spring's name of the status", { error: "Bad Request", message: "no room" }, "no room"],
    [
      "ASP.NET's fields",
      { title: "Validation failed.", errors: { "$.seed": ["is no number"] } },
      "Validation failed: $.seed: is no number",
    ],
    ["ASP.NET's fields alone", { errors: { "$.seed": ["is no number"] } }, "$.seed: is no number"],
    ["a parameter", { error: { message: "not supported", param: "seed" } }, "not supported (seed)"],
    ["a parameter it names", { error: { message: "no seed", param: "seed" } }, "no seed"],
    [
      "llama.cpp's figures",
      { error: { message: "exceeds the context size", n_prompt_tokens: 1407, n_ctx: 256 } },
      "exceeds the context size (1407 tokens, context 256 tokens)",
    ],
    ["a flag", { error: true, message: "no room" }, "no room"],
    ["nothing", { error: null }, ""],
    ["a number", { error: 500 }, ""],
  ])("are read from %s", (_where, value, text) => {
    expect(wordsOfError(value).text).toBe(text);
  });

  it.each<readonly [unknown, readonly string[]]>([
    [{ error: { message: "x y", type: "a_b", code: 503 } }, ["a_b", "503"]],
    [{ error: { message: "x y", type: null, code: "model_not_found" } }, ["model_not_found"]],
    [{ object: "error", message: "x y", type: "BadRequestError" }, ["BadRequestError"]],
    [{ error: "invalid_token", message: "it is old" }, ["invalid_token"]],
    [{ detail: [{ msg: "x y", type: "extra_forbidden" }] }, ["extra_forbidden"]],
    [{ error: { message: "x y", code: "a sentence as a code" } }, []],
  ])("come with the types and codes of %j", (value, kinds) => {
    expect(wordsOfError(value).kinds).toEqual(kinds);
  });

  it("are bounded where errors nest endlessly", () => {
    let value: unknown = "no room";
    for (let depth = 0; depth < 50; depth += 1) value = { error: value };
    expect(wordsOfError(value).text).toBe("");
  });

  it.each([
    ["an event", 'data: {"error":{"message":"no room"}}\n\n', "no room"],
    ["an event with a name", 'event: error\ndata: {"error":"no room"}\n\n', "no room"],
    ["an error field", 'error: {"message":"no room"}\n\n', "no room"],
    ["a printed dictionary", "{'error': {'message': 'no room', 'code': 1}}", "no room"],
    ["a printed dictionary with a quote", `{'detail': "it's full"}`, "it's full"],
    ["plain text with JSON", 'upstream said {"error":"no room"}', "upstream said no room"],
    ["a code alone", '{"error":{"code":"no_room"}}', "no_room"],
    ["an empty error", '{"error":null}', "Bad Gateway"],
    ["colours", '{"error":"\\u001b[31mno\\u001b[0m room"}', "no room"],
    ["colours without ESC", "[31mno[0m room", "no room"],
  ])("are read from a body with %s", (_what, body, text) => {
    expect(errorWordsOf(body, "", "Bad Gateway").text).toBe(text);
  });
});
