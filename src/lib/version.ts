import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as z from "zod";

const file = packageFile();

/** The version of this package. */
export const VERSION = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(file, "utf8"))).version;

/** Where this package is installed. */
export const PACKAGE_FOLDER = fileURLToPath(new URL(".", file));

/** The nearest package.json above this code, which is a module of `src/` or a chunk inside `dist/`. */
function packageFile(): URL {
  let folder = new URL(".", import.meta.url);
  while (!existsSync(new URL("package.json", folder))) {
    const above = new URL("..", folder);
    if (above.href === folder.href) throw new Error("This package has lost its package.json.");
    folder = above;
  }
  return new URL("package.json", folder);
}
