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

// From the disk.

/** A file of a few lines: a claim to a download. */
export const CLAIM_FILE_BYTES = 4096;
/** What a daemon says about itself: some lines; with room for members that do not exist yet. */
export const DAEMON_FILE_BYTES = 64 * 1024;
/** A model's configuration, a package's manifest: some kB; a chat template may be a hundred. */
export const CONFIG_FILE_BYTES = 1024 * 1024;
/** The catalog of all models: 200 kB for some hundred. Parsed at once, so it must not be large. */
export const CATALOG_FILE_BYTES = 8 * 1024 * 1024;
/** The system's table of sockets: 150 bytes for each connection of the machine. */
export const SOCKET_TABLE_BYTES = 8 * 1024 * 1024;
/** For one file of a local disk, which takes a few; less than what asks for it has. */
export const FILE_READ_MS = 3000;
/** For all folders of one look at a model cache. */
export const FOLDER_WALK_MS = 2000;
/** Names in all folders of one look: a thousand models have ten thousand. */
export const FOLDER_WALK_ENTRIES = 20_000;
/** Models registered by the user whose folders are looked at; each is a read. */
export const REGISTERED_MODELS_READ = 200;
