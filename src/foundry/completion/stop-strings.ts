import { overlap } from "./overlap.js";

/**
 * Ends a text before the first of some stop strings, also where one arrives in pieces. C1 and C2 2.0
 * ignore `stop`, and C2 2.2 looks for it in the hidden thinking, too, so that the answer is empty
 * (docs/foundry-local.md, section 4): it is never sent, and done here for all.
 */
export class StopCutter {
  readonly #stops: readonly string[];
  #pending = "";
  #isCut = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** Whether a stop string was met; nothing comes after it. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Takes the next stretch of text; returns what is certainly before any stop string. */
  push(text: string): string {
    if (this.#isCut) return "";
    this.#pending += text;
    const at = Math.min(...this.#stops.map((stop) => indexOrInfinity(this.#pending, stop)));
    if (at !== Number.POSITIVE_INFINITY) {
      this.#isCut = true;
      return this.#take(at);
    }
    const held = Math.max(0, ...this.#stops.map((stop) => overlap(this.#pending, stop)));
    return this.#take(this.#pending.length - held);
  }

  /** Takes the end of the text; returns what was held back. */
  end(): string {
    return this.#isCut ? "" : this.#take(this.#pending.length);
  }

  #take(length: number): string {
    const taken = this.#pending.slice(0, length);
    this.#pending = this.#pending.slice(length);
    return taken;
  }
}

function indexOrInfinity(text: string, word: string): number {
  const index = text.indexOf(word);
  return index === -1 ? Number.POSITIVE_INFINITY : index;
}
