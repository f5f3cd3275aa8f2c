import { stripVTControlCharacters } from "node:util";
import { z } from "zod";
import { jsonFrom } from "../../lib/index.js";
import { sanitizeMessage } from "../dialects/index.js";
import { urlsIn } from "./cli-urls.js";
import type { CliReport } from "./contract.js";

/** What a command about the service wrote, read. Facts: docs/foundry-local.md, section 12. */
export type CliAnswer =
  | { readonly kind: "report"; readonly report: Exclude<CliReport, { kind: "failed" }> }
  /** It reached a command of this name, which could not do its work. */
  | { readonly kind: "broken"; readonly what: string }
  | { readonly kind: "unknown_command" }
  /** The command is known, its `-o json` is not. */
  | { readonly kind: "unknown_option" }
  | { readonly kind: "unusable" };

export interface CliText {
  readonly stdout: string;
  readonly stderr: string;
}

export function readAnswer(written: CliText): CliAnswer {
  const stdout = plain(written.stdout);
  const stderr = plain(written.stderr);
  const all = `${stdout}\n${stderr}`;
  const report = jsonReport(stdout) ?? jsonReport(stderr);
  if (report !== null) return { kind: "report", report };
  if (/Request to local service failed/i.test(all)) {
    return { kind: "broken", what: "says that it cannot reach its own service" };
  }
  const refusal = refusalIn(all);
  if (refusal !== null) return { kind: refusal };
  const told = textReport(all);
  return told === null ? { kind: "unusable" } : { kind: "report", report: told };
}

/** What an unfinished output says already: its last word may be half of a longer one. */
export function readSoFar({ stdout, stderr }: CliText): CliAnswer {
  const report = jsonReport(plain(stdout));
  if (report !== null) return { kind: "report", report };
  return readAnswer({ stdout: wholeWordsOf(stdout), stderr: wholeWordsOf(stderr) });
}

/** No answer is longer; what is may have any shape, and is read once for each piece of it. */
const LONGEST_ANSWER = 64 * 1024;

const plain = (text: string): string => stripVTControlCharacters(text.slice(-LONGEST_ANSWER));

const wholeWordsOf = (text: string): string =>
  text.slice(0, Math.max(...[" ", "\t", "\n"].map((space) => text.lastIndexOf(space))) + 1);

const COMPLAINT = /^[^\w\r\n]*(?:error|exception|fatal)(?: \(\d+\))?: *(\S.*)$/im;
/** All that was written, with the program's name before it or not; a page of help is longer. */
const ONLY_LINE = /^(?:foundry: *)?(\S[^\r\n]*)$/i;
const LONGEST_COMPLAINT = 160;

