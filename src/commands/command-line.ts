/**
 * A mistake in how a command was started, as opposed to 1, a failure.
 *
 * @public
 */
export const MISUSED = 2;

/**
 * `--http` or `--http=ADDRESS`, with which `serve` serves many hosts.
 *
 * @public
 */
export const isHttpFlag = (flag: string): boolean => /^--http(?:=|$)/.test(flag);
