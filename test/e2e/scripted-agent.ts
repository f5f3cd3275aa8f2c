import type { Answer, Host } from "./host.js";

/** A tool call named by a result. */
interface Call {
  readonly tool: string;
  readonly given: Readonly<Record<string, unknown>>;
}

/** The outcome of an agent's work: the answer of the model, or the text at which the agent stopped. */
export interface Outcome {
  readonly isAnswered: boolean;
  readonly text: string;
  readonly calls: readonly Call[];
}

/** More calls than any path to an answer needs. */
const MOST_CALLS = 30;

/** The part of a result that a host shows its model: the text or the structured content. */
export const VIEWS = ["text", "structured content"] as const;
export type View = (typeof VIEWS)[number];

/** A result as an agent sees it. */
interface Seen {
  readonly isError: boolean;
  /** The text in which it finds the next call. */
  readonly words: string;
  /** Of an answer, a part of an answer or a failure. */
  readonly text: string;
  readonly isFinished: boolean;
}

/**
 * An agent that follows only the results: it requests an answer, does what each result says, and stops
 * where a result names no call. It also stops where a call that failed is named again.
 */
export async function scriptedAgent(
  host: Host,
  goal: Call["given"],
  view: View = "text",
): Promise<Outcome> {
  const calls: Call[] = [];
  const failed = new Set<string>();
  let wanted: Call = { tool: "complete", given: goal };
  let next = wanted;
  let read = "";
  for (;;) {
    if (calls.length > MOST_CALLS) throw new Error("The messages lead in a circle.");
    calls.push(next);
    const { isError, words, text, isFinished } = seen(await host.call(next.tool, next.given), view);
    if (!isError && ANSWERING.has(next.tool)) {
      read += text;
      if (isFinished) return { isAnswered: true, text: read, calls };
    }
    if (isError) failed.add(JSON.stringify(next));
    const named = callIn(words, next);
    const other = /\bUse the downloaded model "([^"]+)"/i.exec(words)?.[1];
    if (named !== null) {
      next = named;
    } else if (isError && other !== undefined) {
      wanted = { tool: "complete", given: { ...goal, model: other } };
      next = wanted;
    } else if (isError) {
      return { isAnswered: false, text, calls };
    } else {
      // The step has succeeded, so the original call is repeated.
      next = wanted;
    }
    const isKnownToFail = failed.has(JSON.stringify(next)) && isError;
    if (isKnownToFail) return { isAnswered: false, text, calls };
  }
}

/** Their results hold text of a model. */
const ANSWERING: ReadonlySet<string> = new Set(["complete", "get_completion"]);

function seen({ isError, text: all, result }: Answer, view: View): Seen {
  // A host without structured content to show shows the text.
  if (view === "text" || Object.keys(result).length === 0) {
    const [, first = "", rest] = /^(Not finished: [^\n]*)(?:\n\n(.*))?$/s.exec(all) ?? [];
    const isFinished = first === "";
    return { isError, words: all, text: isFinished ? all : (rest ?? ""), isFinished };
  }
  const { next, notes, completions } = result;
  const [completion = result] = Array.isArray(completions) ? completions : [];
  const words = [next, notes].flat().join("\n");
  return { isError, words, text: String(Object(completion).text), isFinished: next === null };
}

const VALUE = String.raw`"[^"]*"|\[[^\]]*\]|true|false|\d+`;
const CALL = new RegExp(
  String.raw`\bcall (?<tool>[a-z]+_[a-z]+|complete)\b(?: (?<again>again) with the same \w+| with (?<given>(?:(?:, | and )?\w+ (?:${VALUE}))+))?`,
  "i",
);

/** The first call that a text names, with the arguments that it names. */
function callIn(text: string, last: Call): Call | null {
  const { tool, again, given = "" } = CALL.exec(text)?.groups ?? {};
  if (tool === undefined) return null;
  if (again !== undefined) return last;
  const members = [...given.matchAll(new RegExp(String.raw`(\w+) (${VALUE})`, "g"))];
  return {
    tool,
    given: Object.fromEntries(members.map(([, name, value]) => [name, JSON.parse(String(value))])),
  };
}
