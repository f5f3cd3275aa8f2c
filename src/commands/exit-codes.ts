/**
 * A mistake in how a command was started, as opposed to 1, a failure.
 *
 * @public
 */
export const MISUSED = 2;
