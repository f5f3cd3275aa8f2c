import { renameSync, symlinkSync } from "node:fs";
import { mkdir, readdir, readFile, realpath, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AllowedFolders } from "../../src/files/index.js";
import { temporaryFolder } from "../temporary-folder.js";
import { watchedPaths } from "./watch.js";

const isPosix = process.platform !== "win32";

async function place() {
  const folder = await realpath(await temporaryFolder("write-"));
  const [allowed, outside] = [join(folder, "allowed"), join(folder, "outside")];
  await mkdir(join(allowed, "sub"), { recursive: true });
  await mkdir(outside);
  await writeFile(join(allowed, "a.md"), "old");
  const folders = new AllowedFolders([allowed]);
  const write = async (path: string, text = "new"): Promise<string> =>
    (await folders.write(await folders.newFile(path), text)).path;
  return { allowed, outside, folders, write };
}

const NOT_ALLOWED = { code: "FILE_NOT_ALLOWED" };
const WRONG = { code: "INVALID_ARGUMENT" };

describe("a new file", () => {
  it.each(["b.md", "sub/b.md", "./sub/../b.md", "Grüße €.md", "[b].md"])(
    "is written where its folder exists: %s",
    async (path) => {
      const { allowed, write } = await place();
      const written = await write(path, "Grüße\n");
      expect(await readFile(join(allowed, written), "utf8")).toBe("Grüße\n");
    },
  );

  it("is written behind the name of a single folder, which errors show", async () => {
    const { write } = await place();
    expect(await write("allowed/sub/b.md")).toBe("sub/b.md");
    await expect(write("allowed/none/b.md")).rejects.toMatchObject(WRONG);
    await expect(write("allowed/../../outside/b.md")).rejects.toMatchObject(NOT_ALLOWED);
  });

  it("is not written into another folder where its name exists in the first", async () => {
    const { allowed, outside } = await place();
    const folders = new AllowedFolders([allowed, outside]);
    await expect(folders.newFile("a.md")).rejects.toMatchObject(WRONG);
    expect((await folders.newFile("sub/a.md")).folder.root.folder).toBe(allowed);
  });

  it("is written into the folder that its path names, also where the name has a dot", async () => {
    const { outside } = await place();
    const [one, two] = [join(outside, ".a", "docs"), join(outside, "b", "docs")];
    await mkdir(one, { recursive: true });
    await mkdir(two, { recursive: true });
    const folders = new AllowedFolders([one, two]);
    const { path } = await folders.write(await folders.newFile(".a/docs/x.md"), "x");
    expect([path, await readdir(one)]).toEqual([".a/docs/x.md", ["x.md"]]);
  });

  it("is written by an absolute path", async () => {
    const { allowed, write } = await place();
    expect(await write(join(allowed, "sub", "b.md"))).toBe("sub/b.md");
  });

  it.each([
    ["a.md", WRONG],
    ["sub", WRONG],
    ["none/b.md", WRONG],
    ["a.md/b.md", WRONG],
    ["", NOT_ALLOWED],
    ["sub/..", NOT_ALLOWED],
    ["../outside/b.md", NOT_ALLOWED],
    ["/etc/b.md", NOT_ALLOWED],
    [".env", NOT_ALLOWED],
    [".git/hooks/post-commit", NOT_ALLOWED],
    ["a\0b", NOT_ALLOWED],
    ["x".repeat(1001), WRONG],
    ["x".repeat(600), WRONG],
  ])("is refused as %j", async (path, error) => {
    const { allowed, write } = await place();
    await expect(write(path)).rejects.toMatchObject(error);
    expect((await readdir(allowed)).toSorted()).toEqual(["a.md", "sub"]);
    expect(await readFile(join(allowed, "a.md"), "utf8")).toBe("old");
  });

  it.skipIf(!isPosix)("is refused for a name that is too long, not for its folder", async () => {
    const { write } = await place();
    await expect(write("x".repeat(600))).rejects.toMatchObject({
      ...WRONG,
      message: expect.stringContaining("could not be written"),
    });
  });

  it("replaces no file that was created after the check", async () => {
    const { allowed, folders } = await place();
    const [first, second] = [await folders.newFile("b.md"), await folders.newFile("b.md")];
    const outcomes = await Promise.allSettled([
      folders.write(first, "first"),
      folders.write(second, "second"),
    ]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect((await readdir(allowed)).toSorted()).toEqual(["a.md", "b.md", "sub"]);
    await expect(folders.write(first, "third")).rejects.toMatchObject(WRONG);
    expect(await readFile(join(allowed, "b.md"), "utf8")).toMatch(/^(?:first|second)$/);
  });

  it.skipIf(!isPosix).each([
    ["a folder outside", "../outside", "link/b.md", NOT_ALLOWED],
    ["a file outside", "../outside/b.md", "link", WRONG],
    ["/proc", "/proc/self", "link/b.md", NOT_ALLOWED],
  ])("is refused through a link to %s", async (_, target, path, error) => {
    const { allowed, outside, write } = await place();
    await symlink(target, join(allowed, "link"));
    const asked = watchedPaths();
    await expect(write(path)).rejects.toMatchObject(error);
    expect(asked.filter((each) => !each.startsWith(allowed))).toEqual([]);
    expect(await readdir(outside)).toEqual([]);
  });

  it.skipIf(!isPosix).each(["open", "lstat"])(
    "is not written where its folder is replaced by a link to outside before the %s",
    async (call) => {
      const { allowed, outside, folders } = await place();
      const file = await folders.newFile("sub/b.md");
      let swaps = 0;
      watchedPaths((asked, at) => {
        if (asked !== call || !at.includes("sub") || swaps > 0) return;
        swaps += 1;
        renameSync(join(allowed, "sub"), join(allowed, "old"));
        symlinkSync(outside, join(allowed, "sub"));
      });
      await expect(folders.write(file, "new")).rejects.toMatchObject(NOT_ALLOWED);
      expect(swaps).toBe(1);
      const left = await readdir(outside);
      const texts = await Promise.all(left.map((name) => readFile(join(outside, name), "utf8")));
      expect(texts.filter((text) => text !== "")).toEqual([]);
    },
  );
});
