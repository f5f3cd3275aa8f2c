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
