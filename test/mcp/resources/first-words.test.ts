import { expect, it } from "vitest";
import { firstWords } from "../../../src/mcp/resources/index.js";

const JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。";

it.each([
  ["of words, at the last space", "one two three four five", "one two three…"],
  ["without spaces", JAPANESE, `${JAPANESE.slice(0, 18)}…`],
])("cuts a text %s", (_what, text, expected) => {
  expect(firstWords(text, 18)).toBe(expected);
});

it.each([
  ["Japanese after a number", `1. ${JAPANESE.repeat(3)}`],
  ["JSON", `{ "values":[${"12345,".repeat(20)}0] }`],
  ["a long address", `See https://example.com/${"path/".repeat(20)}`],
])("keeps as much as fits of %s", (_what, text) => {
  expect(firstWords(text, 50)).toBe(`${text.slice(0, 50)}…`);
});

it("never ends with half a character", () => {
  expect(firstWords(`a ${"🌊".repeat(40)}`, 50)).toBe(`a ${"🌊".repeat(24)}…`);
  expect(firstWords(`ab ${"🌊".repeat(40)}`, 50)).toBe(`ab ${"🌊".repeat(23)}…`);
});

it("does not change a text that fits", () => {
  expect(firstWords("one\n two 漢字", 50)).toBe("one two 漢字");
});
