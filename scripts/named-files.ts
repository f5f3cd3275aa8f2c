import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** The pages that say where things are in the code. */
const PAGES = [
  "AGENTS.md",
  "CONTRIBUTING.md",
  "docs/architecture.md",
  "docs/decisions.md",
  "docs/resilience.md",
];
const FOLDERS = ["bench", "docs", "examples", "packages", "scripts", "src", "test"];
/** Made by the build. */
const BUILT = "dist/";

/** A file or a folder in backquotes, such as `http/resilience.ts` or `test/faults/`; no hidden one, which git ignores. */
const NAME = /`(\w[\w./-]*(?:\.(?:ts|mjs|js|sh|json|md|txt)|\/))`/g;

/**
 * The names in the pages for developers that no file or folder ends with, each with its page. A page
 * may leave out the folders above, as the text around it says them.
 */
export function missingFiles(): [page: string, name: string][] {
  const known = ["", ...FOLDERS].flatMap((folder) =>
    readdirSync(`${ROOT}/${folder}`, { withFileTypes: true, recursive: folder !== "" })
      .filter((entry) => !entry.parentPath.includes("node_modules"))
      .map((entry) => {
        const path = `/${entry.parentPath}/${entry.name}`.replaceAll("\\", "/");
        return entry.isDirectory() ? `${path}/` : path;
      }),
  );
  return PAGES.flatMap((page) =>
    [...readFileSync(`${ROOT}/${page}`, "utf8").matchAll(NAME)]
      .map(([, name = ""]) => name)
      .filter((name) => name !== BUILT && !known.some((path) => path.endsWith(`/${name}`)))
      .map((name): [string, string] => [page, name]),
  );
}
