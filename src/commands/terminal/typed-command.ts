import path from "node:path";
import { PACKAGE_FOLDER } from "../../lib/index.js";

export interface StartedFrom {
  /** The folder of this package. */
  readonly packageFolder: string;
  readonly cwd: string;
  readonly platform: NodeJS.Platform;
}

const NAME = "foundry-local-mcp";

/** What a person types here for this executable: its name, npx, or Node with the file. */
export function typedCommand({ packageFolder, cwd, platform }: StartedFrom): string {
  const { join, relative } = platform === "win32" ? path.win32 : path.posix;
  const folders = packageFolder.split(/[\\/]/);
  if (folders.includes("_npx")) return `npx -y ${NAME}`;
  if (folders.includes("node_modules")) return NAME;
  const file = join(packageFolder, "dist", "main.js");
  const near = relative(cwd, file);
  const shown = near.startsWith("..") || near.includes(":") ? file : near;
  return `node ${shown.includes(" ") ? `"${shown}"` : shown}`;
}

/**
 * A text with the commands in backquotes as they are typed here.
 *
 * @example
 * asTyped("Run `foundry-local-mcp models`."); // "Run `node dist/main.js models`." in a checkout
 */
export function asTyped(text: string): string {
  if (!text.includes(`\`${NAME} `)) return text;
  const { platform } = process;
  const typed = typedCommand({ packageFolder: PACKAGE_FOLDER, cwd: process.cwd(), platform });
  return text.replaceAll(`\`${NAME} `, () => `\`${typed} `);
}
