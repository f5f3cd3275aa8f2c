import { Brackets } from "../../lib/index.js";
import { CallPieces } from "./call-pieces.js";
import type { ReadCalls } from "./call-reader.js";
import type { CallPiece } from "./tool.js";
import { writtenCalls } from "./written-calls.js";

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
