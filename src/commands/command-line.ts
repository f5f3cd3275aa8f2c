/**
 * A mistake in how a command was started, as opposed to 1, a failure.
 *
 * @public
 */
export const MISUSED = 2;

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
