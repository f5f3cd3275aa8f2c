import { readFileSync } from "node:fs";
import * as z from "zod";
import { jsonFrom } from "../lib/index.js";
import { pathsOf } from "../platform/index.js";

const PACKAGE = "foundry-local-mcp";
const installedSchema = z.object({
  dependencies: z.object({ [PACKAGE]: z.string().startsWith("file:") }),
});

/**
 * What npx is given behind `--yes` to start this package; `null` where it does not run from the cache of
 * npx. A file that npx was given is named again, since a registry may not have what is in it.
 */
export function npxArguments(packageFolder: string, platform: NodeJS.Platform): string[] | null {
  if (!packageFolder.split(/[\\/]/).includes("_npx")) return null;
  const { join, resolve } = pathsOf(platform);
  const installation = join(packageFolder, "..", "..");
  const file = fileIn(join(installation, "package.json"));
  return file === null ? [PACKAGE] : [`--package=${resolve(installation, file)}`, PACKAGE];
}

function fileIn(path: string): string | null {
  try {
    const { dependencies } = installedSchema.parse(jsonFrom(readFileSync(path, "utf8")));
    return dependencies[PACKAGE].slice("file:".length);
  } catch {
    return null;
  }
}
