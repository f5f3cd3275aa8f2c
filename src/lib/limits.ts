/**
 * Every bound on what comes from outside, in one place, each with its reason. A bound that is a promise
 * to a caller (a setting, an option) stands where that setting is described; these are the ones that
 * keep one input, or the sum of many, from ending the process or delaying all other calls.
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

/** Bytes of a line. A prompt of 5 MB is 30 MB when each character of it is escaped. */
export const LONGEST_LINE = 64 * 1024 * 1024;
/**
 * Values in a line. A batch of 500 requests with 50 messages each has 100,000. A line of 64 MiB could
 * have 30 million, which take 2 GB and seconds in which nothing else is done.
 */
export const MOST_VALUES = 500_000;
/** Texts in one call for embeddings: each request for 32 of them takes a second on a slow device. */
export const MOST_TEXTS = 1000;
/** Code units of a schema for an answer. It is sent to the model, of whose context it takes a part. */
export const LONGEST_SCHEMA = 32_000;
/** Tools of one request. All are sent to the model, of whose context they take a part. */
export const MOST_TOOLS = 128;
/** Models that one request names; each that is tried may be loaded for minutes. */
export const MOST_MODELS_NAMED = 10;
/** Routes in the settings; their names may be listed to a model. */
export const MOST_ROUTES = 50;
/** Models that "auto" tries where one cannot be loaded. */
export const MOST_AUTO_TRIES = 3;
/** Images of one request. Each takes some hundred tokens of the context at least. */
export const MOST_IMAGES = 16;
/** Bytes of one image. Photos of 12 megapixels have 3 to 6 MB, and models see about one megapixel. */
export const LONGEST_IMAGE_BYTES = 10 * 1024 * 1024;
/** For the check of one answer by its schema: a `pattern` can take years, and no other call runs then. */
export const LONGEST_CHECK_MS = 1000;
/** Lines about a value that does not fit its schema: a small model can follow no more. */
export const MOST_COMPLAINTS = 8;
/** Messages in one list, which is one line. Hosts send a handful; each is answered alone. */
export const MOST_MESSAGES_IN_LIST = 100;
/**
 * Requests that are not answered yet; further input waits. All their answers may come in one moment,
 * and then they all wait in memory for the host.
 */
export const MOST_IN_FLIGHT = 1000;
/** Code units of lines that wait for their turn; above it nothing is read. The end of stdin is seen up to here. */
export const MOST_INPUT_WAITING = 1024 * 1024;
/** What came before the end of stdin is still taken for so long: the host may only have closed its end. */
export const LAST_LINES_MS = 1000;
/** What a line that waits takes besides its text. */
export const WAITING_LINE = 64;
/** Elements of one list among the arguments of a tool. Each that does not fit is an object of the check. */
export const MOST_ELEMENTS = 10_000;
/** Mistakes that one error names. A caller that makes more corrects these first. */
export const MOST_MISTAKES = 10;

// To the host: stdout and stderr.

/** Bytes of answers that the host has not read; above it no request is begun and no progress sent. */
export const MOST_OUTPUT_WAITING = 1024 * 1024;
/** Refusals without an id in a period. Each is 50 times what it refuses, and no caller waits for it. */
export const MOST_ANONYMOUS_REFUSALS = 1000;
export const ANONYMOUS_PERIOD_MS = 10_000;
/** Code units of a text about a failure. No reader needs more, and it may quote what came. */
export const LONGEST_ERROR = 2000;
/** Code units of a list of names that a user types. Each of the hundred lists that are proposed repeats it. */
export const LONGEST_TYPED = 10_000;
/** Code units of a name or a value from a caller that is quoted back. */
export const LONGEST_QUOTE = 60;
/** Errors of the protocol that are logged in a period; a flood of them must not flood the log. */
export const MOST_ERRORS_LOGGED = 20;
export const ERRORS_LOGGED_PERIOD_MS = 10_000;

// From a service: bodies, streams, lists, errors.

/**
 * Streams, loads and other long requests to one endpoint at once; further ones wait. C2 has a thread for each
 * connection. Services were seen to cut those beyond 128, of which other clients need some.
 */
