/**
 * The exit codes of the commands for a terminal.
 *
 * @public
 */
export const EXIT = {
  done: 0,
  failed: 1,
  /** A wrong flag, argument or setting. */
  misused: 2,
  /** No service answers. */
  noService: 3,
  /** The model is not there, or not downloaded. */
  noModel: 4,
  /** What a shell expects of a command that Ctrl+C ended. */
  interrupted: 130,
} as const;

/**
 * The commands that a person types. Each has a help of its own.
 *
 * @public
 */
export const TYPED_COMMANDS = [
  "ask",
  "models",
  "download",
  "load",
  "unload",
  "bench",
  "setup",
  "doctor",
  "monitor",
  "demo",
  "serve",
  "simulate",
] as const;

/**
 * `--http` or `--http=ADDRESS`, with which `serve` serves many hosts.
 *
 * @public
 */
export const isHttpFlag = (flag: string): boolean => /^--http(?:=|$)/.test(flag);

/**
 * What a person has to do where this Node cannot run the server; `null` where it can.
 *
 * @public
 */
export const outdatedNode = (version: string): string | null =>
  version.localeCompare("20.18.1", "en", { numeric: true }) >= 0
    ? null
    : `foundry-local-mcp needs Node.js 20.18.1 or later, and this is ${version}. Install Node.js 22 or later from https://nodejs.org, and use it here.`;
