/** The exit codes of the commands for a terminal. */
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
