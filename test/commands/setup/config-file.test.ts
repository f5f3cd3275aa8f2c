import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  backupOf,
  readConfigFile,
  removeConfigFile,
  replaceConfigFile,
} from "../../../src/commands/setup/config-file.js";
import { temporaryFolder } from "../../temporary-folder.js";

const fileWith = async (text: string | null): Promise<string> => {
  const file = join(await temporaryFolder("config ü "), "settings.json");
  if (text !== null) await writeFile(file, text, { mode: 0o600 });
  return file;
};

describe("the file of a host", () => {
  it("is replaced as a whole, with a backup copy and the same mode", async () => {
    const file = await fileWith("before");

    await replaceConfigFile(await readConfigFile(file), "after");

    expect(await readFile(file, "utf8")).toBe("after");
    expect(await readFile(backupOf(file), "utf8")).toBe("before");
    expect((await readdir(join(file, ".."))).length).toBe(2);
    if (process.platform !== "win32") expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("is created with its folder where it is missing, without a backup copy", async () => {
    const file = join(await temporaryFolder("config-"), "a", "b", "settings.json");

    await replaceConfigFile(await readConfigFile(file), "new");

    expect(await readdir(join(file, ".."))).toEqual(["settings.json"]);
  });

  it.each([
    ["changed", "before", "other"],
    ["made", null, "other"],
  ])("stays unchanged where another program has %s it", async (_what, before, now) => {
    const file = await fileWith(before);
    const read = await readConfigFile(file);
    await writeFile(file, now);

    await expect(replaceConfigFile(read, "ours")).rejects.toThrow("was changed by another program");
    await expect(removeConfigFile(read)).rejects.toThrow("was changed by another program");

    expect(await readFile(file, "utf8")).toBe(now);
    expect((await readdir(join(file, ".."))).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it.each([
    [Buffer.from([0xff, 0xfe, 0x7b, 0]), "is in UTF-16"],
    [Buffer.from([0x7b, 0xff, 0x7d]), "is not a text in UTF-8"],
  ])("is refused where it is not UTF-8: %o", async (bytes, words) => {
    const file = await fileWith(null);
    await writeFile(file, bytes);
    await expect(readConfigFile(file)).rejects.toThrow(words);
  });

  it("is refused where it is a folder", async () => {
    const file = await fileWith(null);
    await mkdir(file);
    await expect(readConfigFile(file)).rejects.toThrow("is not a file");
  });
});
