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
 * How much of an answer is taken. `max_tokens` is always sent, so a service that goes on far above it
 * goes on for ever.
 */
export class Allowance {
  readonly #mostPieces: number;
  #charactersLeft: number;
  #pieces = 0;
  #isUsedUp = false;

  constructor(maxTokens: number) {
    this.#mostPieces = maxTokens * MAX_PIECES_PER_TOKEN + PIECES_SLACK;
    this.#charactersLeft = Math.min(
      maxTokens * MAX_CHARACTERS_PER_TOKEN + CHARACTERS_SLACK,
      MAX_COMPLETION_CHARACTERS,
    );
  }

  /** Pieces of text and thinking so far. */
  get pieces(): number {
    return this.#pieces;
  }

  get isUsedUp(): boolean {
    return this.#isUsedUp;
  }

  /** An event as far as it is still allowed, and `overrun` after the last of it. */
  *limit(event: ChatEvent): Generator<ChatEvent> {
    if (this.#isUsedUp) return;
    if (event.type !== "text" && event.type !== "reasoning") {
      yield event;
      return;
    }
    this.#pieces += 1;
    this.#isUsedUp = this.#pieces > this.#mostPieces || event.text.length > this.#charactersLeft;
    const text = truncate(event.text, this.#charactersLeft);
    this.#charactersLeft -= text.length;
    if (text !== "") yield { ...event, text };
    if (this.#isUsedUp) yield { type: "overrun" };
  }
}
