import * as z from "zod";
import { endOfJson, jsonFrom, truncate, withoutAnsi } from "../../lib/index.js";
import type { ProgramRun } from "../../platform/index.js";
import { sanitizeMessage } from "../dialects/index.js";

/** A service's state by the output of a command. */
export interface ServiceReport {
  /** `starting`: it does not run yet, which takes minutes where it downloads execution providers. */
  readonly kind: "running" | "stopped" | "starting";
  /**
   * The addresses where it reportedly listens; none where the command started it and printed none.
   * Only a probe shows whether that is true. Where it does not run, addresses may remain from an earlier
   * run; in one report of users a live one was among them.
   */
  readonly urls: readonly string[];
}

/** The parsed output of a command about the service (docs/foundry-local.md, section 12). */
export type CliAnswer =
  | { readonly kind: "report"; readonly report: ServiceReport }
  /** The command is known, and failed. */
  | { readonly kind: "broken"; readonly what: string }
  | { readonly kind: "unknown_command" }
  /** The command is known, but not its option `-o json`. */
  | { readonly kind: "unknown_option" }
  | { readonly kind: "unusable" };

type CliText = Pick<ProgramRun, "stdout" | "stderr">;

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
  const reportInText = textReport(all);
  return reportInText === null ? { kind: "unusable" } : { kind: "report", report: reportInText };
}

/** Parses an unfinished output, whose last word may be incomplete. */
export function readSoFar({ stdout, stderr }: CliText): CliAnswer {
  const report = jsonReport(plain(stdout));
  if (report !== null) return { kind: "report", report };
  return readAnswer({ stdout: completeWordsOf(stdout), stderr: completeWordsOf(stderr) });
}

/** A bound on the output that is parsed, which happens again for each chunk of it. */
const LONGEST_ANSWER = 64 * 1024;

const plain = (text: string): string => withoutAnsi(text.slice(-LONGEST_ANSWER));

const completeWordsOf = (text: string): string =>
  text.slice(0, Math.max(...[" ", "\t", "\n"].map((space) => text.lastIndexOf(space))) + 1);

const COMPLAINT = /^[^\w\r\n]*(?:error|exception|fatal)(?: \(\d+\))?: *(\S.*)$/im;
/** An output of a single line, with or without the program's name before it. */
const ONLY_LINE = /^(?:foundry: *)?(\S[^\r\n]*)$/i;
const LONGEST_COMPLAINT = 160;

