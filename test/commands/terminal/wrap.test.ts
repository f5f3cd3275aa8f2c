import { describe, expect, it } from "vitest";
import { paragraph, TIE, WrappedText, wrapped } from "../../../src/commands/terminal.js";

describe("a text wrapped to a width", () => {
  it("is broken at blanks", () => {
    expect(wrapped("one two three four", 9)).toEqual(["one two", "three", "four"]);
  });

  it("keeps its line breaks", () => {
    expect(wrapped("one\ntwo three", 9)).toEqual(["one", "two three"]);
  });

  it("is never broken within copyable text or a longer word", () => {
    expect(wrapped("run `foundry server start`, or http://127.0.0.1:52364", 12)).toEqual([
      "run",
      "`foundry server start`,",
      "or",
      "http://127.0.0.1:52364",
    ]);
  });

  it("is not broken at a non-breaking space, which is shown as a blank", () => {
    expect(wrapped(`one two${TIE}three`, 9)).toEqual(["one", "two three"]);
  });

  it("is one line without a limit, and empty lines stay", () => {
    expect(wrapped("one two three", Infinity)).toEqual(["one two three"]);
    expect(wrapped("", 9)).toEqual([""]);
  });
});

describe("a text that arrives in pieces", () => {
  const WIDTH = 20;
  const streamed = (text: string, size: number): string => {
    const stream = new WrappedText(WIDTH, "  ");
    let written = "";
    for (let at = 0; at < text.length; at += size) written += stream.add(text.slice(at, at + size));
    return written + stream.end();
  };

  it.each([
    ["one two three four five six", "  one two three four\n  five six"],
    ["a list:\n- one\n\n    code", "  a list:\n  - one\n\n      code"],
    ["ends with a line.\n", "  ends with a line.\n"],
    ["spaces before a line end  \nnext", "  spaces before a\n  line end\n  next"],
    ["https://example.org/a/long/address ends", "  https://example.org/a/long/address\n  ends"],
    ["", ""],
  ])("is broken at its blanks, however %j is cut into pieces", (text, wanted) => {
    for (let size = 1; size <= text.length + 1; size += 1) {
      expect(streamed(text, size).replaceAll(/ +$/gm, "")).toBe(wanted);
    }
  });

  it("is written at once in a script without blanks", () => {
    expect(new WrappedText(WIDTH).add("\u4f60\u597d")).toBe("\u4f60\u597d");
  });

  it("is written word by word", () => {
    const stream = new WrappedText(WIDTH);

    expect([stream.add("Hel"), stream.add("lo wor"), stream.add("ld."), stream.end()]).toEqual([
      "",
      "Hello",
      "",
      " world.",
    ]);
  });
});

it("a paragraph is wrapped only on a terminal", () => {
  const text = "one two three four five six";

  expect(paragraph(text, { isTTY: true, columns: 14 })).toBe("one two three\nfour five six\n");
  expect(paragraph(text, { columns: 14 })).toBe(`${text}\n`);
});
