import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cacheOf, isSameFolder, isSamePath } from "../../../src/foundry/downloads/cli-cache.js";
import { simulate } from "../fixtures.js";
import { cliAt, machine, standIn } from "./fixtures.js";

describe("two spellings of a folder", () => {
  it.each([
    ["win32", "C:\\Users\\u\\.foundry\\cache\\models", "c:/users/U/.foundry/cache/models/", true],
    ["win32", "C:\\models", "D:\\models", false],
    ["darwin", "/Users/u/.foundry/cache/models/", "/users/u/.foundry/cache/./models", true],
    ["linux", "/home/u/.foundry/cache/models/", "/home/u/.foundry/cache/models", true],
    ["linux", "/home/u/Models", "/home/u/models", false],
  ] as const)("on %s: %s and %s", (platform, one, other, isSame) => {
    expect(isSamePath(one, other, platform)).toBe(isSame);
  });

  it.skipIf(process.platform === "win32")("are the same through a link", async () => {
    const { home, platform } = await machine();
    await mkdir(join(home, "models"));
    await symlink(join(home, "models"), join(home, "link"));
    expect(await isSameFolder(join(home, "models"), join(home, "link"), platform)).toBe(true);
  });
});

describe("where the command line keeps models", () => {
  const never = new AbortController().signal;

  it("is told among other output", async () => {
    const simulator = await simulate();
    const { path } = await standIn(simulator, { noise: ["banner", "progress"] });
    const cli = await cliAt(path);
    expect(cli && (await cacheOf(cli, never))).toContain("cache-");
  });

  it("is unknown where it does not tell", async () => {
    const simulator = await simulate();
    const { path } = await standIn(simulator, { ends: "crashes" });
    const cli = await cliAt(path);
    expect(cli && (await cacheOf(cli, never))).toBeNull();
  });
});
