/**
 * Every bound on what comes from outside, in one place, each with its reason. A bound that is a promise
 * to a caller (a setting, an option) stands where that setting is described; these are the ones that
 * keep one input, or the sum of many, from ending the process or holding up everybody else.
 *
 * Sizes are bytes where bytes are counted, else UTF-16 code units; times are milliseconds.
 */

// From the host: stdin.

// To the host: stdout and stderr.

// From a service: bodies, streams, lists, errors.

// From programs that we start.

/** A status, a complaint or a page of help is shorter; what a program writes later is another's log. */
export const MOST_ANSWER_BYTES = 256 * 1024;
/**
 * Of each stream of a program, what is decoded and looked at; what comes after it is read and dropped,
 * so that a flood costs no memory and hardly any time. A progress bar that is drawn ten times a second
 * for five hours is less.
 */
export const MOST_OUTPUT_BYTES = 64 * 1024 * 1024;
/** A line of a program's output, in the log and for what it says; the rest of it is dropped. */
export const LONGEST_OUTPUT_LINE = 4000;

// From the disk.
