import {
  CHARACTERS_SLACK,
  MAX_CHARACTERS_PER_TOKEN,
  MAX_COMPLETION_CHARACTERS,
  MAX_PIECES_PER_TOKEN,
  PIECES_SLACK,
  truncate,
} from "../../lib/index.js";
import type { ChatEvent } from "./dialect.js";

/**
 * A bound on the length of an answer. `max_tokens` is always sent, so a service that exceeds it by
 * far does not stop by itself.
 */
export class Allowance {
  readonly #maxPieces: number;
  #charactersLeft: number;
  #pieces = 0;
  #isUsedUp = false;

  constructor(maxTokens: number) {
    this.#maxPieces = maxTokens * MAX_PIECES_PER_TOKEN + PIECES_SLACK;
    this.#charactersLeft = Math.min(
      maxTokens * MAX_CHARACTERS_PER_TOKEN + CHARACTERS_SLACK,
      MAX_COMPLETION_CHARACTERS,
    );
  }

  /** The number of text and reasoning events so far. */
  get pieces(): number {
    return this.#pieces;
  }

  get isUsedUp(): boolean {
    return this.#isUsedUp;
  }

  /** The event, truncated to the allowance. `overrun` follows when the allowance is used up. */
  *limit(event: ChatEvent): Generator<ChatEvent> {
    if (this.#isUsedUp) return;
    if (event.type !== "text" && event.type !== "reasoning") {
      yield event;
      return;
    }
    this.#pieces += 1;
    this.#isUsedUp = this.#pieces > this.#maxPieces || event.text.length > this.#charactersLeft;
    const text = truncate(event.text, this.#charactersLeft);
    this.#charactersLeft -= text.length;
    if (text !== "") yield { ...event, text };
    if (this.#isUsedUp) yield { type: "overrun" };
  }
}
