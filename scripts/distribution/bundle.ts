import { execFile } from "node:child_process";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { bundleManifest } from "./bundle-manifest.js";
import { PRODUCT } from "./description.js";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));
const packer = fileURLToPath(new URL("../mcpb/", import.meta.url));

/** Only the library and its users need these. */
const LEFT_OUT = ["types", "index.js", "simulator.js"];

/** Writes what the bundle holds into a folder. `dist/` is built before. */
export async function writeBundleFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const dist = join(root, "dist");
  const leftOut = LEFT_OUT.map((name) => join(dist, name));
  await cp(dist, join(folder, "dist"), {
    recursive: true,
    filter: (path) => !leftOut.some((each) => path === each || path.startsWith(each + sep)),
  });
  await cp(join(root, "assets", "icon.png"), join(folder, "icon.png"));
  await cp(join(root, "LICENSE"), join(folder, "LICENSE"));
  const { name, version, license } = PRODUCT;
  await writeJson(join(folder, "package.json"), { name, version, license, type: "module" });
  await writeJson(join(folder, "manifest.json"), bundleManifest());
}

/** Writes the folder of the bundle, and packs it into the file. */
export async function makeBundle(folder: string, file: string): Promise<void> {
  await writeBundleFolder(folder);
  const mcpb = await mcpbPacker();
  await mcpb("validate", folder);
  await mcpb("pack", folder, file);
}

/** Installs Anthropic's packer from its lock file; returns how it is called. */
export async function mcpbPacker(): Promise<(...args: readonly string[]) => Promise<string>> {
  await npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], packer);
  const cli = join(packer, "node_modules", "@anthropic-ai", "mcpb", "dist", "cli", "cli.js");
  return async (...args) => (await run(process.execPath, [cli, ...args], { cwd: packer })).stdout;
}

/** Runs npm in a folder. On Windows, npm on PATH is a script, which only a shell starts. */
export async function npm(args: readonly string[], cwd: string): Promise<void> {
  const script = process.env["npm_execpath"];
  if (script?.endsWith(".js")) await run(process.execPath, [script, ...args], { cwd });
  else await run("npm", args, { cwd, shell: process.platform === "win32" });
}

const writeJson = (path: string, value: unknown): Promise<void> =>
  writeFile(path, `${JSON.stringify(value, null, 2)}\n`);
