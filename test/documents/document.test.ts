import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitText } from "../../src/documents/document.js";
import { likelyTokens } from "../../src/foundry/index.js";
import { textOf } from "./fixtures.js";

/** Texts with everything that a boundary could split: surrogate pairs, CR LF, long lines, blank lines. */
const texts = fc
  .array(
    fc.oneof(
      fc.constantFrom("\n", "\r\n", "\n\n", " ", "\t", "😀", "漢字", "\r", "\ud83d", "}", "0"),
      fc.string({ unit: "grapheme", maxLength: 12 }),
      fc.string({ maxLength: 60 }),
    ),
    { maxLength: 80 },
  )
  .map((pieces) => pieces.join(""));

/** The line number of a character: the number of line breaks before it, plus one. */
const lineAt = (text: string, at: number): number =>
  [...text.matchAll(/\r\n|\r|\n/g)].filter(({ index, 0: end }) => index + end.length <= at).length +
  1;

describe("splitText", () => {
  it("gives parts with their lines that add up to the text, and splits no character", () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 60 }), (text, mostTokens) => {
        const parts = splitText(textOf("a", text), mostTokens);
        expect(parts.map((part) => part.text).join("")).toBe(text);
        let at = 0;
        for (const part of parts) {
          expect(part.text.length).toBeGreaterThan(0);
          expect(part.firstLine).toBe(lineAt(text, at));
          at += part.text.length;
          expect(part.lastLine).toBe(lineAt(text, at - 1));
          // Only a part of one character may be longer.
          const isOne = [...part.text].length === 1 || part.text === "\r\n";
          if (!isOne) expect(likelyTokens(part.text)).toBeLessThanOrEqual(mostTokens + 1e-9);
        }
        const borders = parts.slice(1).map((part, index) => [parts[index]?.text ?? "", part.text]);
        for (const [before = "", after = ""] of borders) {
          expect(/[\ud800-\udbff]$/.test(before) && /^[\udc00-\udfff]/.test(after)).toBe(false);
          expect(before.endsWith("\r") && after.startsWith("\n")).toBe(false);
        }
      }),
    );
  });

  it("counts the lines from the one that the text begins with", () => {
    const parts = splitText(textOf("a", "a\nb\nc\n", 10), 0.5);

    expect(parts.map(({ text, firstLine, lastLine }) => [text, firstLine, lastLine])).toEqual([
      ["a\n", 10, 10],
      ["b\n", 11, 11],
      ["c\n", 12, 12],
    ]);
  });

  it.each([
    ["paragraphs", "One two.\nThree.\n\nFour five.\nSix.\n", "One two.\nThree.\n\n", 8],
    ["lines", "One two three.\nFour five six.\n", "One two three.\n", 6],
    ["lines of Windows", "One two three.\r\nFour five six.\r\n", "One two three.\r\n", 6],
    ["lines of an old Mac", "One two three.\rFour five six.\r", "One two three.\r", 6],
    ["words", "one two three four five six seven", "one two three ", 4.5],
    ["characters", "abcdefghijklmnopqrstuvwxyz", "abcdefgh", 2.3],
  ])("cuts at %s where possible", (_what, text, first, mostTokens) => {
    expect(splitText(textOf("a", text), mostTokens)[0]?.text).toBe(first);
  });

  it("does not split a text that fits, and gives no part for an empty one", () => {
    expect(splitText(textOf("a", "a\n\nb"), 100)).toEqual([
      { path: "a", text: "a\n\nb", firstLine: 1, lastLine: 3 },
    ]);
    expect(splitText(textOf("a", ""), 100)).toEqual([]);
  });

  it("splits a text of eight million characters without a boundary in linear time", {
    timeout: 60_000,
  }, () => {
    const parts = splitText(textOf("a", "x".repeat(8_000_000)), 1000);

    expect(parts.length).toBeGreaterThan(2000);
    expect(parts.length).toBeLessThan(2500);
  });
});
