import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { promptOf } from "../../src/commands/ask/input.js";
import { temporaryFolder } from "../temporary-folder.js";

const terminal = Object.assign(new PassThrough(), { isTTY: true });
const piped = (text: string): Readable => Readable.from([Buffer.from(text)]);
const { signal } = new AbortController();

describe("the prompt of ask", () => {
  it.each([
    [["Why?"], "", "Why?"],
    [["Why", "so?"], "", "Why so?"],
    [["Summarize:"], "a text\n", "Summarize:\n\na text"],
    [[], "a text\n", "a text"],
    [["-"], "a text\n", "a text"],
    [["Summarize:", "-"], "a text\n", "Summarize:\n\na text"],
    [["Summarize:"], "\ufeffa text", "Summarize:\n\na text"],
  ])("is made of the words %j and of stdin %j", async (words, text, prompt) => {
    expect(await promptOf({ words, files: [], input: piped(text), signal })).toBe(prompt);
  });

  it("has each file with its name after the question", async () => {
    const folder = await temporaryFolder("ask ü ");
    const file = join(folder, "notes ä.txt");
    await writeFile(file, "one\ntwo\n");

    const prompt = await promptOf({ words: ["Why?"], files: [file], input: terminal, signal });

    expect(prompt).toBe("Why?\n\n--- notes ä.txt ---\none\ntwo\n--- end of notes ä.txt ---");
  });

  it.each([
    ["absent.txt", null, "does not exist"],
    [
      ".",
      null,
      process.platform === "win32" ? "cannot be read|is a folder|may not" : "is a folder",
    ],
    ["image.png", Buffer.from([0x89, 0, 1]), "is not text"],
    ["large.txt", Buffer.alloc(4 * 1024 * 1024 + 1, "a"), "is larger than 4 MB"],
  ])("refuses the file %s in words", async (name, content, words) => {
    const folder = await temporaryFolder("ask-");
    const file = join(folder, name);
    if (content !== null) await writeFile(file, content);

    const prompt = promptOf({ words: ["Why?"], files: [file], input: terminal, signal });

    await expect(prompt).rejects.toThrow(new RegExp(words));
  });

  it("is missing where nothing is given", async () => {
    const none = { words: [], files: [], signal };
    await expect(promptOf({ ...none, input: terminal })).rejects.toThrow("nothing to ask");
    await expect(promptOf({ ...none, input: piped(" \n") })).rejects.toThrow("nothing to ask");
  });

  it("ends with the signal while it waits for stdin", async () => {
    const ending = new AbortController();
    const prompt = promptOf({
      words: ["-"],
      files: [],
      input: new PassThrough(),
      signal: ending.signal,
    });
    ending.abort();
    await expect(prompt).rejects.toMatchObject({ code: "CANCELLED" });
  });
});
