import { describe, expect, it } from "vitest";
import { ownDirectory } from "../../src/platform/own-directory.js";

describe("the directory of this package", () => {
  it.each([
    ["win32", "C:\\Users\\u", "C:\\Users\\u\\.foundry-local-mcp"],
    ["darwin", "/Users/u", "/Users/u/.foundry-local-mcp"],
    ["linux", "/home/u", "/home/u/.foundry-local-mcp"],
  ] as const)("is under the home on %s", (platform, home, directory) => {
    expect(ownDirectory({ platform, home })).toBe(directory);
  });
});
