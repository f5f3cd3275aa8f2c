import { describe, expect, it } from "vitest";
import { isTooDeep, jsonFrom } from "../../src/lib/json.js";
import { DEEPEST_JSON } from "../../src/lib/limits.js";

const lists = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
const objects = (depth: number): string => '{"a":'.repeat(depth) + 1 + "}".repeat(depth);

describe("the nesting of a JSON text", () => {
  it.each<[string, string, number, boolean]>([
    ["no list at all", "5", 0, false],
    ["a list where none may be", "[]", 0, true],
    ["lists as deep as they may be", lists(5), 5, false],
    ["lists one deeper", lists(6), 5, true],
    ["objects as deep as they may be", objects(5), 5, false],
    ["objects one deeper", objects(6), 5, true],
    ["lists and objects in turns", `[{"a":[{"a":[{}]}]}]`, 5, true],
    ["many lists beside each other", `[${"[],".repeat(1000)}[]]`, 2, false],
    ["brackets in a string", `["${"[".repeat(50)}"]`, 1, false],
    ["brackets in a name", `{"${"{".repeat(50)}":1}`, 1, false],
    ["brackets behind an escaped quote", `["\\"[[[["]`, 1, false],
    ["brackets behind a string that ends with a backslash", `["\\\\",[[[]]]]`, 3, true],
    ["a string that does not end", `["${"[".repeat(50)}`, 1, false],
    ["brackets that are never closed", "[".repeat(50), 5, true],
    ["more brackets closed than opened", `]]]]${lists(3)}`, 5, false],
  ])("of %s", (_, text, most, expected) => {
    expect(isTooDeep(text, most)).toBe(expected);
  });

  it("is measured in one pass, whatever the text is made of", () => {
    for (const text of ['"\\', '\\"', '"', "\\", "[", "]", "1,", '{"a":']) {
      expect(isTooDeep(text.repeat(4_000_000), 1e9)).toBe(false);
    }
  });

  it("decides whether the text is parsed", () => {
    expect(jsonFrom(lists(DEEPEST_JSON))).toBeDefined();
    expect(jsonFrom(lists(DEEPEST_JSON + 1))).toBeUndefined();
    expect(jsonFrom(`"${lists(1000)}"`)).toBe(lists(1000));
  });
});
