/**
 * Ends a text before the first of some stop strings, also where one arrives in pieces. C1 and C2 2.0
 * ignore `stop`, and C2 2.2 looks for it in the hidden thinking, too, so that the answer is empty
 * (docs/foundry-local.md, section 4): it is never sent, and done here for all.
 *
 * The first is the one that is complete first; of several at the same place, the longest.
 */
export class StopCutter {
  readonly #searches: readonly Search[];
  #pending = "";
  #isCut = false;

  constructor(stops: readonly string[]) {
    this.#searches = stops.map((stop) => new Search(stop));
  }

  /** Whether a stop string was met; nothing comes after it. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Takes the next stretch of text; returns what is certainly before any stop string. */
  push(text: string): string {
    if (this.#isCut) return "";
    const before = this.#pending.length;
    this.#pending += text;
    if (this.#searches.length === 0) return this.#take(this.#pending.length);
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      let longest = 0;
      for (const search of this.#searches) {
        if (search.step(unit)) longest = Math.max(longest, search.length);
      }
      if (longest === 0) continue;
      this.#isCut = true;
      return this.#take(before + at + 1 - longest);
    }
    const held = Math.max(...this.#searches.map(({ matched }) => matched));
    return this.#take(this.#pending.length - held);
  }

  /** Takes the end of the text; returns what was held back. */
  end(): string {
    return this.#isCut ? "" : this.#take(this.#pending.length);
  }

  #take(length: number): string {
    if (length === 0) return "";
    const taken = this.#pending.slice(0, length);
    this.#pending = this.#pending.slice(length);
    return taken;
  }
}

/** The search of Knuth, Morris and Pratt: each character is looked at once, however long the word. */
class Search {
  readonly length: number;
  /** How much of the beginning of the word the text ends with. */
  matched = 0;
  readonly #word: string;
  /** By length of a beginning of the word: the longest shorter beginning that it ends with. */
  readonly #fallbacks: readonly number[];

  constructor(word: string) {
    this.#word = word;
    this.length = word.length;
    const fallbacks = [0, 0];
    let matched = 0;
    for (let at = 1; at < word.length; at++) {
      while (matched > 0 && word[at] !== word[matched]) matched = fallbacks[matched] ?? 0;
      if (word[at] === word[matched]) matched += 1;
      fallbacks.push(matched);
    }
    this.#fallbacks = fallbacks;
  }

  /** Takes the next character; returns whether the word is complete with it. */
  step(unit: number): boolean {
    while (this.matched > 0 && unit !== this.#word.charCodeAt(this.matched)) {
      this.matched = this.#fallbacks[this.matched] ?? 0;
    }
    if (unit === this.#word.charCodeAt(this.matched)) this.matched += 1;
    return this.matched === this.length;
  }
}
