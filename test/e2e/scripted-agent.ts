import type { Answer, Host } from "./host.js";

/** A call of a tool, as an answer names it. */
interface Call {
  readonly tool: string;
  readonly given: Readonly<Record<string, unknown>>;
}

/** What came of an agent's work: the answer of the model, or the text at which it stopped. */
export interface Outcome {
  readonly isAnswered: boolean;
  readonly text: string;
  readonly calls: readonly Call[];
}

/** More calls than any way to an answer needs. */
const MOST_CALLS = 30;

/**
 * An agent that knows nothing but what it reads: it wants an answer, does what each text says, and
 * stops where a text names no call. It also stops where a call that failed is named again.
 */
export async function scriptedAgent(host: Host, goal: Call["given"]): Promise<Outcome> {
  const calls: Call[] = [];
  const failed = new Set<string>();
  let wanted: Call = { tool: "complete", given: goal };
  let next = wanted;
  for (;;) {
    if (calls.length > MOST_CALLS) throw new Error("The messages lead in a circle.");
    calls.push(next);
    const answer = await host.call(next.tool, next.given);
    if (isWhole(answer)) return { isAnswered: true, text: answer.text, calls };
    if (answer.isError) failed.add(JSON.stringify(next));
    const named = callIn(answer.text, next);
    const other = /\bUse the downloaded model "([^"]+)"/i.exec(answer.text)?.[1];
    if (named !== null) {
      next = named;
    } else if (answer.isError && other !== undefined) {
      wanted = { tool: "complete", given: { ...goal, model: other } };
      next = wanted;
    } else if (answer.isError) {
      return { isAnswered: false, text: answer.text, calls };
    } else {
      // The step has succeeded, so the goal is tried again.
      next = wanted;
    }
    const isKnownToFail = failed.has(JSON.stringify(next)) && answer.isError;
    if (isKnownToFail) return { isAnswered: false, text: answer.text, calls };
  }
}

const isWhole = ({ isError, result }: Answer): boolean =>
  !isError && result["status"] === "completed";

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