/** The error message of a command, as a clause without paths; `null` where there is none. */
export function readComplaint({ stdout, stderr }: CliText): string | null {
  const match =
    COMPLAINT.exec(plain(stderr)) ??
    COMPLAINT.exec(plain(stdout)) ??
    ONLY_LINE.exec(plain(stderr).trim());
  const message = truncate(sanitizeMessage(match?.[1] ?? ""), LONGEST_COMPLAINT).replace(
    /^[^\p{L}\p{N}'([]+|[\s.!]+$/gu,
    "",
  );
  return message === "" ? null : message;
}

/** The version in an output, such as `0.8.113` of `0.8.113+70167233c5`; `null` where there is none. */
export function readVersion(written: CliText): string | null {
  const text = `${plain(written.stdout)}\n${plain(written.stderr)}`.replace(/https?:\/\/\S+/gi, "");
  const alone = new RegExp(`^[ \\t]*${VERSION}\\s*$`, "m").exec(text);
  const among = new RegExp(`(?<![\\w.])${VERSION}(?!\\w|\\.\\d)`).exec(text);
  return alone?.[1] ?? among?.[1] ?? null;
}

const VERSION = String.raw`v?(\d+(?:\.\d+){2,3}(?:-[0-9A-Za-z]+(?:[.-][0-9A-Za-z]+)*)?)(?:\+[0-9A-Za-z.-]+)?`;

const unknownMember = z.unknown().optional();
const Status = z.object({
  running: z.boolean().optional().catch(undefined),
  state: z.string().optional().catch(undefined),
  port: z.number().int().min(1).max(65_535).optional().catch(undefined),
  webUrls: unknownMember,
  web_urls: unknownMember,
  urls: unknownMember,
});

function jsonReport(text: string): ServiceReport | null {
  let last: ServiceReport | null = null;
  for (const value of jsonObjectsIn(text)) last = reportFrom(value) ?? last;
  return last;
}

function reportFrom(value: unknown): ServiceReport | null {
  const status = Status.safeParse(value).data;
  if (status === undefined) return null;
  const { running, state, port } = status;
  const named = JSON.stringify([status.webUrls, status.web_urls, status.urls]);
  const urls = urlsIn(named);
  if (urls.length === 0 && port !== undefined) urls.push(`http://127.0.0.1:${port}`);
  const isStopped = running === false || (running === undefined && STATE_STOPPED.test(state ?? ""));
  if (STATE_STARTING.test(state ?? "")) return { kind: "starting", urls };
  if (isStopped) return { kind: "stopped", urls };
  // The JSON is about something else, or the service does not listen yet.
  return urls.length === 0 ? null : { kind: "running", urls };
}

const STATE_STOPPED = /^(?:not[ _-]?running|stopped)$/i;
const STATE_STARTING = /^(?:initiali[sz]ing|starting)$/i;

/** A bound on the braces that are tried as the beginning of an object. */
const MAX_BEGINNINGS = 200;

/** The outermost JSON objects in a text. Log lines around them may contain other braces. */
export function* jsonObjectsIn(text: string): Generator<unknown> {
  let from = text.indexOf("{");
  for (let tried = 0; from !== -1 && tried < MAX_BEGINNINGS; tried += 1) {
    const end = endOfJson(text, from);
    const value = end === -1 ? undefined : jsonFrom(text.slice(from, end));
    if (value !== undefined) yield value;
    from = text.indexOf("{", value === undefined || end === -1 ? from + 1 : end);
  }
}

/** The last line about the state counts: a restart prints that the service stopped, then its address. */
function textReport(text: string): ServiceReport | null {
  let isRunning = false;
  let isStopped = false;
  let urls: string[] = [];
  // A carriage return alone begins a line, too: progress is overwritten with it.
  for (const line of text.split(/[\r\n]+/)) {
    const named = urlsIn(line);
    if (SAYS_STOPPED.test(line)) {
      [isRunning, isStopped, urls] = [false, true, named];
    } else if (named.length > 0 && SAYS_WHERE.test(line)) {
      [isRunning, isStopped, urls] = [true, false, named];
    } else if (named.length > 0 && IS_URL_ROW.test(line)) {
      // A table, whose row `State` comes before.
      [isRunning, urls] = [!isStopped, named];
    }
  }
  if (isStopped) return { kind: "stopped", urls };
  return isRunning ? { kind: "running", urls } : null;
}

const SAYS_STOPPED = /\bnot[ _-]running\b|\bis (?:stopped|not started)\b|^\s*State:?\s+Stopped\b/i;
/** Only of a running service: an error about an address in use must not match. */
const SAYS_WHERE = /\b(?:running|started|listening) (?:on|at)\b/i;

const IS_URL_ROW = /\bWeb URLs?\b/i;

/** By the message, not by the exit code: that of the old command line is not known. */
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

/** Hosts that stand for any address of this machine, or whose first address may be IPv6. */
const LOCAL_HOSTS = new Set(["0.0.0.0", "[::]", "localhost", "*", "+"]);

const URL_WITH_PORT = /(https?):\/\/(\[[0-9a-f:.]+\]|[\w.-]+|\*|\+):(\d{1,5})(?!\d)/gi;

/** The origins of all URLs with a port in a text, each once. Port 0 means that nothing listens. */
function urlsIn(text: string): string[] {
  const origins = [...text.matchAll(URL_WITH_PORT)].flatMap(([, scheme, host, digits]) => {
    const port = Number(digits);
    if (scheme === undefined || host === undefined || port < 1 || port > 65_535) return [];
    const name = host.toLowerCase();
    return [`${scheme.toLowerCase()}://${LOCAL_HOSTS.has(name) ? "127.0.0.1" : name}:${port}`];
  });
  return [...new Set(origins)];
}