export const MOST_LONG_REQUESTS = 104;
/** Short requests to one endpoint at once. They do not wait for the long ones; each takes milliseconds. */
export const MOST_SHORT_REQUESTS = 16;
/** A request with a longer limit, or none, may be a load or a generation. */
export const SHORT_REQUEST_MS = 60_000;
/** A list: the catalog of 10,000 models has 5 MB. */
export const MAX_LIST_BYTES = 8 * 1024 * 1024;
/** Vectors of 32 texts with 4096 numbers each, 22 characters a number. */
export const MAX_EMBEDDINGS_BYTES = 8 * 1024 * 1024;
/** What a status, a load or an unload answers is some hundred bytes. */
export const MAX_STATUS_BYTES = 1024 * 1024;
/** Values in an answer: 10,000 models with 30 members each have 300,000. */
export const MOST_ANSWER_VALUES = 500_000;
/** Code units of a model's id, and of other words about it. The longest known id has 70. */
export const LONGEST_MODEL_NAME = 300;
/** Words in one member of a listed model that are read, and their length; engines write a handful. */
export const MOST_LISTED_WORDS = 50;
export const LONGEST_LISTED_WORD = 100;
/** Redirects that are followed for one request: a slash at the end and a prefix are two. */
export const MOST_REDIRECTS = 5;
/** Code units of the target of a redirect in a message. */
export const LONGEST_REDIRECT = 500;
/** Megabytes of a model that are believed: a petabyte. */
export const MOST_MODEL_MB = 1_000_000_000;
/** Process ids have 32 bits at most. */
export const HIGHEST_PID = 0xffff_ffff;
/** Models of which something is remembered: what they refuse, their queue, learned context, counted prompts, speed. */
export const MOST_MODELS_REMEMBERED = 200;
/** Models with counts of their own in the metrics; each has some kilobytes. */
export const MOST_MODELS_MEASURED = 50;
/** Schemas of an endpoint's models of which it is remembered what the engine refuses of them. */
export const MOST_SCHEMAS_REMEMBERED = 200;
/** Names that a mistyped one is compared with, and code units of each: each pair costs their product. */
export const MOST_NAMES_COMPARED = 2000;
export const LETTERS_COMPARED = 64;

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
/** Vectors of documents that are kept: those of some 10 MB of text. */
export const MOST_VECTOR_BYTES = 64 * 1024 * 1024;
/** Parts in which one text is answered; each is a request that takes seconds. */
export const MOST_PARTS = 1000;
/** All answers in the cache: some thousand ordinary ones. */
export const MOST_CACHE_BYTES = 64 * 1024 * 1024;
/** Text and thinking of one completion: two million tokens, which fit into no context. */
export const MAX_COMPLETION_CHARACTERS = 8 * 1024 * 1024;
/** Calls of tools in one answer; a model that repeats itself writes calls up to its token limit. */
export const MOST_CALLS = 64;
/** Starts of calls without an end in one answer, after each of which the text is searched again. */
export const MOST_FALSE_CALLS = 16;
/** Code units of a call's id and of the name of a tool. Both have 64 at most in the OpenAI API. */
export const LONGEST_CALL_ID = 200;
/** How long after its `finish_reason` a stream may take for its counts and `[DONE]`. */
export const COUNTS_AFTER_END_MS = 1000;
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
/** Code units of an unknown word of a service that is quoted, such as a finish reason. */
export const MAX_UNKNOWN_WORD = 40;

/** Code units of the ids of a request that a service reports; an id is a UUID or shorter. */
export const MAX_REQUEST_ID = 200;

/** Of a service's words about a failure, what is searched; a page of HTML has its title by then. */
export const SEARCHED_OF_BODY = 16_384;
/** Of its message alone, what is searched for what it means; 300 characters of it are shown. */
export const SEARCHED_OF_MESSAGE = 4000;

/** The longest `Retry-After` that is believed: a year. */
export const LONGEST_RETRY_AFTER_MS = 365 * 24 * 3600 * 1000;

// Between the processes of this user: the keeper.

/** Completions that the keeper holds; two batches of the largest size and what hosts have beside them. */
export const MOST_HELD = 1200;
/** Code units of all requests and texts that the keeper holds. */
export const MOST_HELD_CHARACTERS = 32 * 1024 * 1024;
/** Ids in one search of the keeper; a host may listen to more completions at once. */
export const MOST_IDS_SOUGHT = 100;
/** Processes that are connected to the keeper at once. */
export const MOST_KEEPER_CONNECTIONS = 100;
/** Bytes that a connected process has not read; above it, its connection ends. */
export const MOST_UNREAD_BYTES = 64 * 1024 * 1024;

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

// From a person at a terminal.

/** Bytes of a question, and of each file beside it: a million tokens, which no local model reads at once. */
export const LONGEST_ASK_BYTES = 4 * 1024 * 1024;
/** Bytes of a host's configuration file. That of Claude Code has its history: some megabytes. */
export const HOST_FILE_BYTES = 64 * 1024 * 1024;

// From the disk.

/** A file of a few lines: the lock of downloads. */
export const LOCK_FILE_BYTES = 4096;
/** The speeds of models: 200 bytes for each. */
export const SPEED_FILE_BYTES = 256 * 1024;
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
/** What a server of this user writes about itself: some kilobytes, and each model has one more. */
export const SERVER_FILE_BYTES = 1024 * 1024;
/** Running servers that are read. Each is a process of this user. */
export const MOST_SERVERS_READ = 100;
/** Names in all folders of one look: a thousand models have ten thousand. */
export const FOLDER_WALK_ENTRIES = 20_000;
/** Models registered by the user whose folders are looked at; each is a read. */
export const REGISTERED_MODELS_READ = 200;

// To the hosts.

/** Characters of the thinking in a result: a detail beside the answer. */
export const LONGEST_REASONING = 20_000;

// From the folders that the user allowed.

/** Paths and globs in one call, and code units of each. */
export const MOST_FILE_PATTERNS = 100;
export const LONGEST_FILE_PATTERN = 1000;
/**
 * Stars in a glob and in one part of it. The time of a match grows with the length of a name to the power
 * of their number.
 */
export const MOST_STARS = 8;
export const MOST_STARS_IN_PART = 3;
/** In how many ways the `{a,b}` of a glob can be read: the time of a match grows with their number. */
export const MOST_GLOB_CHOICES = 64;
/** Files that one call reads, and bytes of one and of all: each MB is about 250,000 tokens. */
export const MOST_FILES = 500;
export const MOST_FILE_BYTES = 8 * 1024 * 1024;
export const MOST_FILES_BYTES = 32 * 1024 * 1024;
/** For one file of a local disk or a share in the network. */
export const ALLOWED_FILE_MS = 10_000;
/** Names that the globs of one call look at, folders within folders, and the time for all. */
export const GLOB_ENTRIES = 50_000;
export const GLOB_DEPTH = 40;
export const GLOB_MS = 15_000;
/** Links on the way to one file; systems follow 40. */
export const MOST_LINKS = 40;
/** Code units of a path that is shown. */
export const LONGEST_SHOWN_PATH = 300;
