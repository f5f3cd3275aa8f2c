import { existsSync, readFileSync } from "node:fs";
import * as z from "zod";
import { jsonFrom, PACKAGE_FOLDER } from "../lib/index.js";
import { pathsOf } from "../platform/index.js";
import { TYPED_COMMANDS } from "./command-line.js";

export interface StartedFrom {
  /** The folder of this package. */
  readonly packageFolder: string;
  readonly cwd: string;
  readonly platform: NodeJS.Platform;
}

const NAME = "foundry-local-mcp";
/** The name where a command or a flag follows. Elsewhere it is the name of the package. */
const BEFORE_COMMAND = new RegExp(
  `\\b${NAME} (?=(?:${TYPED_COMMANDS.join("|")}|help|version)\\b|--?[a-z]|\\[)`,
  "g",
);

/** What a person types here for this executable: its name, npx, or Node with the file. */
export function typedCommand({ packageFolder, cwd, platform }: StartedFrom): string {
  const { join, relative } = pathsOf(platform);
  const npx = npxArguments(packageFolder, platform);
  if (npx !== null) return ["npx", "--yes", ...npx.map(quoted)].join(" ");
  if (packageFolder.split(/[\\/]/).includes("node_modules")) {
    // Only npx finds what is installed in the project that this is started in.
    const project = join(packageFolder, "..", "..");
    const isInProject = existsSync(join(project, "package.json"));
    return isInProject && !relative(project, cwd).startsWith("..") ? `npx ${NAME}` : NAME;
  }
  const file = join(packageFolder, "dist", "main.js");
  // Windows takes both kinds of slashes, and the pages of the documentation have this one.
  const near = relative(cwd, file).replaceAll("\\", "/");
  const shown = near.startsWith("..") || near.includes(":") ? file : near;
  return `node ${quoted(shown)}`;
}

const quoted = (word: string): string => (word.includes(" ") ? `"${word}"` : word);

/**
 * A text with the commands of this executable as they are typed here.
 *
 * @example
 * asTyped("Run `foundry-local-mcp models`."); // "Run `node dist/main.js models`." in a checkout
 */
export function asTyped(text: string): string {
  if (!text.includes(`${NAME} `)) return text;
  const { platform } = process;
  const typed = typedCommand({ packageFolder: PACKAGE_FOLDER, cwd: process.cwd(), platform });
  return text.replaceAll(BEFORE_COMMAND, () => `${typed} `);
}

const installedSchema = z.object({
  dependencies: z.object({ [NAME]: z.string().startsWith("file:") }),
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
  return file === null ? [NAME] : [`--package=${resolve(installation, file)}`, NAME];
}

function fileIn(path: string): string | null {
  try {
    const { dependencies } = installedSchema.parse(jsonFrom(readFileSync(path, "utf8")));
    return dependencies[NAME].slice("file:".length);
  } catch {
    return null;
  }
}
