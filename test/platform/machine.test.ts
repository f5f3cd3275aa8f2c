import { userInfo } from "node:os";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { homeFolder } from "../../src/platform/machine.js";
import { needsFirstChild } from "../../src/platform/program-launch.js";

describe("the home of a user", () => {
  it("is the system's value", () => {
    expect(homeFolder(() => "/home/ada")).toBe("/home/ada");
  });

  it.each(["", "."])("is that of the system's list of users where HOME is %j", (value) => {
    expect(homeFolder(() => value)).toBe(userInfo().homedir);
  });

  it("is the folder of the running Node where the system has none", () => {
    const none = () => {
      throw new Error("ENOENT: no such file or directory, uv_os_homedir");
    };
    expect(homeFolder(none)).toBe(dirname(process.execPath));
  });
});

describe("a harmless program is the first child process", () => {
  it.each([
    ["win32", "1.46.0", true],
    ["win32", "1.47.0", false],
    ["win32", "1.51.0", false],
    ["win32", "2.0.0", false],
    ["win32", undefined, false],
    ["linux", "1.46.0", false],
    ["darwin", "1.46.0", false],
  ] as const)("on %s with libuv %s: %s", (platform, libuv, isNeeded) => {
    expect(needsFirstChild(platform, libuv)).toBe(isNeeded);
  });
});
