import { describe, expect, it } from "vitest";
import { ERROR_CODES, type ErrorCode, FoundryError } from "../../src/lib/errors.js";
import { failureLine, failureText } from "../../src/mcp/tool.js";
import { type ChatAnswer, chatEngine, events, json } from "../foundry/dialects/chat-engine.js";
import { connectedHost, textOf } from "./host.js";

const LONGEST = 2000;

const isCode = (code: string): code is ErrorCode => code in ERROR_CODES;
const CODES = Object.keys(ERROR_CODES).filter(isCode);

const LONG_WORDS = [
  ["one long word", "x".repeat(100_000)],
  ["many words", "it failed, ".repeat(10_000)],
  ["many lines", "it failed\n".repeat(10_000)],
  ["emoji", "🎉".repeat(50_000)],
  ["quotes", '"\\'.repeat(50_000)],
] as const;

describe("the text of a failure", () => {
  it.each(LONG_WORDS)("has at most 2,000 characters for every code, for %s", (_what, words) => {
    for (const code of CODES) {
      const error = new FoundryError(code, words, { action: words, retryAfterMs: 1e9 });
      expect(failureText(error, "", [words]).length).toBeLessThanOrEqual(LONGEST);
      expect(failureLine(error).length).toBeLessThanOrEqual(LONGEST);
    }
  });
});

describe("the text of a batch", () => {
  it("names a few different failures, and counts the others", async () => {
    let requests = 0;
    const { url } = await chatEngine(() => {
      requests += 1;
      return json({ error: { message: `request ${requests}: ${"it failed ".repeat(100)}` } }, 400);
    });
    const { host } = await connectedHost({ endpoint: url });
    const prompts = Array.from({ length: 40 }, (_, index) => `Item ${index}.`);
    const result = await host.callTool({ name: "complete_batch", arguments: { prompts } });
    const text = textOf(result);
    expect(text.match(/INVALID_REQUEST/g)).toHaveLength(5);
    expect(text).toContain("failed in other ways");
    expect(text.length).toBeLessThanOrEqual(5 * 600);
  });
});

describe("the text of several completions", () => {
  it("describes a few failures, and names the codes of the others", async () => {
    const { url } = await chatEngine(() =>
      json({ error: { message: `no: ${"it failed ".repeat(100)}` } }, 400),
    );
    const { host, foundry } = await connectedHost({ endpoint: url });
    const ids = Array.from(
      { length: 30 },
      (_, index) => foundry.completions.start({ prompt: `Item ${index}.`, model: "m" }).state.id,
    );
    await Promise.all(ids.map((id) => foundry.completions.wait(id)));
    const text = textOf(
      await host.callTool({ name: "get_completion", arguments: { completion_ids: ids } }),
    );
    const places = ids.join("").length + ids.length * ", failed, \n\n".length;
    expect(text.match(/INVALID_REQUEST: /g)).toHaveLength(4);
    expect(text.match(/INVALID_REQUEST/g)).toHaveLength(30);
    expect(text.length).toBeLessThanOrEqual(LONGEST + places);
  });
});

/** The text that engines write around the relevant message. */
const RAW: readonly (readonly [string, string])[] = [
  ["a path of Linux", "cannot open /var/lib/secret-place/models/m/model.onnx: it is broken"],
  [
    "a path of Windows",
    "cannot open C:\\Users\\John Doe\\secret-place\\models\\model.onnx: it is broken",
  ],
  ["a path of a share", "cannot open \\\\server\\secret-place\\m\\model.onnx: it is broken"],
  ["a path at home", "cannot open ~/secret-place/m/model.onnx: it is broken"],
  ["an address of a file", "cannot open file:///secret-place/m/model.onnx: it is broken"],
  ["a path behind a colon", "cannot open:/root/secret-place/m/model.onnx it is broken"],
  [
    "C++",
    "model.cc:59 fl::Model::Model(std::string, fl::ILogger&) secret-place.cc:3 void f() it is broken",
  ],
  ["ggml", "/build/secret-place/ggml-cuda.cu:86: ggml_cuda_error: it is broken"],
  [
    "Python",
    'Traceback (most recent call last):\n  File "/secret-place/server.py", line 183, in serve\n    raise ValueError("x")\nValueError: it is broken',
  ],
  [
    "Python in one line",
    'it failed: File "/secret-place/server.py", line 183, in serve it is broken',
  ],
  [
    ".NET",
    "it is broken   at Foundry.Core.Load(String path) in D:\\a\\secret-place\\Core.cs:line 12",
  ],
  ["Node", "it is broken at (/secret-place/server.js:12:34)"],
  ["Go", "server.go:405: secret-place/main.go:17 it is broken"],
  ["colours", "\u001b[31msecret-place.cc:7 \u001b[0mit is broken\u001b]0;title\u0007"],
];

const LEAKS =
  /secret-place|[\w-]+\.(?:cc|cu|cs|py|js|go):(?:line )?\d|line \d+, in|::|\\u001b|\[31m|Traceback/;

const WAYS: readonly (readonly [string, (message: string) => ChatAnswer])[] = [
  ["a 400", (message) => json({ error: { message } }, 400)],
  ["a 404", (message) => json({ detail: message }, 404)],
  ["a 422", (message) => json({ detail: [{ loc: ["body"], msg: message }] }, 422)],
  ["a 429", (message) => json({ message }, 429)],
  ["a 500", (message) => json({ error: message }, 500)],
  ["a 500 in plain text", (message) => ({ status: 500, body: message })],
  ["a 503", (message) => json({ error: { message } }, 503)],
  ["an event", (message) => events({ error: { message } })],
  [
    "an event in the middle",
    (message) =>
      events({ choices: [{ delta: { content: "Hel" } }] }, { error: { message, code: 500 } }),
  ],
  ["a whole answer", (message) => json({ error: { message } })],
  ["another whole answer", (message) => json({ detail: message })],
];

describe.each(WAYS)("the result of %s for an agent", (_how, way) => {
  /** Gives the results of calls, one for each message that the engine sends. */
  const caller = async () => {
    let sent = "";
    const { url } = await chatEngine(() => way(sent));
    const circuit = { failures: 1000 };
    const { host } = await connectedHost({ endpoint: url, retry: { retries: 0 }, circuit });
    return async (message: string) => {
      sent = message;
      const call = { name: "complete", arguments: { prompt: "Hi", model: "m" } };
      const result = await host.callTool(call);
      return { text: textOf(result), all: JSON.stringify(result) };
    };
  };

  it("contains the message and not the raw text around it", async () => {
    const call = await caller();
    for (const [what, message] of RAW) {
      const { text, all } = await call(message);
      expect(text, what).toContain("it is broken");
      expect(all, what).not.toMatch(LEAKS);
    }
  });

  it("is short where the engine sends a long one", async () => {
    const call = await caller();
    for (const [what, message] of LONG_WORDS) {
      const { all } = await call(message);
      // With the fields of the structured result around it.
      expect(all.length, what).toBeLessThanOrEqual(LONGEST + 1000);
    }
  });
});
