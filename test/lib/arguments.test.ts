import { describe, expect, it } from "vitest";
import { z } from "zod";
import { parseArguments } from "../../src/lib/arguments.js";
import { FoundryError } from "../../src/lib/errors.js";
import { LONGEST_ERROR } from "../../src/lib/limits.js";

const schema = z.strictObject({
  count: z.number({ error: "a number" }).optional(),
  name: z.string({ error: "a text" }),
  deep: z.object({ list: z.array(z.string({ error: "a text" })) }).optional(),
});

describe("parseArguments", () => {
  it("returns valid arguments as the schema parses them", () => {
    expect(parseArguments(schema, { name: "a", count: 1 })).toEqual({ name: "a", count: 1 });
  });

  it("names a missing argument, and what it may be", () => {
    expect(() => parseArguments(schema, {})).toThrowError(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: "name is missing.",
        action: "Give name: a text.",
        retryable: false,
      }),
    );
  });

  it("names an argument deep inside by its path", () => {
    const given = { name: "a", deep: { list: ["x", 7] } };
    expect(() => parseArguments(schema, given)).toThrowError(
      expect.objectContaining({ message: "Invalid value for deep.list.1: 7." }),
    );
  });

  it("reports one mistake per value", () => {
    const list = z.object({ list: z.array(z.string(), "a list").min(1, "at least one") });
    expect(() => parseArguments(list, { list: "" })).toThrowError(
      expect.objectContaining({
        message: "Invalid value for list: an empty string.",
        action: "Give list as allowed: a list.",
      }),
    );
  });

  it("names unknown arguments", () => {
    expect(() => parseArguments(schema, { name: "a", nmae: 1, x: 2 })).toThrowError(
      expect.objectContaining({
        message: 'There is no argument "nmae", "x".',
        action: 'Leave "nmae", "x" out. Did you mean name? There are: count, name, deep.',
      }),
    );
  });

  it("reports all problems at once", () => {
    expect(() => parseArguments(schema, { count: "1", other: 1 })).toThrowError(
      expect.objectContaining({
        message: expect.toSatisfy((message: string) =>
          ['Invalid value for count: "1"', "name is missing", '"other"'].every((part) =>
            message.includes(part),
          ),
        ),
      }),
    );
  });

  it.each([
    ["text", "{}"],
    ["null", null],
    ["a list", []],
    ["nothing", undefined],
  ])("refuses %s in place of the arguments", (_what, given) => {
    expect(() => parseArguments(schema, given)).toThrowError(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });

  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  it.each([
    ["an empty text", "", "an empty string"],
    ["a text of blanks", " \n", '" \\n"'],
    ["not a number", Number.NaN, "NaN"],
    ["infinity", Number.NEGATIVE_INFINITY, "-Infinity"],
    ["a bigint", 7n, "7"],
    ["a function", () => 7, "a function"],
    ["something circular", circular, "a object"],
    ["a long text", "x".repeat(5_000_000), `"${"x".repeat(59)}…`],
    ["half a character", ["\ud83d"], '["\\ud83d"]'],
    ["a text cut inside a character", [`${"x".repeat(57)}😀`], `["${"x".repeat(57)}\ufffd…`],
  ])("shows %s in a readable form", (_what, value, shown) => {
    const strict = z.object({ field: z.boolean({ error: "true or false" }) });
    expect(() => parseArguments(strict, { field: value })).toThrowError(
      expect.objectContaining({ message: `Invalid value for field: ${shown}.` }),
    );
  });
});

describe("the message of a refusal", () => {
  const flag = z.boolean({ error: "true or false" });
  const strict = z.strictObject({ field: flag.optional(), list: z.array(flag).optional() });
  const long = "x".repeat(1_000_000);
  const names = (count: number, name: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`${n}${name}`, 1]));
  const lists = (depth: number): unknown[] => (depth === 0 ? [] : [lists(depth - 1)]);

  it.each<[string, unknown]>([
    ["a long name", { [long]: 1 }],
    ["many names", names(50_000, "name")],
    ["many long names", names(50, "x".repeat(10_000))],
    ["a long text", { field: long }],
    ["a list of many", { field: Array.from({ length: 9000 }, () => 1) }],
    ["a list of many long texts", { field: Array.from({ length: 9000 }, () => long) }],
    ["many mistakes", { list: Array.from({ length: 9000 }, () => "no") }],
    ["many mistakes over long texts", { list: Array.from({ length: 9000 }, () => long) }],
    ["an object of many", { field: names(50_000, "name") }],
    ["deep lists", { field: lists(3000) }],
    ["a longer list than any may be", { list: Array.from({ length: 1_000_000 }, () => "no") }],
    ["a list under a long name", { [long]: Array.from({ length: 20_000 }, () => 1) }],
  ])("stay short in sum over %s", (_, given) => {
    const refusal = refusalOf(() => parseArguments(strict, given));
    expect(refusal.code).toBe("INVALID_ARGUMENT");
    expect(refusal.message.length + refusal.action.length).toBeLessThanOrEqual(LONGEST_ERROR);
  });

  it("name the first mistakes and count the others", () => {
    const { message } = refusalOf(() =>
      parseArguments(strict, { list: Array.from({ length: 100 }, () => 5) }),
    );
    expect(message).toContain("Invalid value for list.9: 5");
    expect(message).toContain("And 90 more mistakes.");
  });

  it("show a name without characters that control a terminal", () => {
    const { message } = refusalOf(() => parseArguments(strict, { "a\u001b[2J\nb": 1 }));
    expect(message).toBe('There is no argument "a [2J b".');
  });

  function refusalOf(work: () => unknown): FoundryError {
    try {
      work();
    } catch (thrown) {
      if (thrown instanceof FoundryError) return thrown;
      throw thrown;
    }
    throw new Error("it was not refused");
  }
});
