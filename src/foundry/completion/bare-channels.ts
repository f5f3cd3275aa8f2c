import { overlap } from "../../lib/index.js";
import { HarmonySplitter, type Piece } from "./harmony.js";

/** A capital letter follows, which no word goes on with. */
const THINKING = /^analysis(?=\p{Lu})/u;
/** The header of a call, up to its arguments. `json` may be glued to the name, or a channel follow it. */
const CALL =
  /(?:commentary|analysis)? ?to=functions\.(?<name>[\w.-]{1,100}?)\s{0,3}(?:commentary)?\s{0,3}(?:json|code)?\s{0,3}(?=\{)/;
const FIRST_CALL = new RegExp(`^(?:assistant)?${CALL.source}`);
const NEXT = new RegExp(`assistant(?:final|${CALL.source})`);
/** What may become {@link NEXT}, and is longer than its fixed words. */
const CALL_BEGINS = /assistant(?:commentary|analysis)? ?to=functions\.[^{}]{0,130}$/;
const WORDS = [
  "assistantfinal",
  ...["", "commentary ", "analysis "].map((channel) => `assistant${channel}to=functions.`),
  "assistant to=functions.",
];
const FIRST_WORDS = WORDS.slice(1).flatMap((word) => [word, word.slice("assistant".length)]);

/** Whether a text that has just begun may become one with bare channels, or with a call. */
export const mayBeBare = (begun: string, hasTools: boolean): boolean =>
  overlap(begun, "analysis.") === begun.length ||
  (hasTools &&
    (FIRST_WORDS.some((word) => word.startsWith(begun)) ||
      CALL_BEGINS.test(begun.startsWith("assistant") ? begun : `assistant${begun}`)));

export const isBare = (text: string, hasTools: boolean): boolean =>
  THINKING.test(text) || (hasTools && FIRST_CALL.test(text));

/**
 * Separates the channels of gpt-oss where an engine has removed the tokens around their names:
 * `analysisI look.assistantcommentary to=functions.get_weather json{"city":"Oslo"}`. The tokens are put
 * back.
 */
export class BareChannelSplitter {
  readonly #harmony: HarmonySplitter;
  #pending = "";
  #isAtStart = true;
  #isFinal = false;
  /** Blank lines in front of the answer do not belong to it. */
  #hasAnswer = false;

  constructor(hasTools: boolean) {
    this.#harmony = new HarmonySplitter(hasTools);
  }

  push(text: string): Piece[] {
    this.#pending += text;
    return this.#harmony.push(this.#withTokens(false));
  }

  end(): Piece[] {
    return [...this.#harmony.push(this.#withTokens(true)), ...this.#harmony.end()];
  }

  #withTokens(isEnd: boolean): string {
    let text = "";
    if (this.#isAtStart) {
      this.#isAtStart = false;
      if (THINKING.test(this.#pending)) {
        text = "<|channel|>analysis<|message|>";
        this.#pending = this.#pending.replace(THINKING, "");
      } else if (!this.#pending.startsWith("assistant")) {
        this.#pending = `assistant${this.#pending}`;
      }
    }
    while (!this.#isFinal) {
      const next = NEXT.exec(this.#pending);
      if (next === null) break;
      const name = next.groups?.["name"];
      const header = name === undefined ? "final" : `commentary to=functions.${name}`;
      text += `${this.#pending.slice(0, next.index)}<|start|>assistant<|channel|>${header}<|message|>`;
      this.#pending = this.#pending.slice(next.index + next[0].length);
      this.#isFinal = name === undefined;
    }
    if (this.#isFinal && !this.#hasAnswer) {
      this.#pending = this.#pending.trimStart();
      this.#hasAnswer = this.#pending !== "";
    }
    const held = isEnd || this.#isFinal ? 0 : heldBack(this.#pending);
    text += this.#pending.slice(0, this.#pending.length - held);
    this.#pending = this.#pending.slice(this.#pending.length - held);
    return text;
  }
}

const heldBack = (text: string): number =>
  Math.max(CALL_BEGINS.exec(text)?.[0].length ?? 0, ...WORDS.map((word) => overlap(text, word)));
