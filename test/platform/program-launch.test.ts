import { describe, expect, it } from "vitest";
import { launchOf } from "../../src/platform/program-launch.js";

const on = (platform: NodeJS.Platform, outlivesUs = false) => ({
  platform,
  node: "/usr/bin/node",
  outlivesUs,
});

describe("launchOf", () => {
  it.each(["linux", "darwin"] as const)("starts a file as it is on %s", (platform) => {
    expect(launchOf("/usr/local/bin/foundry", ["--version"], on(platform))).toEqual({
      command: "/usr/local/bin/foundry",
      args: ["--version"],
      detached: false,
    });
  });

  it("starts an executable as it is on Windows", () => {
    const file = "C:\\Users\\a b\\AppData\\Local\\Microsoft\\WindowsApps\\foundry.exe";
    expect(launchOf(file, ["--version"], on("win32"))).toEqual({
      command: file,
      args: ["--version"],
      detached: false,
    });
  });

  it.each([
    ["linux", "/tmp/foundry.mjs"],
    ["darwin", "/tmp/foundry.js"],
    ["win32", "C:\\tmp\\foundry.CJS"],
  ] as const)("has JavaScript run by the Node that runs us on %s", (platform, file) => {
    expect(launchOf(file, ["a"], on(platform))).toMatchObject({
      command: "/usr/bin/node",
      args: [file, "a"],
    });
  });

  it.each(["foundry.cmd", "foundry.BAT", "foundry.ps1"])("never runs %s on Windows", (name) => {
    expect(launchOf(`C:\\tools\\${name}`, [], on("win32"))).toEqual({
      refused: "it is a script for a shell, and nothing is run through one",
    });
  });

  it.each([
    ["linux", "foundry"],
    ["linux", "./foundry"],
    ["darwin", "bin/foundry"],
    ["win32", "foundry.exe"],
    ["win32", ".\\foundry.exe"],
    ["win32", "C:foundry.exe"],
  ] as const)("on %s does not have %s looked for", (platform, file) => {
    expect(launchOf(file, [], on(platform))).toEqual({ refused: "its path is not absolute" });
  });

  it("gives what outlives us a session of its own, but on Windows", () => {
    expect(launchOf("/bin/foundry", [], on("linux", true))).toMatchObject({ detached: true });
    expect(launchOf("/bin/foundry", [], on("darwin", true))).toMatchObject({ detached: true });
    expect(launchOf("C:\\foundry.exe", [], on("win32", true))).toMatchObject({ detached: false });
  });
});
