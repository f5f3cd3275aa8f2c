import { mkdir, truncate, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { linesOf } from "../../src/files/content.js";
import { AllowedFolders } from "../../src/files/index.js";
import { MOST_FILE_BYTES, MOST_FILES } from "../../src/lib/index.js";
import { cpuMsOf } from "../cpu-time.js";
import { temporaryFolder } from "../temporary-folder.js";

/** A folder with files, by their paths. */
async function folderWith(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const folder = await temporaryFolder("files-");
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

const TREE = {
  "a.md": "one\ntwo\nthree\n",
  "b.txt": "b",
  "docs/c.md": "c",
  "docs/deep/d.md": "d",
  "docs/deep/e.ts": "e",
  ".env": "KEY=1",
  ".github/f.md": "f",
  "node_modules/g/g.md": "g",
  "app/[id]/page.md": "page",
};

/** The paths of the files that a read gives. */
async function pathsOf(folder: string, ...patterns: string[]): Promise<string[]> {
  const files = await new AllowedFolders([folder]).read(patterns);
  return files.map(({ path }) => path);
}

describe("reading in an allowed folder", () => {
  it.each<[string, string, string, number]>([
    ["1-1", "\n\r\n\rx", "\n", 4],
    ["2-2", "\n\r\n\rx", "\r\n", 4],
    ["3-3", "\n\r\n\rx", "\r", 4],
    ["4", "\n\r\n\rx", "x", 4],
    ["2-", "a\nb\n\n", "b\n\n", 3],
  ])("counts lines with each kind of line break: %s of %j", async (range, text, wanted, total) => {
    const folder = await folderWith({ "a.txt": text });
    const [file] = await new AllowedFolders([folder]).read([`a.txt:${range}`]);
    expect(file).toMatchObject({ text: wanted, totalLines: total });
  });

  it("finds a line among millions in short time", async () => {
    const text = "\n".repeat(MOST_FILE_BYTES / 2);
    const find = () => linesOf(text, { first: 1, last: 1 });
    // A pattern took two seconds.
    expect(Math.min(await cpuMsOf(find), await cpuMsOf(find))).toBeLessThan(1000);
  });

  it("returns text and lines", async () => {
    const folder = await folderWith(TREE);
    expect(await new AllowedFolders([folder]).read(["a.md", "a.md:2-9"])).toEqual([
      {
        path: "a.md",
        text: "one\ntwo\nthree\n",
        firstLine: 1,
        lastLine: 3,
        totalLines: 3,
      },
      {
        path: "a.md",
        text: "two\nthree\n",
        firstLine: 2,
        lastLine: 3,
        totalLines: 3,
      },
    ]);
  });

  it.each([
    [["docs/c.md"], ["docs/c.md"]],
    [["./docs/../a.md"], ["a.md"]],
    [
      ["b.txt", "a.md", "b.txt"],
      ["b.txt", "a.md"],
    ],
    [["*.md"], ["a.md"]],
    [["**/*.md"], ["a.md", "app/[id]/page.md", "docs/c.md", "docs/deep/d.md"]],
    [["docs/**"], ["docs/c.md", "docs/deep/d.md", "docs/deep/e.ts"]],
    [["*/*.md"], ["docs/c.md"]],
    [["docs/deep/?.{md,ts}"], ["docs/deep/d.md", "docs/deep/e.ts"]],
    [["app/[id]/page.md"], ["app/[id]/page.md"]],
    [
      ["b.txt", "**/*.md", "a.md"],
      ["b.txt", "a.md", "app/[id]/page.md", "docs/c.md", "docs/deep/d.md"],
    ],
    [[".env"], [".env"]],
    [[".github/*.md"], [".github/f.md"]],
    [["node_modules/**/*.md"], ["node_modules/g/g.md"]],
  ])("reads %j as %j", async (patterns, paths) => {
    expect(await pathsOf(await folderWith(TREE), ...patterns)).toEqual(paths);
  });

  it.each([
    ["e\u0301", "\u00e9"],
    ["\u00e9", "e\u0301"],
  ])("matches names whatever form their accents have: %j", async (stored, typed) => {
    const folder = await folderWith({ [`caf${stored} 1.md`]: "one", [`${stored}/a.md`]: "a" });
    const paths = await pathsOf(folder, `caf${typed}*.md`, `{${typed},x}/*.md`, `caf? 1.md`);
    expect(paths.map((path) => path.normalize("NFC"))).toEqual(["caf\u00e9 1.md", "\u00e9/a.md"]);
  });

  it.each(["(", "\u0958"])("takes a glob as long as allowed, of %j", async (character) => {
    const folder = await folderWith(TREE);
    const glob = `{*.md,${character.repeat(900)}}`;
    expect(await pathsOf(folder, glob)).toEqual(["a.md"]);
  });

  it("accepts absolute paths and globs", async () => {
    const folder = await folderWith(TREE);
    expect(await pathsOf(folder, join(folder, "a.md"), `${folder}/docs/*.md`)).toEqual([
      "a.md",
      "docs/c.md",
    ]);
  });

  it("searches each of several folders, and puts their names into the paths", async () => {
    const [one, two] = [
      await folderWith({ "a.md": "1" }),
      await folderWith({ "b.md": "2", "a.md": "3" }),
    ];
    const folders = new AllowedFolders([one, two]);
    const [inOne, inTwo] = [basename(one), basename(two)];
    const pathsFor = async (pattern: string) =>
      (await folders.read([pattern])).map(({ path }) => path);
    expect(await pathsFor("b.md")).toEqual([`${inTwo}/b.md`]);
    expect(await pathsFor("a.md")).toEqual([`${inOne}/a.md`]);
    expect(await pathsFor("*.md")).toEqual([`${inOne}/a.md`, `${inTwo}/a.md`, `${inTwo}/b.md`]);
    expect(await folders.read([`${inTwo}/a.md`])).toMatchObject([{ text: "3" }]);
    expect(await pathsFor(`${inTwo}/*.md`)).toEqual([`${inTwo}/a.md`, `${inTwo}/b.md`]);
  });

  it("finds a file behind the name of a single folder, which errors show", async () => {
    const parent = await folderWith({ "docs/a.md": "1", "docs/docs/a.md": "2", "docs/b.md": "3" });
    const docs = join(parent, "docs");
    expect(await pathsOf(docs, "docs/b.md")).toEqual(["b.md"]);
    expect(await pathsOf(docs, "docs/a.md")).toEqual(["docs/a.md"]);
    expect(await pathsOf(docs, "docs/*.md")).toEqual(["docs/a.md"]);
    expect(await pathsOf(docs, "docs/b*")).toEqual(["b.md"]);
  });

  it("reads a file once that lies in two allowed folders", async () => {
    const outer = await folderWith({ "a.md": "1", "inner/b.md": "2" });
    const inner = join(outer, "inner");
    const folders = new AllowedFolders([outer, inner]);
    const files = await folders.read(["**/*.md", join(inner, "b.md")]);
    expect(files.map(({ text }) => text)).toEqual(["1", "2"]);
  });

  it("finds each file by the path that it returns, also in folders of the same name", async () => {
    const parent = await folderWith({
      "app/docs/x.md": "1",
      "app/docs/docs/x.md": "2",
      "site/docs/x.md": "3",
      "site/docs/app/docs/x.md": "4",
    });
    const folders = new AllowedFolders([join(parent, "app", "docs"), join(parent, "site", "docs")]);
    const shown = await folders.read(["**/*.md"]);
    const again = await Promise.all(shown.map(({ path }) => folders.read([path])));
    expect(shown.map(({ path }) => path)).toHaveLength(4);
    expect(again.flat().map(({ text }) => text)).toEqual(shown.map(({ text }) => text));
  });

  it.each([
    ["none.md", "There is no file"],
    ["docs", "is a folder"],
    ["docs/none/*.md", "matches"],
    ["a.md:4", "has only 3 lines."],
    ["b.txt:2", "has only 1 line."],
    ["a.md/x", "There is no file"],
    ["a*b*c*d*e", "too many stars"],
    ["**/**/**/**/**", "too many stars"],
  ])("refuses %j: %s", async (pattern, words) => {
    const reading = new AllowedFolders([await folderWith(TREE)]).read([pattern]);
    await expect(reading).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(words),
    });
  });

  it.each([
    ["a.pdf", "%PDF-1.7\n", "Convert it to text first"],
    ["a.docx", "PK\u0003\u0004", "Convert it to text first"],
    ["a.bin", "a\0b", "Convert it first"],
  ])("refuses %s, and omits it from the matches of a glob", async (name, content, action) => {
    const folder = await folderWith({ [name]: content, "z.md": "z" });
    const folders = new AllowedFolders([folder]);
    await expect(folders.read([name])).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      action: expect.stringContaining(action),
    });
    const skipped: string[] = [];
    const files = await folders.read(["*"], { onSkipped: (path) => void skipped.push(path) });
    expect(files.map(({ path }) => path)).toEqual(["z.md"]);
    expect(skipped).toEqual([name]);
    await expect(folders.read([`*${name.slice(1)}`])).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it("refuses a file of 10 GB by its size", async () => {
    const folder = await folderWith({ "a.log": "" });
    await truncate(join(folder, "a.log"), 10 * 1024 ** 3);
    await expect(new AllowedFolders([folder]).read(["a.log"])).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: '"a.log" has 10.0 GB; at most 8 MB are read.',
    });
  });

  it("limits the number of files, the bytes of one and of all", async () => {
    const many = Array.from({ length: MOST_FILES + 1 }, (_, at) => [`many/${at}.md`, "a"]);
    const large = Array.from({ length: 5 }, (_, at) => [`large/${at}.md`, "a".repeat(7_000_000)]);
    const small = { "one/a.md": "aa", "one/b.md": "bb" };
    const folder = await folderWith({ ...Object.fromEntries([...many, ...large]), ...small });
    await truncate(join(folder, "one/a.md"), MOST_FILE_BYTES + 1);
    const folders = new AllowedFolders([folder]);
    const refused = { code: "INVALID_ARGUMENT" };
    await expect(folders.read(["many/*.md"])).rejects.toMatchObject({
      ...refused,
      message: "These are more than 500 files.",
    });
    await expect(folders.read(["large/*.md"])).rejects.toMatchObject({
      ...refused,
      message: "The files have more than 32 MB together.",
    });
    expect(await folders.read(["one/*.md"])).toMatchObject([{ path: "one/b.md" }]);
    await expect(folders.read(Array.from({ length: 101 }, () => "a.md"))).rejects.toMatchObject(
      refused,
    );
    expect(MOST_FILE_BYTES).toBe(8 * 1024 * 1024);
  });

  it("stops when its signal is aborted", async () => {
    const folder = await folderWith(TREE);
    const reading = new AllowedFolders([folder]).read(["**/*.md"], { signal: AbortSignal.abort() });
    await expect(reading).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("fails with how to allow a folder where none is allowed", async () => {
    await expect(new AllowedFolders().read(["a.md"])).rejects.toMatchObject({
      code: "FILE_NOT_ALLOWED",
      action: expect.stringContaining('"env": {"FOUNDRY_FILES": "'),
    });
  });

  it("fails where an allowed folder does not exist", async () => {
    const folders = new AllowedFolders([join(await folderWith({}), "none")]);
    await expect(folders.read(["a.md"])).rejects.toMatchObject({
      code: "FILE_NOT_ALLOWED",
      message: "None of the folders in FOUNDRY_FILES exists.",
    });
  });
});
