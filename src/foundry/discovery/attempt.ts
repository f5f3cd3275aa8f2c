/** One thing that was tried, and its outcome, for the error and for `doctor`. */
export interface Attempt {
  /** `foundry server status`, `http://127.0.0.1:5273`, `daemon.json` … */
  readonly what: string;
  /** A clause for people: `nothing listens there`, `is not installed` … */
  readonly outcome: string;
  readonly ok: boolean;
}

/** The usual outcomes where nothing is found. Error messages leave them out. */
export const NOTHING_THERE = {
  commandLine: "is not installed, or not where it could be found",
  daemonFile: "is not there",
  ports: "nothing listens there",
  sdk: "is not installed beside foundry-local-mcp",
} as const;

/** Separates the headline of a message from its list of attempts. */
export const TRIED = " Tried: ";

/** A message without its list of attempts, for a report that shows them separately. */
export const withoutAttempts = (message: string): string => message.split(TRIED)[0] ?? message;

export const inCode = (command: string): string => `\`${command}\``;

/** A message as a clause, for use inside a sentence. */
export const withoutFullStop = (sentence: string): string => sentence.replace(/\.$/, "");

/** The ways in which an endpoint becomes known, in the order in which they are tried. */
export const FOUND_BY = [
  "set",
  "last_url",
  "server_status",
  "service_status",
  "daemon_file",
  "known_port",
  "guess",
  "started",
  "embedded",
] as const;
export type FoundBy = (typeof FOUND_BY)[number];

/** Each as a phrase that follows "found by". */
export const FOUND_BY_WORDS: Readonly<Record<FoundBy, string>> = {
  set: "the option `endpoint`",
  last_url: "the address it had before",
  server_status: "`foundry server status`",
  service_status: "`foundry service status`",
  daemon_file: "its own file, .foundry/daemon.json",
  known_port: "a port it often has, where a program of this user listens",
  guess:
    "guessing: it answers at a port that Foundry Local often has, and the system does not show whose program that is",
  started: "starting it",
  embedded: "running foundry-local-sdk in a child process",
};

/** A service that answered a probe. */
export interface Found {
  /** Base URL without slash and `/v1`. */
  readonly endpoint: string;
  readonly foundBy: FoundBy;
}

/** For the first answer of a service that was found by guessing. */
export const guessWarning = (endpoint: string): string =>
  `${endpoint} was found by guessing, and the system does not show whose program listens there. Set the option \`endpoint\` to it if it is yours, or the option \`discovery\` to declared, to use only what Foundry Local itself names.`;
