import { describe, expect, it } from "vitest";
import { CompletionProgress } from "../../../src/foundry/completion/progress.js";
import { StopCutter } from "../../../src/foundry/completion/text-filters.js";
import { ThinkingSplitter } from "../../../src/foundry/completion/thinking.js";
import { DownloadAnswer } from "../../../src/foundry/dialects/legacy/download.js";
import { CallReader, loadToolbox } from "../../../src/foundry/tools/index.js";
import { readEvents } from "../../../src/http/event-parser.js";
import { cpuMsOf, growthOf, LINEAR } from "../../cpu-time.js";

const utf8 = new TextEncoder();

async function eventsOf(text: string, chunkSize: number): Promise<number> {
  const bytes = utf8.encode(text);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunkSize) yield bytes.subarray(at, at + chunkSize);
  }
  let count = 0;
  for await (const _ of readEvents(chunks(), 1e9)) count += 1;
  return count;
}

function split(pieces: readonly string[]): void {
  const splitter = new ThinkingSplitter();
  for (const piece of pieces) splitter.push(piece);
  splitter.end();
}

function cut(stops: readonly string[], pieces: readonly string[]): void {
  const cutter = new StopCutter(stops);
  for (const piece of pieces) cutter.push(piece);
  cutter.end();
}

function progressOf(count: number): void {
  const progress = new CompletionProgress(1, () => 0);
  for (let at = 0; at < count; at++) {
    progress.addReasoning(at % 100 === 0 ? "word" : "  ");
    progress.addText("word ");
    progress.countPiece();
    progress.snapshot();
  }
}

function download(pieces: readonly string[]): void {
  const answer = new DownloadAnswer();
  for (const piece of pieces) answer.push(piece);
  answer.end();
}

const times = (count: number, piece: string): string[] => Array(count).fill(piece);

/** Each with work on an input of this size; eight times the size may cost eight times the time. */
const WORK: readonly (readonly [string, number, (count: number) => unknown])[] = [
  ["tokens in one line", 20_000, (n) => split(times(n, "word "))],
  ["blanks before the first word", 20_000, (n) => split(times(n, "  \n"))],
  ["thinking in one line", 20_000, (n) => split(["<think>", ...times(n, "word ")])],
  ["opening tags in one line of one piece", 5000, (n) => split([`x${"<think>".repeat(n)}`])],
  ["closing tags in one line of one piece", 5000, (n) => split([`x${"</think>y".repeat(n)}`])],
  ["brackets in one piece", 50_000, (n) => split(["<".repeat(n)])],
  ["tags that count", 5000, (n) => split(["<think>a</think>\n".repeat(n)])],
  ["fences of code in one line", 20_000, (n) => split(times(n, "``` "))],
  ["fences of code in one piece", 5000, (n) => split(["``` <think>".repeat(n)])],
  ["other tags in one line of one piece", 5000, (n) => split([`x${"[THINK]".repeat(n)}`])],
  ["marks of a template in one piece", 5000, (n) => split([`${"<|im_end|>".repeat(n)}x`])],
  ["marks of a template that never end", 5000, (n) => split(times(n, "<|im_end|>"))],
  ["brackets of lists in one piece", 50_000, (n) => split(["[".repeat(n)])],
  ["tokens in front of an answer", 5000, (n) => split(["<|START_RESPONSE|>\n".repeat(n)])],
  ["channels", 5000, (n) => split(["<|channel|>final<|message|>a<|end|>".repeat(n)])],
  [
    "tokens of channels in an answer",
    5000,
    (n) => split(["<|message|>", ...times(n, "<|end|> a")]),
  ],
  ["text before a stop string", 20_000, (n) => cut(["STOP", "\n\n"], times(n, "word "))],
  ["a long stop string that nearly comes", 4000, (n) => cut([`${"a".repeat(n)}b`], times(n, "aa"))],
  [
    "a long stop string in one piece",
    20_000,
    (n) => cut([`${"a".repeat(n)}b`], ["a".repeat(3 * n)]),
  ],
  ["looking at each token", 20_000, progressOf],
  ["one event in small chunks", 200_000, (n) => eventsOf(`data: ${"x".repeat(n)}\n\n`, 100)],
  ["a JSON in small chunks", 200_000, (n) => eventsOf(`{"a":"${"}".repeat(n)}"}`, 100)],
  ["a JSON of many lines", 20_000, (n) => eventsOf(`[\n${"1,\n".repeat(n)}1]`, 1000)],
  ["values in one line", 20_000, (n) => eventsOf(`data: ${"{}".repeat(n)}`, 1e9)],
  ["brackets without an end", 200_000, (n) => eventsOf("[".repeat(n), 1000)],
  ["an event of many lines", 20_000, (n) => eventsOf(`${"data: x\n".repeat(n)}\n`, 1000)],
  ["lines that end with CR in one chunk", 20_000, (n) => eventsOf("data: x\r\r".repeat(n), 1e9)],
  ["lines with one CR after them", 20_000, (n) => eventsOf(`${"id: 1\n".repeat(n)}\r`, 1e9)],
  ["a download's line of digits", 8000, (n) => download(["1".repeat(n)])],
  ["a download's line without an end", 20_000, (n) => download(times(n, "x"))],
];

it("the repair of a tool call in invalid JSON ends after a second", async () => {
  const reader = new CallReader(await loadToolbox([{ function: { name: "f" } }]));
  reader.pushText(`<tool_call>{"name":"f","arguments":[${"1 ".repeat(500_000)}`);
  const cpu = await cpuMsOf(() => reader.end(true));
  // Without a limit it takes minutes.
  expect(cpu).toBeLessThan(20_000);
});

describe("the CPU time of a stream", () => {
  it.each(WORK)("grows linearly with its length: %s", async (_what, count, work) => {
    expect(await growthOf(work, count)).toBeLessThan(LINEAR);
  });
});
