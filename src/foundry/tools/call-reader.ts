import * as z from "zod";
import { answerFrom, Brackets, LONGEST_CALL_ID, MOST_CALLS } from "../../lib/index.js";
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

const textSchema = z.string().nullish().catch(null);
const members = {
  name: textSchema,
  arguments: z.unknown().optional(),
  parameters: z.unknown().optional(),
};
const pieceSchema = z.object({
  index: z.number().nullish().catch(null),
  id: textSchema,
  function: z.object(members).nullish().catch(null),
  ...members,
});

/** The pieces in `tool_calls` or `function_call` of a message, in whatever form engines send them. */
export function callPieces(value: unknown): CallPiece[] {
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  return all.slice(0, MOST_CALLS).flatMap((each) => {
    const piece = pieceSchema.safeParse(each).data;
    if (piece === undefined) return [];
    const inner = piece.function ?? piece;
    const given = inner.arguments ?? inner.parameters ?? null;
    const name = inner.name || null;
    const id = piece.id || null;
    if (name === null && id === null && given === null) return [];
    return [{ index: piece.index ?? null, id, name, arguments: given }];
  });
}

interface Entry {
  readonly index: number | null;
  id: string | null;
  name: string;
  text: string;
  /** The last piece of `text`. */
  last: string;
  value: unknown;
}

/**
 * Joins the pieces of calls. Pieces belong together by their id, or by their index where they have no id.
 * C2 begins each group of calls with index 0 again, some engines send whole calls without either, and
 * LocalAI gives all calls of an answer the same id, and some calls of it twice.
 */
class CallPieces {
  readonly #entries: Entry[] = [];

  get count(): number {
    return this.#entries.length;
  }

  get calls(): readonly RawCall[] {
    const seen = new Set<string>();
    return this.#entries.flatMap((entry) => {
      const { id, name, value } = entry;
      const given = value ?? textOf(entry);
      const meant = typeof given === "string" ? (answerFrom(given) ?? given) : given;
      const call = JSON.stringify([id, name, meant]);
      if (name === "" || (id !== null && seen.has(call))) return [];
      seen.add(call);
      return [{ ...(id === null ? {} : { id }), name, arguments: given }];
    });
  }

  push(piece: CallPiece): void {
    const entry = this.#entryOf(piece) ?? this.#begin(piece);
    if (entry === null) return;
    entry.id ??= piece.id;
    const { name, arguments: given } = piece;
    if (name !== null && name !== entry.name && !hasArguments(entry)) entry.name += name;
    if (typeof given === "string") {
      entry.text += given;
      entry.last = given;
    } else if (given !== null && given !== undefined) entry.value = given;
  }

  #entryOf(piece: CallPiece): Entry | undefined {
    const last = this.#lastOf(piece);
    const { id, name, arguments: given } = piece;
    if (last === undefined || name === null || given === null || !isComplete(last)) return last;
    // Some engines repeat the id and the name in a last piece, without text or with all of it.
    const isLast = given === "" || given === last.text;
    return id !== null && name === last.name && isLast ? last : undefined;
  }

  #lastOf({ id, index, name }: CallPiece): Entry | undefined {
    const last = this.#entries.findLast((entry) => index === null || entry.index === index);
    if (id === null) return last ?? (name === null ? this.#openCall : undefined);
    const isAt = (entry: Entry): boolean =>
      index === null || entry.index === null || entry.index === index;
    const same = this.#entries.findLast((entry) => entry.id === id && isAt(entry));
    // Some engines give each piece another id; only the first one has the name.
    const goesOn = name === null && index !== null;
    // An id may follow its first piece.
    const isLate = last?.id === null && !hasArguments(last);
    return same ?? (goesOn || isLate ? last : undefined);
  }

  /** Some engines begin a call with the index of another one, and go on with its own. */
  get #openCall(): Entry | undefined {
    const newest = this.#entries.at(-1);
    return newest === undefined || isComplete(newest) ? undefined : newest;
  }

  #begin({ id, index }: CallPiece): Entry | null {
    if (this.#entries.length >= MOST_CALLS) return null;
    const entry = { index, id, name: "", text: "", last: "", value: undefined };
    this.#entries.push(entry);
    return entry;
  }
}

const FIRST_NAME = /^\s*\{\s*"((?:[^"\\]|\\.)*)"/;

/** The arguments as text. vLLM sends all of GLM's once more behind their pieces, which may lack their end. */
function textOf({ text, last }: Entry): string {
  const name = FIRST_NAME.exec(last)?.[1];
  const isRepeated =
    name !== undefined &&
    name === FIRST_NAME.exec(text)?.[1] &&
    answerFrom(text) === undefined &&
    answerFrom(last) !== undefined;
  return isRepeated ? last : text;
}

const hasArguments = ({ text, value }: Entry): boolean => text !== "" || value !== undefined;

const isComplete = ({ text, value }: Entry): boolean =>
  value !== undefined || (/\}\s*$/.test(text.slice(-20)) && answerFrom(text) !== undefined);
