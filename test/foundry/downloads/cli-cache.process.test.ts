import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  cacheOf,
  isSameFolder,
  isSamePath,
} from "../../../src/foundry/downloads/download-method.js";
import { ProgramFolder } from "../../platform/program-folder.js";
import { simulate } from "../fixtures.js";
import { cliAt, machine, standIn } from "./fixtures.js";

describe("two spellings of a folder", () => {
  it.each([
    ["win32", "C:\\Users\\u\\.foundry\\cache\\models", "c:/users/U/.foundry/cache/models/", true],
    ["win32", "C:\\models", "D:\\models", false],
    ["darwin", "/Users/u/.foundry/cache/models/", "/users/u/.foundry/cache/./models", true],
    ["linux", "/home/u/.foundry/cache/models/", "/home/u/.foundry/cache/models", true],
    ["linux", "/home/u/Models", "/home/u/models", false],
    // As consoles of Windows write "Jürgen", "表田" and "Åsa Ö".
    ["win32", "C:\\Users\\J\ufffdrgen\\.foundry", "C:\\Users\\Jürgen\\.foundry", true],
    ["win32", "C:\\Users\\Jürgen\\.foundry", "C:\\Users\\J?rgen\\.foundry", true],
    ["win32", "C:\\Users\\\ufffd\ufffd\ufffdc\\m", "C:\\Users\\表田c\\m", true],
    ["win32", "C:\\Users\\表田\\m", "C:\\Users\\??\\m", true],
    ["win32", "C:\\Users\\\ufffdsa \ufffd\\m", "C:\\Users\\Åsa Ö\\m", true],
    ["win32", "C:\\Users\\J\ufffdrgen\\.foundry", "C:\\Users\\Jörg\\.foundry", false],
    ["win32", "C:\\Users\\J\ufffdrgen\\.foundry", "C:\\Users\\Jorgen\\.foundry", false],
    ["win32", "C:\\Users\\Jürgen\\.foundry", "C:\\Users\\Jörgen\\.foundry", false],
    ["win32", "C:\\Users\\?\\m", "D:\\Users\\ü\\m", false],
    ["linux", "/home/J\ufffdrgen", "/home/Jürgen", false],
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

describe("the command line's folder of models", () => {
  const never = new AbortController().signal;

  it("is found among other output", async () => {
    const simulator = await simulate();
    const { path } = await standIn(simulator, {
      noise: ["banner", "progress", "log_lines", "braces"],
    });
    const cli = await cliAt(path);
    expect(cli && (await cacheOf(cli, never, "linux"))).toEqual({
      kind: "folder",
      path: expect.stringContaining("cache-"),
    });
  });

  it("is unknown where the command does not print it", async () => {
    const simulator = await simulate();
    const { path } = await standIn(simulator, { ends: "crashes" });
    const cli = await cliAt(path);
    expect(cli && (await cacheOf(cli, never, "win32"))).toEqual({ kind: "unknown" });
  });

  it.each([
    ["win32", "unreadable"],
    ["linux", "unknown"],
  ] as const)("on %s is %s where its characters broke the JSON", async (platform, kind) => {
    // 表 in code page 932 is 0x95 and a backslash.
    const json = Buffer.from('{"path": "C:\\\\Users\\\\\u0095\\\\\\.foundry"}', "latin1");
    const programs = await ProgramFolder.make();
    onTestFinished(() => programs.remove());
    const path = await programs.script(
      "foundry",
      `process.stdout.write(Buffer.from("${json.toString("base64")}", "base64"));`,
    );
    const cli = await cliAt(path);
    expect(cli && (await cacheOf(cli, never, platform))).toEqual({ kind });
  });
});
