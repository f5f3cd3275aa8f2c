import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import * as z from "zod";
import { CONFIG_FILE_BYTES, isMembers, jsonFrom } from "../../lib/index.js";
import { readSmallFile } from "../../platform/index.js";

export const SDK_NAME = "foundry-local-sdk";

interface InstalledSdk {
  readonly version: string;
  /** URL of its main module. */
  readonly entry: string;
}

const manifestSchema = z.object({
  version: z.string(),
  main: z.string().optional().catch(undefined),
  exports: z.unknown().optional(),
});

/**
 * Finds the SDK in the `node_modules` of the folders and their parents, as Node does.
 * `require.resolve` does not find the main module of a package that only exports for `import`.
 */
export async function findSdk(folders: readonly string[]): Promise<InstalledSdk | null> {
  for (const folder of folders) {
    for (const above of foldersUpFrom(resolve(folder))) {
      const sdk = await readSdk(join(above, "node_modules", SDK_NAME));
      if (sdk !== null) return sdk;
    }
  }
  return null;
}

function* foldersUpFrom(folder: string): Generator<string> {
  for (let current = folder, previous = ""; current !== previous; current = dirname(current)) {
    yield current;
    previous = current;
  }
}

async function readSdk(folder: string): Promise<InstalledSdk | null> {
  const limits = { maxBytes: CONFIG_FILE_BYTES };
  const file = await readSmallFile(join(folder, "package.json"), limits);
  if ("fault" in file) return null;
  const parsed = manifestSchema.safeParse(jsonFrom(file.text));
  if (!parsed.success) return null;
  const { version, main, exports } = parsed.data;
  const path = mainOf(exports) ?? main ?? "index.js";
  return { version, entry: pathToFileURL(join(folder, path)).href };
}

/** The target of `exports` for `import` on Node: the first condition that holds. */
function mainOf(exports: unknown): string | null {
  if (typeof exports === "string") return exports;
  if (Array.isArray(exports)) return exports.map(mainOf).find((found) => found !== null) ?? null;
  for (const [condition, inner] of Object.entries(isMembers(exports) ? exports : {})) {
    if (![".", "node", "import", "default"].includes(condition)) continue;
    const found = mainOf(inner);
    if (found !== null) return found;
  }
  return null;
}

/** npm runs the install script, which downloads the native libraries, globally only if allowed to. */
const INSTALL_GLOBALLY = `npm install -g --allow-scripts=${SDK_NAME} ${SDK_NAME}`;

/**
 * The commands that install the SDK where a package in this folder finds it, for use after "with".
 * In a clone a plain `npm install` does nothing, since the SDK is an optional peer dependency, and
 * npm 12 refuses `--allow-scripts`.
 */
export function sdkInstallation(packageFolder: string, version = ""): string {
  const folders = packageFolder.split(/[\\/]/);
  if (folders.includes("_npx")) {
    return `\`${INSTALL_GLOBALLY}${version}\`, and foundry-local-mcp globally, too, in place of npx, which does not find it`;
  }
  return folders.includes("node_modules")
    ? `\`${INSTALL_GLOBALLY}${version}\` where foundry-local-mcp is installed globally, \`npm install ${SDK_NAME}${version}\` in the project where it is not`
    : `\`npm install --no-save --save-dev ${SDK_NAME}${version}\` in the folder of foundry-local-mcp`;
}
