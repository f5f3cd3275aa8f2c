import { chmod, mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { FileCache, type FileCacheOptions } from "../../src/platform/file-cache.js";
import { temporaryFolder } from "../temporary-folder.js";

/** A cache in a folder of its own, and the paths of its files. */
async function cacheIn(options: Partial<FileCacheOptions> = {}) {
  const folder = options.folder ?? join(await temporaryFolder("file-cache-"), "answers");
  const cache = new FileCache({ entries: 10, mostBytes: 100_000, ...options, folder });
  const paths = async (): Promise<string[]> =>
    (await readdir(folder)).map((name) => join(folder, name));
  return { cache, folder, paths };
}

test("a text is found by another process that shares the folder", async () => {
  const { cache, folder } = await cacheIn();
  await cache.set("key", "text\nof lines");
  const { cache: other } = await cacheIn({ folder });
  expect(await other.get("key")).toBe("text\nof lines");
  expect(await other.get("other key")).toBeNull();
  await other.set("key", "new");
  expect(await cache.get("key")).toBe("new");
});

test.skipIf(process.platform === "win32")("files are 0600 in a folder that is 0700", async () => {
  const { cache, folder, paths } = await cacheIn();
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o755);
  await cache.set("key", "text");
  const [path = ""] = await paths();
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

describe("a damaged file is a miss", () => {
  it.each<[string, (whole: string) => string]>([
    ["empty", () => ""],
    ["cut", (whole) => whole.slice(0, -1)],
    ["cut in its head", (whole) => whole.slice(0, 20)],
    ["changed in one character", (whole) => whole.replace("text", "Text")],
    ["longer", (whole) => `${whole}.`],
    ["without its checksum", (whole) => whole.slice(65)],
    ["zeros", (whole) => "\0".repeat(whole.length)],
  ])("%s, and is written again", async (_how, damage) => {
    const { cache, paths } = await cacheIn();
    await cache.set("key", "text");
    const [path = ""] = await paths();
    await writeFile(path, damage(await readFile(path, "utf8")));
    expect(await cache.get("key")).toBeNull();
    await cache.set("key", "text");
    expect(await cache.get("key")).toBe("text");
  });

  it("of another key, too", async () => {
    const { cache, paths } = await cacheIn();
    await cache.set("one", "first");
    const [one = ""] = await paths();
    await cache.set("other", "second");
    const other = (await paths()).find((path) => path !== one) ?? "";
    await writeFile(other, await readFile(one));
    expect(await cache.get("other")).toBeNull();
    expect(await cache.get("one")).toBe("first");
  });
});

test("the limits apply to all processes together, and the least recently used text is evicted first", async () => {
  // Uses in the same millisecond have no order between processes.
  let seconds = 0;
  const now = () => {
    seconds += 1;
    return seconds * 1000;
  };
  const { cache, folder } = await cacheIn({ entries: 3, now });
  const { cache: other } = await cacheIn({ folder, entries: 3, now });
  for (const key of ["a", "b", "c"]) await cache.set(key, key);
  expect(await cache.get("a")).toBe("a");
  // The use is noted behind the answer.
  await cache.size();
  await other.set("d", "d");
  expect(await cache.size()).toMatchObject({ entries: 3 });
  expect(await other.get("b")).toBeNull();
  expect(await other.get("a")).toBe("a");
});

test("only files of the cache are removed, and temporary files of ended processes", async () => {
  const { cache, folder } = await cacheIn({ entries: 1 });
  await cache.set("a", "a");
  const left = join(folder, `${crypto.randomUUID()}.tmp`);
  await writeFile(left, "half");
  await utimes(left, 1000, 1000);
  await writeFile(join(folder, "notes.txt"), "of the user");
  await cache.set("b", "b");
  const names = await readdir(folder);
  expect(names).toHaveLength(2);
  expect(names).toContain("notes.txt");
});

test("an unwritable folder stores nothing, and is reported once until it is writable", async () => {
  const faults: string[] = [];
  const parent = await temporaryFolder("file-cache-");
  const folder = join(parent, "answers");
  // A file is in the place of the folder.
  await writeFile(folder, "");
  const { cache } = await cacheIn({ folder, onFault: (code) => faults.push(code) });
  await cache.set("a", "a");
  await cache.set("b", "b");
  expect(await cache.get("a")).toBeNull();
  expect(await cache.size()).toEqual({ entries: 0, bytes: 0 });
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatch(/^E[A-Z]+$/);
});
