import { describe, expect, it } from "vitest";
import { overlap } from "../../src/lib/index.js";

describe("overlap", () => {
  it.each([
    ["abc", "cde", 1],
    ["ab", "abc", 2],
    ["aaa", "aab", 2],
    ["abc", "abc", 0],
    ["abc", "x", 0],
    ["", "abc", 0],
  ])("of %j with %j is %i", (text, word, length) => {
    expect(overlap(text, word)).toBe(length);
  });
});
