import { existsSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Where this package is installed, or the program that has the library in its bundle. */
export const PACKAGE_FOLDER = fileURLToPath(packageFolder());

/** The nearest folder with a package.json above this code, which is a module of `src/` or a chunk inside `dist/`. */
function packageFolder(): URL {
  // A bundle in CommonJS does not say where it is.
  const code = new URL(".", import.meta.url ?? pathToFileURL(process.execPath));
  let folder = code;
  while (!existsSync(new URL("package.json", folder))) {
    const above = new URL("..", folder);
    if (above.href === folder.href) return code;
    folder = above;
  }
  return folder;
}
