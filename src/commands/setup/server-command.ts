import path from "node:path";
import type { Machine } from "../../platform/index.js";
import type { Entry, HostKind, ServerCommand } from "./hosts.js";

/** The name of an entry that is new. */
export const ENTRY_NAME = "foundry-local";
const PACKAGE = "foundry-local-mcp";

export interface Installation {
  /** The folder of this package. */
  readonly packageFolder: string;
  /** The Node that runs this. */
  readonly node: string;
}

/**
 * What a host starts. The cache of npx is cleaned now and then, so npx is named there; otherwise it is
 * Node and the file, since most hosts have another PATH than a terminal.
 */
export function programOf(
  { packageFolder, node }: Installation,
  { platform }: Pick<Machine, "platform">,
): Pick<ServerCommand, "command" | "args"> {
  const isInCache = packageFolder.split(/[\\/]/).includes("_npx");
  if (!isInCache) {
    const { join } = platform === "win32" ? path.win32 : path.posix;
    return { command: node, args: [join(packageFolder, "dist", "main.js")] };
  }
  // Programs on Windows start npx.cmd only through the Command Prompt.
  return platform === "win32"
    ? { command: "cmd", args: ["/c", "npx", "-y", PACKAGE] }
    : { command: "npx", args: ["-y", PACKAGE] };
}

/** The words that start the server in an entry of a host, and the flags behind them. */
export function commandLine(entry: unknown): string[] {
  const { command, cmd, args } = Object(entry);
  const words = [command, cmd, args].flat();
  return words.filter((word): word is string => typeof word === "string");
}

const isProgram = (word: string): boolean =>
  /^foundry-local-mcp(?:@[\w.-]+)?$/.test(word) ||
  /[\\/]dist[\\/]main\.js$/.test(word) ||
  /(?:^|[\\/])foundry-local-mcp(?:\.cmd|\.ps1)?$/.test(word);

/** Whether an entry starts this server. */
export const isOurs = (entry: unknown): boolean => commandLine(entry).some(isProgram);

/** What follows the program in an entry: what its user has added. */
export function flagsIn(entry: unknown): string[] {
  const words = commandLine(entry);
  const last = words.findLastIndex(isProgram);
  return last === -1 ? [] : words.slice(last + 1);
}

/**
 * The entry for a host: what is there already, with our members in their place. Flags of the user stay
 * unless others are given.
 */
export function mergedEntry(
  host: HostKind,
  before: unknown,
  program: Pick<ServerCommand, "command" | "args">,
  given: { readonly flags: readonly string[]; readonly env: Readonly<Record<string, string>> },
): Entry {
  const flags = given.flags.length > 0 ? given.flags : flagsIn(before);
  const wanted = host.entry({
    command: program.command,
    args: [...program.args, ...flags],
    env: given.env,
  });
  if (typeof before !== "object" || before === null) return wanted;
  const old = new Map<string, unknown>(Object.entries(before));
  const ours = Object.entries(wanted).flatMap(([name, value]) => {
    if (VARIABLES.has(name)) return [[name, { ...Object(old.get(name)), ...Object(value) }]];
    // The user's own choice stands: whether it is enabled, its time limit.
    return PROGRAM.has(name) || !old.has(name) ? [[name, value]] : [];
  });
  return { ...before, ...Object.fromEntries(ours) };
}

const PROGRAM: ReadonlySet<string> = new Set(["command", "cmd", "args", "type"]);
const VARIABLES: ReadonlySet<string> = new Set(["env", "envs", "environment"]);
