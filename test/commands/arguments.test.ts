import { delimiter } from "node:path";
import { expect, it } from "vitest";
import * as z from "zod";
import { readArguments } from "../../src/commands/arguments.js";
import { wholeNumber } from "../../src/setting-schemas.js";

const schema = z.object({
  json: z.boolean().default(false),
  file: z.array(z.string()).default([]),
  rounds: wholeNumber({ min: 1, max: 20 }).default(3),
  html: z.string().optional(),
});

it("reads the flags of a command by their schema, and leaves those of the settings", () => {
  const args = ["-j", "--file", "a", "--file=b", "--rounds", "7", "word", "--model", "m"];

  expect(readArguments("bench", args, schema, { short: { json: "j" }, takesWords: true })).toEqual({
    own: { json: true, file: ["a", "b"], rounds: 7 },
    words: ["word"],
    flags: ["--model=m"],
    asksForHelp: false,
  });
  expect(readArguments("bench", ["-h"], schema)).toMatchObject({
    own: { json: false, file: [], rounds: 3 },
    asksForHelp: true,
  });
});

it("joins the folders of several --files, as the server does", () => {
  const args = ["--files", "/a", "--files=/b", "--yes"];

  const { flags } = readArguments("setup", args, z.object({ yes: z.boolean().default(false) }));

  expect(flags).toEqual([`--files=/a${delimiter}/b`]);
});

it.each([
  [["--jsn"], "--jsn", "Did you mean --json?"],
  [["--json=1"], "--json", "See `"],
  [["--html"], "--html", "See `"],
  [["--rounds", "x"], '--rounds: "x".', "Allowed: a whole number from 1 to 20."],
  [["word"], "bench takes no argument.", "See `"],
])("refuses %j in words", (args, flag, action) => {
  expect(() => readArguments("bench", args, schema)).toThrow(
    expect.objectContaining({
      code: "INVALID_SETTING",
      message: expect.stringContaining(flag),
      action: expect.stringContaining(action),
    }),
  );
});
