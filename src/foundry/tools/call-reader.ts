import { answerFrom, Brackets, LONGEST_CALL_ID, MOST_CALLS } from "../../lib/index.js";
import { CallPieces } from "./call-pieces.js";
import { CallText } from "./call-text.js";
import type { CallPiece, RawCall, ToolCall } from "./tool.js";
import { newCallId, type Toolbox } from "./toolbox.js";
import { writtenCalls } from "./written-calls.js";

/** The calls of an answer, and the rest of its text. */
interface ReadCalls {
  readonly text: string;
  readonly calls: readonly ToolCall[];
  /** Each a sentence. */
  readonly warnings: readonly string[];
}

/**
 * Finds the calls of tools in an answer, wherever the service left them: structured, in the text, or in a
 * channel of their own. Calls in the text count besides structured ones only if they are calls of other tools:
 * C1 and C2 2.0 give each call in both forms.
 */
export class CallReader {
  readonly #toolbox: Toolbox;
  readonly #pieces = new CallPieces();
  readonly #channelled: { name: string; arguments: string }[] = [];
  /** The message that comes now is above the bound. */
  #isChannelDropped = false;
  readonly #text: CallText;

  constructor(toolbox: Toolbox) {
    this.#toolbox = toolbox;
    this.#text = new CallText(toolbox);
  }

  /** Takes the next piece of text; returns what is certainly no call. */
  pushText(text: string): string {
    return this.#text.push(text);
  }

  pushPiece(piece: CallPiece): void {
    this.#pieces.push(piece);
  }

  /** Takes the next piece of a message to a tool; `to` only with its first. */
  pushChannel(to: string | null, text: string): void {
    if (to !== null) {
      this.#isChannelDropped = this.#channelled.length >= MOST_CALLS;
      if (!this.#isChannelDropped) this.#channelled.push({ name: to, arguments: "" });
    }
    const last = this.#isChannelDropped ? undefined : this.#channelled.at(-1);
    if (last !== undefined) last.arguments += text;
  }

  /** The text until here was thinking. Returns what of it was held back. */
  textWasReasoning(): string {
    return this.#text.reset();
  }

  /** @param isWhole `false`: the answer was cut off, so that its last call may lack its end. */
  end(isWhole: boolean): ReadCalls {
    const text = this.#text.end(isWhole);
    const structured = wholeCalls(this.#pieces.calls, isWhole);
    const given = new Set(structured.calls.map(({ name }) => name));
    const written = [...this.#text.calls, ...this.#channelled];
    const others = written.filter(({ name }) => !given.has(name));
    const rest = wholeCalls(others, isWhole);
    const seen = new Set<string>();
    const calls = [...structured.calls, ...rest.calls].slice(0, MOST_CALLS).map((call) => {
      const said = call.id?.trim() ?? "";
      const isOwn = said !== "" && said.length <= LONGEST_CALL_ID && !seen.has(said);
      const id = isOwn ? said : newCallId();
      seen.add(id);
      return this.#toolbox.checked(call, id);
    });
    const isCut = structured.isCut || rest.isCut || this.#text.isCut;
    const isUnreadable = this.#text.isUnreadable && calls.length === 0;
    return { text, calls, warnings: warningsOf(calls, isCut, isUnreadable) };
  }
}

/** The calls without a last one that was cut off, and whether there was one. */
function wholeCalls(calls: readonly RawCall[], isWhole: boolean) {
  const last = calls.at(-1);
  const isCut =
    !isWhole && typeof last?.arguments === "string" && answerFrom(last.arguments) === undefined;
  return { calls: isCut ? calls.slice(0, -1) : calls, isCut };
}

function warningsOf(calls: readonly ToolCall[], isCut: boolean, isUnreadable: boolean): string[] {
  const warnings = calls.flatMap(({ name, error }) =>
    error === undefined ? [] : [`The call of ${name} should not be run: ${error}`],
  );
  if (isCut) {
    warnings.push(
      "The answer was cut off in a call of a tool, which is left out. Ask again, with a larger `maxTokens` where it reached this limit.",
    );
  }
  if (isUnreadable) {
    warnings.push("The model began a call of a tool that could not be read. Ask again.");
  }
  return warnings;
}

/** The name of the tool by which a service is held to a schema: its parameters are the schema. */
export const ANSWER_TOOL = "answer";
/** With what an answer that is a call of it begins. */
const ANSWERS = /^\s*(?:<tool_call>\s*)?(?:\[\s*)?\{\s*"name"\s*:\s*"answer"/;
/** What is before the value in a call that broke off. */
const BEFORE_VALUE = new RegExp(`${ANSWERS.source}\\s*,\\s*"(?:parameters|arguments)"\\s*:\\s*`);

/**
 * An answer that the service holds to a schema as the call of a tool whose parameters the schema is. The
 * arguments of the first call are the value; services were seen to write more calls, up to the token limit.
 */
export class ForcedCall {
  readonly #pieces = new CallPieces();
  #brackets = new Brackets();
  #text = "";
  #objects = 0;
  /** Whether a second object has begun after a call. Decided once, since a search reads all of the text. */
  #isRepeated = false;

  /** Whether another call has begun after the first one. */
  get goesOn(): boolean {
    return this.#isRepeated || this.#pieces.count > 1;
  }

  pushText(text: string): string {
    const wereSeveral = this.#objects > 1;
    for (let at = 0; at < text.length; at++) {
      const wasInObject = this.#brackets.isInObject;
      this.#brackets.step(text.charCodeAt(at));
      if (!wasInObject && this.#brackets.isInObject) this.#objects += 1;
    }
    this.#text += text;
    if (!wereSeveral && this.#objects > 1) this.#isRepeated = ANSWERS.test(this.#text);
    return "";
  }

  pushPiece(piece: CallPiece): void {
    this.#pieces.push(piece);
  }

  pushChannel(_to: string | null, text: string): void {
    this.#text += text;
  }

  textWasReasoning(): string {
    const text = this.#text;
    this.#text = "";
    this.#brackets = new Brackets();
    this.#objects = 0;
    this.#isRepeated = false;
    return text;
  }

  /** The arguments as text, also of a call that broke off; the whole text where it holds no call. */
  end(isWhole: boolean): ReadCalls {
    const written = writtenCalls(this.#text, () => undefined, isWhole).calls;
    // The value itself may have a member that is called `name`.
    const first = this.#pieces.calls[0] ?? written.find(({ name }) => name === ANSWER_TOOL);
    const given = first?.arguments;
    const json = typeof given === "string" ? given : JSON.stringify(given);
    return { text: json ?? this.#text.replace(BEFORE_VALUE, ""), calls: [], warnings: [] };
  }
}
