import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { homeFolder } from "../../src/platform/machine.js";
import { needsFirstChild } from "../../src/platform/program-launch.js";

describe("the home of a user", () => {
  it("is what the system says", () => {
    expect(homeFolder(() => "/home/ada")).toBe("/home/ada");
  });

  it("is the folder of our Node where the system knows none", () => {
    const none = () => {
      throw new Error("ENOENT: no such file or directory, uv_os_homedir");
    };
    expect(homeFolder(none)).toBe(dirname(process.execPath));
  });
});

describe("something harmless is the first child", () => {
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
