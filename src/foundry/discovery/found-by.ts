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
