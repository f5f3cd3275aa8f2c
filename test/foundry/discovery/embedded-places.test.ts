import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { modelCacheOf } from "../../../src/foundry/embedded/embedded-service.js";
import { findSdk } from "../../../src/foundry/embedded/sdk.js";
import { removeFolder } from "../../temporary-folder.js";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "foundry-local-mcp-places-"));
});
afterEach(() => removeFolder(root));

async function install(folder: string, manifest: string): Promise<string> {
  const sdk = join(root, folder, "node_modules", "foundry-local-sdk");
  await mkdir(sdk, { recursive: true });
  await writeFile(join(sdk, "package.json"), manifest);
  return sdk;
}

const manifest = (fields: object) => JSON.stringify({ version: "1.2.3", ...fields });

describe("the SDK", () => {
  test("is found in the folder and its parents, the nearest first", async () => {
    await install(".", manifest({ version: "2.0.0" }));
    await install("project", manifest({ version: "1.2.3" }));

    const near = await findSdk([join(root, "project", "src", "deep")]);
    const above = await findSdk([join(root, "elsewhere")]);

    expect(near?.version).toBe("1.2.3");
    expect(above?.version).toBe("2.0.0");
  });

  test("is searched for in one folder after the other", async () => {
    await install("second", manifest({}));

    const found = await findSdk([join(root, "first"), join(root, "second")]);

    expect(found?.version).toBe("1.2.3");
  });

  test.each([
    [{ main: "dist/index.js" }, "dist/index.js"],
    [{}, "index.js"],
    [{ exports: "./a.js", main: "b.js" }, "a.js"],
    [{ exports: { import: "./a.mjs", require: "./a.cjs" } }, "a.mjs"],
    [{ exports: { import: ["./a.mjs"], default: "./b.js" } }, "a.mjs"],
    [{ exports: { "./x": "./x.js", ".": { types: "./a.d.ts", import: "./a.mjs" } } }, "a.mjs"],
    [{ exports: { ".": { import: { types: "./a.d.ts", default: "./a.mjs" } } } }, "a.mjs"],
  ])("is loaded from the entry point of its manifest: %j", async (fields, entry) => {
    const sdk = await install("project", manifest(fields));

    const found = await findSdk([join(root, "project")]);

    expect(found?.entry).toBe(pathToFileURL(join(sdk, entry)).href);
  });

  test("is missing where its manifest cannot be read", async () => {
    await install("project", "{ half");

    const found = await findSdk([join(root, "project")]);

    expect(found).toBeNull();
  });
});

describe("the models of the embedded service", () => {
  test("are the command line's where it has some", async () => {
    const ofCommandLine = join(root, ".foundry", "cache", "models");
    await mkdir(ofCommandLine, { recursive: true });

    expect(await modelCacheOf({ ...machine(process.platform), home: root })).toBe(ofCommandLine);
  });

  test.each([
    ["linux", "/home/me", "/home/me/.foundry-local-mcp/cache/models"],
    ["darwin", "/Users/me", "/Users/me/.foundry-local-mcp/cache/models"],
    ["win32", "C:\\Users\\me", "C:\\Users\\me\\.foundry-local-mcp\\cache\\models"],
  ] as const)("are in this package's own folder otherwise: %s", async (platform, home, cache) => {
    expect(await modelCacheOf({ ...machine(platform), home })).toBe(cache);
  });
});

const machine = (platform: NodeJS.Platform) => ({
  platform,
  arch: "x64",
  environment: {},
  home: "",
});
