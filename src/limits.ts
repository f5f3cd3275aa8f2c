/**
 * Every bound on what comes from outside, in one place, each with its reason. A bound that is a promise
 * to a caller (a setting, an option) stands where that setting is described; these are the ones that
 * keep one input, or the sum of many, from ending the process or holding up everybody else.
 *
 * Sizes are bytes where bytes are counted, else UTF-16 code units; times are milliseconds.
 */

// From anywhere: JSON.

/**
 * Levels of lists and objects in a JSON text. What we read has 10 at most; deeper ones exhaust the
 * stack of whatever walks through them, and take 80 times their bytes in memory.
 */
export const DEEPEST_JSON = 100;

// From the host: stdin.

// To the host: stdout and stderr.

// From a service: bodies, streams, lists, errors.

// From programs that we start.

// From the disk.
