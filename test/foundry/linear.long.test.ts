import { describe, expect, it } from "vitest";
import { readAnswer, readComplaint, readVersion } from "../../src/foundry/cli/cli-output.js";
import { refusalsIn } from "../../src/foundry/dialects/chat-request.js";
import { errorOfStreamEvent } from "../../src/foundry/dialects/failures.js";
import { overflowOf } from "../../src/foundry/dialects/overflow.js";
import { sanitizeMessage } from "../../src/foundry/dialects/sanitize-message.js";
import { cliErrorOf } from "../../src/foundry/downloads/download-output.js";
import { errorTextOf } from "../../src/http/error-text.js";
import { FoundryError } from "../../src/lib/errors.js";
import { knownModel } from "./models/known-model.js";

/** Each repeats the beginning of a search pattern, without its end. */
const NEAR_MATCHES = [
  "context length ",
  "exceeds ",
  "input_ids size (1) ",
  "requires 1 total tokens (1 input + 1 output) ",
  "maximum context length is 1 tokens ",
  "maximum context length of 1 tokens: ",
  "prompt contains at least 1 ",
  "keep the first 1 tokens when context",
  "context size ",
  "n_keep",
  "failed loading model ",
  "insufficient a ",
  "system role ",
  "try again in 1m",
  "Traceback (most recent call last)",
  "Error: ",
  'File "',
  "\n at a.b(",
  "#1 0xa",
  "a::",
  "a.py:1",
  "A.a",
  "AError",
  "what():",
  "\\\\a\\",
  "~/a",
  "\u001b]",
  "'message': '",
  '{"error":',
  "model not ",
  "must be ",
  "a.cc:1 ",
  "a.cc:1 f(",
  "a/",
  "-",
  "1",
  " ",
  "\n",
  "(",
  "((a)",
  "C:\\a ",
  " /a",
  " /home/",
  "<a ",
  "<title ",
  "<title",
  '"message" : ',
  '{"message":"\\',
  "\\",
  "code=1\nmessage=\n",
  "1% ",
  "1%/s ",
  "/s A",
  "error ",
  "error: ",
  "'",
  "Unknown command: ",
  "1.1.1-",
  "1.1.1.",
  "{",
];

const DOORS: readonly (readonly [string, number, (text: string) => unknown])[] = [
  ["sanitizeMessage", 4000, sanitizeMessage],
  [
    "errorOfStreamEvent",
    4000,
    (text) => errorOfStreamEvent({ text, kinds: [] }, { doing: "chat" }),
  ],
  [
    "overflowOf",
    4000,
    (detail) =>
      overflowOf(new FoundryError("CONTEXT_LENGTH_EXCEEDED", "x", { action: "x", detail })),
  ],
  [
    "refusalsIn",
    16_384,
    (detail) => {
      const error = new FoundryError("INVALID_REQUEST", "x", { action: "x", detail });
      const messages = [{ role: "system", content: "x" }] as const;
      const request = { model: knownModel("m"), messages, maxTokens: 1, seed: 1 };
      return refusalsIn(error, request, new Set(), {});
    },
  ],
  ["errorTextOf", 16_384, (text) => errorTextOf(text, "text/plain", "x")],
  ["errorTextOf, a page", 16_384, (text) => errorTextOf(text, "text/html", "x")],
  ["errorTextOf, half a JSON", 16_384, (text) => errorTextOf(`{${text}`, "application/json", "x")],
  ["cliErrorOf", 20_000, (text) => cliErrorOf(text, text)],
  ["readComplaint", 64 * 1024, (text) => readComplaint({ stdout: text, stderr: `x${text}\nb` })],
  ["readVersion", 64 * 1024, (text) => readVersion({ stdout: text, stderr: "" })],
  ["readAnswer", 64 * 1024, (text) => readAnswer({ stdout: text, stderr: text })],
];

/** Processor time of one call, in µs. The threads of the garbage collector count, too. */
function costOf(work: (text: string) => unknown, text: string): number {
  const before = process.cpuUsage();
  work(text);
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** On a busy machine single calls take longer; non-linear work is too slow in each of them. */
const MOST_ROUNDS = 30;
const LEAST_ROUNDS = 3;
/** In µs, too. */
const LONGEST = 300_000;

/** Below it, clock resolution and garbage collection dominate the measurement. */
const NOISE = 4000;

describe.each(DOORS)("%s", (_name, bound, work) => {
  it.each(NEAR_MATCHES)("takes linear time for repeated %j", (piece) => {
    const of = (length: number) => piece.repeat(Math.ceil(length / piece.length)).slice(0, length);
    const least = { whole: Number.POSITIVE_INFINITY, half: Number.POSITIVE_INFINITY };
    const isLinear = (): boolean =>
      least.whole < Math.max(NOISE, least.half) * 3.5 && least.whole < LONGEST;
    work(of(bound));
    for (let round = 0; round < LEAST_ROUNDS || (!isLinear() && round < MOST_ROUNDS); round += 1) {
      least.whole = Math.min(least.whole, costOf(work, of(bound)));
      least.half = Math.min(least.half, costOf(work, of(bound / 2)));
    }
    expect(isLinear(), JSON.stringify(least)).toBe(true);
  });
});
