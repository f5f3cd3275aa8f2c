import type { FoundryError } from "../../lib/index.js";

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

/** Each in words that follow "found by". */
export const FOUND_BY_WORDS: Readonly<Record<FoundBy, string>> = {
  set: "FOUNDRY_ENDPOINT",
  last_url: "the address it had before",
  server_status: "`foundry server status`",
  service_status: "`foundry service status`",
  daemon_file: "its own file, .foundry/daemon.json",
  known_port: "a port it often has, where a program of this user listens",
  guess:
    "guessing: it answers at a port that Foundry Local often has, and the system does not show whose program that is",
  started: "starting it",
  embedded: "running foundry-local-sdk in this server",
};

/** A service that answered a probe. */
export interface Found {
  /** Base URL without slash and `/v1`. */
  readonly endpoint: string;
  readonly foundBy: FoundBy;
}

/** For the first answer of a service that was found by guessing. */
export const guessWarning = (endpoint: string): string =>
  `${endpoint} was found by guessing, and the system does not show whose program listens there. Set FOUNDRY_ENDPOINT to it if it is yours, or FOUNDRY_DISCOVERY=declared to use only what Foundry Local itself names.`;

/** Outcomes of places where there mostly is nothing, which is worth no word in a message. */
export const NOTHING_THERE = {
  commandLine: "is not installed, or not where it could be found",
  daemonFile: "is not there",
  ports: "nothing listens there",
  sdk: "is not installed beside this server",
} as const;

/** One thing that was tried, and what came of it, for the error and for `doctor`. */
export interface Trial {
  /** `foundry server status`, `http://127.0.0.1:5273`, `daemon.json` … */
  readonly what: string;
  /** A clause for people: `nothing listens there`, `is not installed` … */
  readonly outcome: string;
  readonly ok: boolean;
}

/** In a message, before what was tried. */
export const TRIED = " Tried: ";

/** For who shows beside it what was tried. */
export const withoutTrials = (message: string): string => message.split(TRIED)[0] ?? message;

export interface Search {
  readonly found: Found | null;
  readonly trials: readonly Trial[];
  /** Why there is nothing, as the error to throw; `null` when something was found. */
  readonly error: FoundryError | null;
  /** Where nothing was found: whether starting it `failed`, or is left to the `next` call that needs it. */
  readonly start?: "failed" | "next";
}