/** What it complained of, as a clause without paths; `null` where it made no complaint. */
export function readComplaint({ stdout, stderr }: CliText): string | null {
  const said =
    COMPLAINT.exec(plain(stderr)) ??
    COMPLAINT.exec(plain(stdout)) ??
    ONLY_LINE.exec(plain(stderr).trim());
  const words = sanitizeMessage(said?.[1] ?? "")
    .slice(0, LONGEST_COMPLAINT)
    .toWellFormed()
    .replace(/^[^\p{L}\p{N}'([]+|[\s.!]+$/gu, "");
  return words === "" ? null : words;
}

/** `0.8.113+70167233c5` as `0.8.113`, whatever is written around it; `null` where there is none. */
export function readVersion(written: CliText): string | null {
  const text = `${plain(written.stdout)}\n${plain(written.stderr)}`.replace(/https?:\/\/\S+/gi, "");
  const alone = new RegExp(`^[ \\t]*${VERSION}\\s*$`, "m").exec(text);
  const among = new RegExp(`(?<![\\w.])${VERSION}(?!\\w|\\.\\d)`).exec(text);
  return alone?.[1] ?? among?.[1] ?? null;
}

const VERSION = String.raw`v?(\d+(?:\.\d+){2,3}(?:-[0-9A-Za-z]+(?:[.-][0-9A-Za-z]+)*)?)(?:\+[0-9A-Za-z.-]+)?`;

type Told = Exclude<CliReport, { kind: "failed" }>;

const unknownMember = z.unknown().optional();
const Status = z.object({
  running: z.boolean().optional().catch(undefined),
  state: z.string().optional().catch(undefined),
  pid: z.number().int().positive().nullable().catch(null).default(null),
  port: z.number().int().min(1).max(65_535).optional().catch(undefined),
  webUrls: unknownMember,
  web_urls: unknownMember,
  urls: unknownMember,
});

function jsonReport(text: string): Told | null {
  let told: Told | null = null;
  for (const value of jsonObjectsIn(text)) told = reportFrom(value) ?? told;
  return told;
}

function reportFrom(value: unknown): Told | null {
  const status = Status.safeParse(value).data;
  if (status === undefined) return null;
  const { running, state, pid, port } = status;
  const named = JSON.stringify([status.webUrls, status.web_urls, status.urls]);
  const urls = urlsIn(named);
  if (urls.length === 0 && port !== undefined) urls.push(`http://127.0.0.1:${port}`);
  const isStopped = running === false || (running === undefined && SAYS_NO.test(state ?? ""));
  if (isStopped) return { kind: "stopped", urls };
  // Of something else, or of a service that does not know yet where it will listen.
  return urls.length === 0 ? null : { kind: "running", urls, pid };
}

const SAYS_NO = /^(?:not[ _-]?running|stopped)$/i;

/** More beginnings than that are no status with a banner before it. */
const MOST_BEGINNINGS = 200;

/**
 * The JSON objects in a text, outermost ones only. Lines of a log before or after may hold braces of
 * their own.
 */
function* jsonObjectsIn(text: string): Generator<unknown> {
  let from = text.indexOf("{");
  for (let tried = 0; from !== -1 && tried < MOST_BEGINNINGS; tried += 1) {
    const end = endOfObject(text, from);
    const value = end === null ? undefined : jsonFrom(text.slice(from, end));
    if (value !== undefined) yield value;
    from = text.indexOf("{", value === undefined || end === null ? from + 1 : end);
  }
}

/** Behind the brace that closes the one at `from`, braces in strings aside. */
function endOfObject(text: string, from: number): number | null {
  let depth = 0;
  let inString = false;
  for (let at = from; at < text.length; at += 1) {
    const character = text[at];
    if (inString) {
      if (character === "\\") at += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === "{") depth += 1;
    else if (character === "}") {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return null;
}

/** The last line that says something counts: a restart says that it stopped, then where it runs. */
function textReport(text: string): Told | null {
  let isRunning = false;
  let isStopped = false;
  let urls: string[] = [];
  let pid: number | null = null;
  // A carriage return alone begins a line too: progress is drawn over with it.
  for (const line of text.split(/[\r\n]+/)) {
    const named = urlsIn(line);
    if (SAYS_STOPPED.test(line)) {
      [isRunning, isStopped, urls] = [false, true, named];
    } else if (named.length > 0 && SAYS_WHERE.test(line)) {
      [isRunning, isStopped, urls] = [true, false, named];
    } else if (named.length > 0 && IS_URL_ROW.test(line)) {
      // Of a table, whose row `State` has said which it is.
      [isRunning, urls] = [!isStopped, named];
    }
    pid = pidIn(line) ?? pid;
  }
  if (isStopped) return { kind: "stopped", urls };
  return isRunning ? { kind: "running", urls, pid } : null;
}

const SAYS_STOPPED = /\bnot[ _-]running\b|\bis (?:stopped|not started)\b|^\s*State:?\s+Stopped\b/i;
/** Only words of a service that runs: an address that is in use is no place to look for it. */
const SAYS_WHERE = /\b(?:running|started|listening) (?:on|at)\b/i;

const IS_URL_ROW = /\bWeb URLs?\b/i;

function pidIn(line: string): number | null {
  const digits = /\bPID:?\s+(\d+)/i.exec(line)?.[1];
  return digits === undefined || Number(digits) === 0 ? null : Number(digits);
}

/**
 * Told by the words, not by the exit code: the old command line's is not known, and others end with
 * 2 as well.
 */
function refusalIn(text: string): "unknown_command" | "unknown_option" | null {
  const refused = [
    ...text.matchAll(/Unrecognized command or argument '([^']*)'/gi),
    ...text.matchAll(/Unknown (?:command|argument|option):? '?([^'\s]+)'?/gi),
    ...text.matchAll(/'([^']*)' was not matched/gi),
  ].map(([, word]) => word ?? "");
  if (refused.length === 0) {
    return /Required command was not provided/i.test(text) ? "unknown_command" : null;
  }
  return refused.every((word) => /^-|^json$/.test(word)) ? "unknown_option" : "unknown_command";
}
