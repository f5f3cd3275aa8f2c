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

it("takes several folders after --files, as the server does, where it takes no words", () => {
  const args = ["--files", "/a", "/b", "-j", "--model", "m"];

  const { own, flags } = readArguments("doctor", args, schema, { short: { json: "j" } });

  expect(own.json).toBe(true);
  expect(flags).toEqual(expect.arrayContaining([`--files=/a${delimiter}/b`, "--model=m"]));
  expect(readArguments("doctor", ["--files"], schema).flags).toEqual(["--files="]);
  expect(readArguments("doctor", ["--files", "/a", "--"], schema).flags).toEqual(["--files=/a"]);
});

it("takes the words after a folder of --files as its own where it takes words", () => {
  const args = ["--files", "/a", "word"];

  const { words, flags } = readArguments("bench", args, schema, { takesWords: true });

  expect({ words, flags }).toEqual({ words: ["word"], flags: ["--files=/a"] });
});

it.each([
  [["--help", "--rounds", "x"]],
  [["--jsn", "-h"]],
  [["word", "--help"]],
  [["--html", "--help"]],
  [["-jh"]],
])("asks for help with %j, whatever else is wrong", (args) => {
  const { asksForHelp } = readArguments("bench", args, schema, { short: { json: "j" } });
  expect(asksForHelp).toBe(true);
});

it("takes --help behind -- as a word", () => {
  const { words, asksForHelp } = readArguments("ask", ["--", "--help"], schema, {
    takesWords: true,
  });
  expect({ words, asksForHelp }).toEqual({ words: ["--help"], asksForHelp: false });
});

it("says what to write in place of a word", () => {
  const accepted = { inPlaceOfWords: "Name a host with --host." };
  expect(() => readArguments("setup", ["cursor"], schema, accepted)).toThrow(
    expect.objectContaining({
      message: "setup takes no argument.",
      action: expect.stringMatching(/^Name a host with --host\. See `/),
    }),
  );
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
