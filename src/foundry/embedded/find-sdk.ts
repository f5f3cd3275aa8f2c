import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { CONFIG_FILE_BYTES, FILE_READ_MS, jsonFrom } from "../../lib/index.js";
import { readSmallFile } from "../../platform/index.js";

export const SDK_NAME = "foundry-local-sdk";

export interface InstalledSdk {
  readonly version: string;
  /** URL of its main module. */
  readonly entry: string;
}

type Target = string | { readonly [condition: string]: Target | null };
const target: z.ZodType<Target> = z.lazy(() =>
  z.union([z.string(), z.record(z.string(), z.union([target, z.null()]))]),
);
const manifestSchema = z.object({
  version: z.string(),
  main: z.string().optional().catch(undefined),
  exports: target.optional().catch(undefined),
});

/**
 * The SDK's package in the `node_modules` of the folders or of those above them, as Node looks for
 * packages; not with `require.resolve`, which does not find the main module of a package for
 * `import` alone.
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
  const limits = { maxBytes: CONFIG_FILE_BYTES, timeoutMs: FILE_READ_MS };
  const file = await readSmallFile(join(folder, "package.json"), limits);
  if ("fault" in file) return null;
  const parsed = manifestSchema.safeParse(jsonFrom(file.text));
  if (!parsed.success) return null;
  const { version, main, exports } = parsed.data;
  const path = (exports === undefined ? null : mainOf(exports)) ?? main ?? "index.js";
  return { version, entry: pathToFileURL(join(folder, path)).href };
}

/** The target of `exports` that `import` takes on Node: the first condition that holds. */
function mainOf(exports: Target): string | null {
  if (typeof exports === "string") return exports;
  for (const [condition, inner] of Object.entries(exports)) {
    if (inner === null || ![".", "node", "import", "default"].includes(condition)) continue;
    const found = mainOf(inner);
    if (found !== null) return found;
  }
  return null;
}
