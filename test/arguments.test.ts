import { describe, expect, it } from "vitest";
import { z } from "zod";
import { parseArguments } from "../src/arguments.js";

const schema = z.strictObject({
  count: z.number({ error: "a number" }).optional(),
  name: z.string({ error: "a text" }),
  deep: z.object({ list: z.array(z.string({ error: "a text" })) }).optional(),
});

describe("parseArguments", () => {
  it("gives what the schema makes of arguments that fit", () => {
    expect(parseArguments(schema, { name: "a", count: 1 })).toEqual({ name: "a", count: 1 });
  });

  it("names an argument that is missing, and what it may be", () => {
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
      expect.objectContaining({ message: "deep.list.1 is 7, which does not fit." }),
    );
  });

  it("names unknown arguments", () => {
    expect(() => parseArguments(schema, { name: "a", nmae: 1, x: 2 })).toThrowError(
      expect.objectContaining({
        message: 'There is no argument "nmae", "x".',
        action: 'Leave "nmae", "x" out. There are: count, name, deep.',
      }),
    );
  });

  it("tells all problems at once", () => {
    expect(() => parseArguments(schema, { count: "1", other: 1 })).toThrowError(
      expect.objectContaining({
        message: expect.toSatisfy((message: string) =>
          ['count is "1"', "name is missing", '"other"'].every((part) => message.includes(part)),
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
    ["an empty text", "  ", "an empty text"],
    ["not a number", Number.NaN, "NaN"],
    ["infinity", Number.NEGATIVE_INFINITY, "-Infinity"],
    ["a bigint", 7n, "7"],
    ["a function", () => 7, "a function"],
    ["something circular", circular, "a object"],
    ["a long text", "x".repeat(5_000_000), `"${"x".repeat(59)}…`],
    ["half a character", ["\ud83d"], '["\\ud83d"]'],
    ["a text cut inside a character", [`${"x".repeat(57)}😀`], `["${"x".repeat(57)}\ufffd…`],
  ])("shows %s so that it can be read", (_what, value, shown) => {
    const strict = z.object({ field: z.boolean({ error: "true or false" }) });
    expect(() => parseArguments(strict, { field: value })).toThrowError(
      expect.objectContaining({ message: `field is ${shown}, which does not fit.` }),
    );
  });
});
