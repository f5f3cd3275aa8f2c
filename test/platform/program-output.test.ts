import { describe, expect, it } from "vitest";
import { LONGEST_OUTPUT_LINE } from "../../src/lib/limits.js";
import { OutputLines } from "../../src/platform/program-output.js";

function linesOf(...pieces: readonly (string | Buffer)[]): string[] {
  const lines: string[] = [];
  const reader = new OutputLines((line) => lines.push(line));
  for (const piece of pieces) reader.add(Buffer.from(piece));
  reader.end();
  return lines;
}

describe("the lines of a program's output", () => {
  it.each([
    [["one\ntwo\n"], ["one", "two"]],
    [["one\r\n\r\ntwo"], ["one", "", "two"]],
    [
      ["on", "e\nt", "wo"],
      ["one", "two"],
    ],
    [
      ["one\r", "\ntwo"],
      ["one", "two"],
    ],
    [[], []],
  ] as const)("of %j are %j", (pieces, lines) => {
    expect(linesOf(...pieces)).toEqual(lines);
  });

  it("are intact although a character is split between chunks", () => {
    const bytes = Buffer.from("ab ü\n");
    expect(linesOf(bytes.subarray(0, 4), bytes.subarray(4))).toEqual(["ab ü"]);
  });

  it("keep the beginning of a very long line, and the line after it", () => {
    const piece = "x".repeat(1024 * 1024);
    const lines = linesOf(...Array.from({ length: 20 }, () => piece), "\nnext\n");
    expect(lines).toEqual(["x".repeat(LONGEST_OUTPUT_LINE), "next"]);
  });

  it("never contain half of a character that is cut", () => {
    const [line] = linesOf(`a${"🟢".repeat(LONGEST_OUTPUT_LINE)}`);
    expect(line?.isWellFormed()).toBe(true);
  });
});
