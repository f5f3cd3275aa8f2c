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

/** Installs Anthropic's packer from its lock file, once; returns how it is called. */
export async function mcpbPacker(): Promise<(...args: readonly string[]) => Promise<string>> {
  const npm = process.env["npm_execpath"];
  const flags = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  if (npm?.endsWith(".js")) await run(process.execPath, [npm, ...flags], { cwd: packer });
  else await run("npm", flags, { cwd: packer, shell: process.platform === "win32" });
  const cli = join(packer, "node_modules", "@anthropic-ai", "mcpb", "dist", "cli", "cli.js");
  return async (...args) => (await run(process.execPath, [cli, ...args], { cwd: packer })).stdout;
}

const writeJson = (path: string, value: unknown): Promise<void> =>
  writeFile(path, `${JSON.stringify(value, null, 2)}\n`);
