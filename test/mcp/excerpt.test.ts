import { expect, it } from "vitest";
import { truncate } from "../../src/lib/index.js";
import { excerptOf } from "../../src/mcp/tools/shared/completion-result.js";

const GLOBE = "🌍";

it("returns a part of a text, and whether there is more", () => {
  const options = { longest: 4, isGrowing: false };
  expect(excerptOf("abcdefgh", { ...options, from: 2 })).toEqual({
    text: "cdef",
    from: 2,
    total: 8,
    isCut: true,
  });
  expect(excerptOf("abcdefgh", { ...options, from: 4 })).toMatchObject({
    text: "efgh",
    isCut: false,
  });
  expect(excerptOf("abcdefgh", { ...options, from: 8 })).toMatchObject({ text: "", isCut: false });
});

it("splits no character, wherever it begins and ends, and loses none", () => {
  const whole = `a${GLOBE}${GLOBE}b${GLOBE}`;
  for (const longest of [2, 3, 4]) {
    let joined = "";
    for (let from = 0; from < whole.length; ) {
      const { text } = excerptOf(whole, { from, longest, isGrowing: false });
      expect(text.isWellFormed()).toBe(true);
      joined += text;
      from += text.length;
    }
    expect(joined).toBe(whole);
  }
  expect(excerptOf(whole, { from: 2, longest: 9, isGrowing: false })).toMatchObject({
    from: 1,
    text: whole.slice(1),
  });
  expect(truncate(whole, 2)).toBe("a");
});

it("leaves half a character at the end of a growing text for the next excerpt", () => {
  const half = `ab${GLOBE.charAt(0)}`;
  expect(excerptOf(half, { from: 0, longest: 9, isGrowing: true })).toMatchObject({
    text: "ab",
    isCut: false,
  });
  expect(excerptOf(`ab${GLOBE}`, { from: 2, longest: 9, isGrowing: true }).text).toBe(GLOBE);
});
