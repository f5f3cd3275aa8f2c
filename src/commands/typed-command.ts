import { existsSync } from "node:fs";
import { PACKAGE_FOLDER } from "../lib/index.js";
import { pathsOf } from "../platform/index.js";
import { TYPED_COMMANDS } from "./command-line.js";
import { npxArguments } from "./npx-cache.js";

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
