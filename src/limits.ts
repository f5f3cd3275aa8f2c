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

/** Bytes of a stream without any of the answer: above the largest event, and far above a keep-alive. */
export const MAX_IDLE_STREAM_BYTES = 64 * 1024 * 1024;
/** Events before the first token that are kept: roles, counts, what else an answer may begin with. */
export const MAX_EVENTS_AHEAD = 64;
export const MAX_CHARACTERS_AHEAD = 256 * 1024;
/** Events, and bytes, of one stream that are worked on before timers and other calls have their turn. */
export const EVENTS_PER_TURN = 128;
export const STREAM_BYTES_PER_TURN = 256 * 1024;
/** What a chunk of a body takes up besides its bytes, so that chunks of one byte are counted, too. */
export const CHUNK_OVERHEAD_BYTES = 64;
/** Text and thinking of one completion: two million tokens, which fit into no context. */
export const MAX_COMPLETION_CHARACTERS = 8 * 1024 * 1024;
/**
 * How far an answer may be above `max_tokens` before it is cut off. A piece of a stream is one token or
 * more on all known services; engines that send letter by letter are allowed for.
 */
export const MAX_PIECES_PER_TOKEN = 8;
export const PIECES_SLACK = 256;
/** The longest tokens, such as runs of blanks, have about so many characters. */
export const MAX_CHARACTERS_PER_TOKEN = 64;
export const CHARACTERS_SLACK = 64 * 1024;
/** Tokens of a prompt or an answer that are believed; no context is as large. */
export const MAX_TOKEN_COUNT = 100_000_000;
/** Of a word that a service gives and nobody here knows, such as a finish reason. */
export const MAX_UNKNOWN_WORD = 40;

// From programs that we start.

// From the disk.
