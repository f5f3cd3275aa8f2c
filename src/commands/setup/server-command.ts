import { existsSync } from "node:fs";
import path from "node:path";
import { PACKAGE_FOLDER } from "../../lib/index.js";
import { type Machine, pathsOf } from "../../platform/index.js";
import { npxArguments } from "../typed-command.js";
import type { Entry, HostKind, ServerCommand } from "./hosts.js";

/** The name of an entry that is new. */
export const ENTRY_NAME = "foundry-local";

/** What an entry starts, without the flags behind it. */
type Program = Pick<ServerCommand, "command" | "args">;

interface Installation {
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
  { platform }: Pick<Machine, "platform">,
  { packageFolder, node }: Installation = { packageFolder: PACKAGE_FOLDER, node: process.execPath },
): Program {
  const npx = npxArguments(packageFolder, platform);
  if (npx === null) {
    const { join } = pathsOf(platform);
    return { command: lastingPath(node), args: [join(packageFolder, "dist", "main.js")] };
  }
  // Programs on Windows start npx.cmd only through the Command Prompt.
  return platform === "win32"
    ? { command: "cmd", args: ["/c", "npx", "-y", ...npx] }
    : { command: "npx", args: ["-y", ...npx] };
}

/** Homebrew removes the folder of a version when it upgrades, and has a link that leads to the newest. */
function lastingPath(node: string): string {
  const link = node.replace(/[/]Cellar[/]([^/]+)[/][^/]+(?=[/]bin[/])/, "/opt/$1");
  return existsSync(link) ? link : node;
}

/** The words that start the server in an entry of a host, and the flags behind them. */
export function commandLine(entry: unknown): string[] {
  const { command, cmd, args } = Object(entry);
  const words = [command, cmd, args].flat();
  return words.filter((word): word is string => typeof word === "string");
}

/** What starts the program that is named behind it. */
const RUNNER =
  /(?:^|[\\/])(?:cmd|env|npx|npm|pnpm|pnpx|yarn|bun|bunx|node|exec|dlx|x)(?:\.exe|\.cmd)?$/i;
const isOption = (word: string): boolean => word.startsWith("-") || /^\/[a-z]$/i.test(word);
const isPackage = (word: string): boolean =>
  /^foundry-local-mcp(?:@[\w.-]+)?$/.test(word) ||
  /(?:^|[\\/])foundry-local-mcp(?:\.cmd|\.ps1)?$/.test(word);
/** A package or its folder, such as `@another/foundry-local-mcp`. */
const OF_ANOTHER_SCOPE = /(?:^|[=:\\/])@[^\\/]+[\\/]foundry-local-mcp(?![\w-])/;
/** Many programs have a file of this name. */
const isMain = (word: string): boolean => /[\\/]dist[\\/]main\.js$/.test(word);
/** In the folder of this package: a clone, an archive of a branch or a version, or the one that runs. */
const isMainOfPackage = (word: string): boolean =>
  isMain(word) &&
  (/[\\/]foundry-local-mcp(?:-(?:main|master|v?\d[\w.-]*))?[\\/]dist[\\/]main\.js$/.test(word) ||
    path.resolve(word) === path.join(PACKAGE_FOLDER, "dist", "main.js"));

/** The index of the program in a command line, behind runners, the options of these, and a Node of any name. */
function programIn(words: readonly string[], isName: (word: string) => boolean): number {
  const at = words.findIndex((word) => !RUNNER.test(word) && !isOption(word));
  const program = words[at];
  if (program === undefined) return -1;
  if (isPackage(program) || isName(program)) return at;
  const script = words.findIndex((word, index) => index > at && !isOption(word));
  return at === 0 && isName(words[script] ?? "") ? script : -1;
}

/** Whether an entry starts this server. In an entry with another name the folder must be that of the package. */
export function isOurs(entry: unknown, name: string): boolean {
  const words = commandLine(entry);
  if (words.some((word) => OF_ANOTHER_SCOPE.test(word))) return false;
  return programIn(words, name === ENTRY_NAME ? isMain : isMainOfPackage) !== -1;
}

/** The file of this server that an entry names; `null` for a package. */
export function mainFileIn(entry: unknown): string | null {
  const words = commandLine(entry);
  const file = words[programIn(words, isMain)];
  return file !== undefined && isMain(file) ? file : null;
}

/** What follows the program in an entry of this server: what its user has added. */
export function flagsIn(entry: unknown): string[] {
  const words = commandLine(entry);
  const at = programIn(words, isMain);
  return at === -1 ? [] : words.slice(at + 1);
}

/** What stands between Node and the file of this server in an entry, such as `--use-system-ca`. */
function nodeOptionsIn(entry: unknown): string[] {
  const words = commandLine(entry);
  const at = programIn(words, isMain);
  if (!isMain(words[at] ?? "")) return [];
  const node = words.slice(0, at).findLastIndex((word) => !isOption(word));
  return /node[^\\/]*$/i.test(words[node] ?? "") ? words.slice(node + 1, at) : [];
}

/** Flags without those of some names; a flag ends where the next one begins. */
function flagsWithout(flags: readonly string[], names: readonly string[]): string[] {
  let isKept = true;
  return flags.filter((word) => {
    if (word.startsWith("--")) isKept = !names.includes(word.split("=", 1)[0] ?? "");
    return isKept;
  });
}

/**
 * The entry for a host: what is there already, with our members in their place. Flags of the user stay
 * unless the same are given, and so do options of Node.
 */
export function mergedEntry(
  host: HostKind,
  before: unknown,
  program: Program,
  given: {
    readonly flags: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    /** The flags of all settings that are given, also of those in `env`: a flag outranks its variable. */
    readonly names: readonly string[];
  } = { flags: [], env: {}, names: [] },
): Entry {
  const flags = [...flagsWithout(flagsIn(before), given.names), ...given.flags];
  const options = program.args.some(isMain) ? nodeOptionsIn(before) : [];
  const wanted = host.entry({
    command: program.command,
    args: [...options, ...program.args, ...flags],
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
