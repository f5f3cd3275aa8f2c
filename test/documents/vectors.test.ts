import { readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { VectorFolder, Vectors } from "../../src/documents/index.js";
import { temporaryFolder } from "../temporary-folder.js";

const ONE = [0.25, -1, 3];
const OTHER = [4, 5, 6];
const numbers = (found: readonly (Float32Array | undefined)[]) =>
  found.map((vector) => vector && [...vector]);

async function folder(mostBytes?: number) {
  const directory = join(await temporaryFolder("vectors-"), "of", "mine");
  return {
    directory,
    make: () => new Vectors({ folder: new VectorFolder(directory, undefined, mostBytes) }),
  };
}

describe("vectors", () => {
  it("are found by the text and the model", async () => {
    const vectors = new Vectors();
    await vectors.set("m:1", ["a", "b"], [ONE, OTHER]);

    expect(numbers(await vectors.get("m:1", ["b", "c", "a"]))).toEqual([OTHER, undefined, ONE]);
    expect(numbers(await vectors.get("m:2", ["a"]))).toEqual([undefined]);
  });

  it("are evicted when they are too many, the least recently used first", async () => {
    const vectors = new Vectors({ mostBytes: 800 });
    await vectors.set("m", ["a", "b", "c"], [ONE, OTHER, ONE]);
    await vectors.get("m", ["b"]);
    await vectors.set("m", ["d"], [OTHER]);

    expect(numbers(await vectors.get("m", ["a", "b", "c", "d"]))).toEqual([
      undefined,
      OTHER,
      undefined,
      OTHER,
    ]);
  });

  it("are found by a later process in the folder, which holds no text", async () => {
    const { directory, make } = await folder();
    await make().set("m", ["a secret text"], [ONE]);
    await make().set("m", ["another text"], [OTHER]);

    expect(numbers(await make().get("m", ["another text", "a secret text"]))).toEqual([OTHER, ONE]);
    const [name = "", ...others] = await readdir(directory);
    expect(others).toEqual([]);
    expect(String(await readFile(join(directory, name)))).not.toContain("text");
  });

  it.runIf(process.platform !== "win32")("are in files that only this user can read", async () => {
    const { directory, make } = await folder();
    await make().set("m", ["a"], [ONE]);

    const [name = ""] = await readdir(directory);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
  });

  it.each([
    ["is cut off", (file: string) => truncate(file, 70), [ONE, undefined]],
    ["is of another program", (file: string) => writeFile(file, "x".repeat(200)), []],
    ["is empty", (file: string) => writeFile(file, ""), []],
  ] as const)("are computed again where the file %s", async (_what, damage, left) => {
    const { directory, make } = await folder();
    await make().set("m", ["a", "b"], [ONE, OTHER]);
    const [name = ""] = await readdir(directory);
    await damage(join(directory, name));

    const later = make();
    expect(numbers(await later.get("m", ["a", "b"])).slice(0, left.length)).toEqual(left);
    await later.set("m", ["b"], [OTHER]);
    expect(numbers(await make().get("m", ["b"]))).toEqual([OTHER]);
  });

  it("are all kept where several questions compute them at once", async () => {
    const { make } = await folder();
    const vectors = make();
    const texts = Array.from({ length: 20 }, (_none, index) => `text ${index}`);
    await Promise.all(texts.map((text) => vectors.set("m", [text], [ONE])));

    expect(numbers(await make().get("m", texts))).toEqual(texts.map(() => ONE));
  });

  it("start a new file when it is full", async () => {
    const { directory, make } = await folder(200);
    for (const text of ["a", "b", "c", "d", "e"]) await make().set("m", [text], [ONE]);

    const [name = ""] = await readdir(directory);
    expect((await stat(join(directory, name))).size).toBeLessThanOrEqual(200);
    expect(numbers(await make().get("m", ["e"]))).toEqual([ONE]);
  });

  it("stay in memory where the folder is not writable", async () => {
    const directory = await temporaryFolder("vectors-");
    await writeFile(join(directory, "file"), "");
    const vectors = new Vectors({ folder: new VectorFolder(join(directory, "file", "in")) });
    await vectors.set("m", ["a"], [ONE]);

    expect(numbers(await vectors.get("m", ["a"]))).toEqual([ONE]);
  });
});
