import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { requestOf, schemaIn } from "../../src/commands/ask/input.js";
import { PNG } from "../foundry/images.js";
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
  ])("joins the words %j and stdin %j", async (words, text, prompt) => {
    expect(await requestOf({ words, files: [], input: piped(text), signal })).toEqual({
      prompt,
    });
  });

  it("has each file with its name behind the question", async () => {
    const folder = await temporaryFolder("ask ü ");
    const file = join(folder, "notes ä.txt");
    await writeFile(file, "one\ntwo\n");

    const { prompt } = await requestOf({
      words: ["Why?"],
      files: [file],
      input: terminal,
      signal,
    });

    expect(prompt).toBe("Why?\n\n--- notes ä.txt ---\none\ntwo\n--- end of notes ä.txt ---");
  });

  it("has an image as an image part in front of the question", async () => {
    const folder = await temporaryFolder("ask-");
    const image = join(folder, "dot.png");
    const notes = join(folder, "notes.txt");
    await writeFile(image, Buffer.from(PNG, "base64"));
    await writeFile(notes, "one");

    const files = [notes, image];
    const { prompt, messages } = await requestOf({
      words: ["Which?"],
      files,
      input: terminal,
      signal,
    });

    expect(prompt).toBeUndefined();
    expect(messages).toEqual([
      {
        role: "user",
        content: [
          { type: "image", data: PNG },
          "Which?\n\n--- notes.txt ---\none\n--- end of notes.txt ---",
        ],
      },
    ]);
  });

  it.each([
    ["absent.txt", null, "does not exist"],
    [
      ".",
      null,
      process.platform === "win32" ? "cannot be read|is a folder|may not" : "is a folder",
    ],
    ["image.png", Buffer.from([0x89, 0, 1]), "is neither text nor an image"],
    ["large.txt", Buffer.alloc(4 * 1024 * 1024 + 1, "a"), "is larger than 4 MB"],
    ["photo.jpg", Buffer.alloc(10 * 1024 * 1024 + 1, "a"), "is larger than 10 MB"],
  ])("refuses the file %s with a message", async (name, content, words) => {
    const folder = await temporaryFolder("ask-");
    const file = join(folder, name);
    if (content !== null) await writeFile(file, content);

    const prompt = requestOf({ words: ["Why?"], files: [file], input: terminal, signal });

    await expect(prompt).rejects.toThrow(new RegExp(words));
  });

  it("says of a schema that it is none, or nested too deeply", async () => {
    const file = join(await temporaryFolder("ask-"), "schema.json");
    const nested = (levels: number): string => `${'{"not":'.repeat(levels)}{}${"}".repeat(levels)}`;
    await writeFile(file, nested(99));
    expect(await schemaIn(file, signal)).toHaveProperty("not.not");
    for (const text of [nested(100), "[]"]) {
      await writeFile(file, text);
      await expect(schemaIn(file, signal)).rejects.toThrow("or is nested too deeply");
    }
  });

  it("is missing without words, files and stdin", async () => {
    const none = { words: [], files: [], signal };
    await expect(requestOf({ ...none, input: terminal })).rejects.toThrow("nothing to ask");
    await expect(requestOf({ ...none, input: piped(" \n") })).rejects.toThrow("nothing to ask");
  });

  it("stops waiting for stdin when the signal is aborted", async () => {
    const ending = new AbortController();
    const prompt = requestOf({
      words: ["-"],
      files: [],
      input: new PassThrough(),
      signal: ending.signal,
    });
    ending.abort();
    await expect(prompt).rejects.toMatchObject({ code: "CANCELLED" });
  });
});
