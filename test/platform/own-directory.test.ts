import {
  chmod,
  lchown,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  makePrivateDirectory,
  ownDirectory,
  replaceFile,
} from "../../src/platform/own-directory.js";
import { temporaryFolder } from "../temporary-folder.js";

describe("the directory of this package", () => {
  it.each([
    ["win32", "C:\\Users\\u", "C:\\Users\\u\\.foundry-local-mcp"],
    ["darwin", "/Users/u", "/Users/u/.foundry-local-mcp"],
    ["linux", "/home/u", "/home/u/.foundry-local-mcp"],
  ] as const)("is under the home on %s", (platform, home, directory) => {
    expect(ownDirectory({ platform, home })).toBe(directory);
  });
});

it("a file is not replaced by way of the temporary file of another write, which stays", async () => {
  const folder = await temporaryFolder("replaced-");
  const temporary = join(folder, "a.tmp");
  await writeFile(temporary, "of another");
  await expect(replaceFile(join(folder, "a"), temporary, "own")).rejects.toThrow("EEXIST");
  expect(await readdir(folder)).toEqual(["a.tmp"]);
  expect(await readFile(temporary, "utf8")).toBe("of another");
});

describe.skipIf(process.platform === "win32")("a private directory", () => {
  it("is created, or made private", async () => {
    const folder = join(await temporaryFolder("private-"), "a", "b");
    await makePrivateDirectory(folder);
    await chmod(folder, 0o755);
    await makePrivateDirectory(folder);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  // Only root can make a link of another user.
  it.skipIf(process.getuid?.() !== 0)("is not the target of another user's link", async () => {
    const parent = await temporaryFolder("private-");
    await mkdir(join(parent, "own"), { mode: 0o755 });
    const link = join(parent, "link");
    await symlink(join(parent, "own"), link);
    await makePrivateDirectory(link);
    await lchown(link, 12_345, 12_345);
    await expect(makePrivateDirectory(link)).rejects.toThrow("another user");
  });
});
