import type { FoundryError } from "../../errors.js";

/** The ways in which an endpoint becomes known, in the order in which they are tried. */
export const FOUND_BY = [
  "set",
  "last_url",
  "server_status",
  "service_status",
  "daemon_file",
  "known_port",
  "started",
  "embedded",
] as const;
export type FoundBy = (typeof FOUND_BY)[number];

/** A service that answered a probe. */
export interface Found {
  /** Base URL without slash and `/v1`. */
  readonly endpoint: string;
  readonly foundBy: FoundBy;
}

/** One thing that was tried, and what came of it, for the error and for `doctor`. */
export interface Trial {
  /** `foundry server status`, `http://127.0.0.1:5273`, `daemon.json` … */
  readonly what: string;
  /** A clause for people: `nothing listens there`, `is not installed` … */
  readonly outcome: string;
  readonly ok: boolean;
}

export interface Search {
  readonly found: Found | null;
  readonly trials: readonly Trial[];
  /** Why there is nothing, as the error to throw; `null` when something was found. */
  readonly error: FoundryError | null;
}
