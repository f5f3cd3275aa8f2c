import { truncate } from "../../lib/index.js";
import { sanitizeMessage } from "../dialects/index.js";
import { linesOf, percentOf } from "./download-output.js";
import type { CliError, DownloadFault } from "./failures.js";

/** The first match counts: a registry that cannot be reached is not a model that is missing there. */
const REASONS: readonly (readonly [DownloadFault, RegExp])[] = [
  ["unknown_command", /unrecognized (?:command|argument)|unknown (?:command|option)\b/i],
  [
    "disk_full",
    /not enough (?:disk )?space|no space left|disk (?:is )?full|insufficient (?:disk|storage|free) ?space|\bENOSPC\b/i,
  ],
  [
    "network",
    /no such host|name (?:or service|resolution)|\b(?:SSL|TLS|proxy|certificate)\b|region\(s\)|registry request|no models were returned|time-?outs?\b|timed? out|task was canceled|forcibly closed|connection (?:was |could |refused|reset|attempt|closed|aborted)|transport connection|network (?:is )?(?:unreachable|error|down)|response ended prematurely|\bE(?:CONN\w+|NOTFOUND|TIMEDOUT|AI_AGAIN)\b|HttpRequestException/i,
  ],
  [
    "not_in_catalog",
    /not (?:found )?in (?:the |any )?(?:\w+ )?catalog|model\b.{0,120}\b(?:was |is )?not found|no (?:matching )?models? (?:was |were )?(?:found|match)|unknown model|no model matching/i,
  ],
];

/** Prefixes of a message: marks, times, levels, names of exceptions. */
const PREFIXES = [
  /^[^\p{L}\p{N}[('"]+/u,
  /^\[\d\d:\d\d:\d\d [A-Z]{3}\] ?/,
  /^(?:error|exception|fatal|failed)(?: \(\d+\))?: ?/i,
  /^IPC error '[^']*': ?/i,
  /^Failed to download model [^,]{1,200}, error /i,
  /^Error downloading model \S{1,200}: ?/i,
  /^(?:[A-Za-z_]\w*\.)+\w*(?:Exception|Error): ?/,
];

const COMPLAINS =
  /\b(?:error|exception|ERR)\b|\b(?:failed|cannot|could not|unable|not found|not enough)\b/i;
/** Stacks, advice, and complaints about other models that every command of some versions prints (#718). */
const IS_NOISE = /^(?:at |--- |---> |Hint:|(?:\[[^\]]*\] ?)?Failed to process model #\d)/;
/** Messages that say that it failed, and nothing else. */
const SAYS_NOTHING = /^(?:Downloading \S+|LogException)?$/;
const LONGEST = 160;
/** Bounds the text that the expressions search. */
const MOST = 20_000;
const LONGEST_LINE = 2000;

/** Finds the reason in the output of a command line that failed. */
export function cliErrorOf(stdout: string, stderr: string): CliError {
  const lines = [...linesOf(stderr.slice(-MOST)), ...linesOf(stdout.slice(-MOST))]
    .map((line) => line.slice(0, LONGEST_LINE))
    .filter((line) => !IS_NOISE.test(line));
  const said = lines.join(" ");
  const reason = REASONS.find(([, words]) => words.test(said))?.[0] ?? "unknown";
  const complaints = lines.map(withoutProgress).filter((line) => COMPLAINS.test(line));
  const clauses = (complaints.length > 0 ? complaints : lines.filter(isWords).slice(-1)).map(
    clauseOf,
  );
  // The line with the reason says more than the line that says that there was an error.
  const [, words] = REASONS.find(([name]) => name === reason) ?? [];
  const withReason = words === undefined ? undefined : clauses.find((clause) => words.test(clause));
  return {
    reason,
    clause: withReason ?? clauses.find((clause) => !SAYS_NOTHING.test(clause)) ?? null,
  };
}

const isWords = (line: string): boolean => percentOf(line) === null && /\p{L}{3}/u.test(line);

/** Removes a progress bar before the message: it ends without a line break when the download breaks (#20). */
function withoutProgress(line: string): string {
  const speeds = [...line.matchAll(/\/s ?(?=[A-Z])/g)];
  const bar = /^.*\d ?%/.exec(line.slice(0, speeds.at(-1)?.index ?? 0))?.[0].length;
  if (bar === undefined) return line;
  const speed = speeds.find(({ index }) => index >= bar);
  return speed === undefined ? line : line.slice(speed.index + speed[0].length);
}

function clauseOf(line: string): string {
  let words = sanitizeMessage(line);
  for (let before = ""; before !== words; ) {
    before = words;
    for (const prefix of PREFIXES) words = words.replace(prefix, "");
  }
  const [sentence = ""] = words.split(/(?<=\p{L}{2}\S*|\))[.!?](?:\s|$)/u);
  const short = sentence.length > LONGEST ? `${truncate(sentence, LONGEST)}…` : sentence;
  return short.replace(/, see inner exception/i, "").replace(/[\s.:,;]+$/, "");
}
