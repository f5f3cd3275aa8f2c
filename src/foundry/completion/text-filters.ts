/**
 * Separates a model's thinking from its answer in a stream. S, C1 and plain engines leave
 * `<think>…</think>` in the text (docs/foundry-local.md, section 4).
 *
 * A `<think>` counts only where a line begins: a model that explains the tag in the middle of a
 * sentence is not thinking. Some templates open the tag themselves, so that the text shows only its
 * end; then all before it was thinking, and `text_was_reasoning` says so. Such a `</think>` counts
 * only where a line begins or ends, and only where no thinking came otherwise.
 */
export type Piece =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  | { readonly type: "text_was_reasoning" };

const OPEN = "<think>";
const CLOSE = "</think>";
/** What follows a tag without a beginning decides whether it is one, so it is waited for. */
const ORPHAN = `${CLOSE}\r\n`;

export class ThinkingSplitter {
  #pending = "";
  #mode: "answer" | "thinking" = "answer";
  /** Whether a `</think>` without a beginning can still come. */
  #expectsOrphan = true;
  /** Whether there are only blanks in the line that goes on; a line can be the whole answer. */
  #isLineBlank = true;
  #trimming = false;
  #isAtStart = true;
  /** Blanks before the first word belong to it, unless thinking comes first. */
  #leading = "";

  /** The service gives thinking in a member of its own, so that a tag in the text is only spoken of. */
  thinkingCameApart(): void {
    this.#expectsOrphan = false;
  }

  /** Takes the next piece of text; returns the pieces that are certain by now. */
  push(text: string): Piece[] {
    this.#pending += text;
    if (this.#isAtStart) {
      const words = this.#pending.trimStart();
      this.#leading += this.#pending.slice(0, this.#pending.length - words.length);
      this.#pending = words;
      if (words === "") return [];
    }
    const pieces: Piece[] = [];
    while (this.#step(pieces, false)) {
      // Each step takes one tag.
    }
    this.#emit(pieces, this.#pending.length - this.#heldBack());
    return pieces;
  }

  /** Takes the end of the text; returns what was held back. A tag left open stays thinking. */
  end(): Piece[] {
    const pieces: Piece[] = [];
    while (this.#step(pieces, true)) {
      // At most one is left: a tag that only the end of the text makes count.
    }
    this.#emit(pieces, this.#pending.length);
    return pieces;
  }

  #step(pieces: Piece[], isEnd: boolean): boolean {
    const at = this.#nextTag(isEnd);
    if (at === null) return false;
    const tag = this.#mode === "thinking" || this.#pending.startsWith(CLOSE, at) ? CLOSE : OPEN;
    const wasThinking = this.#mode === "thinking";
    if (this.#isAtStart && at === 0) this.#trimming = true;
    this.#emit(pieces, at, true);
    this.#isAtStart = false;
    this.#pending = this.#pending.slice(tag.length);
    if (tag === CLOSE && !wasThinking) pieces.push({ type: "text_was_reasoning" });
    this.#mode = tag === OPEN ? "thinking" : "answer";
    this.#expectsOrphan = false;
    this.#isLineBlank = true;
    this.#trimming = tag === CLOSE;
    return true;
  }

  /** Where the next tag that counts begins. */
  #nextTag(isEnd: boolean): number | null {
    if (this.#mode === "thinking") return found(this.#pending.indexOf(CLOSE));
    for (let at = this.#pending.indexOf("<"); at !== -1; at = this.#pending.indexOf("<", at + 1)) {
      if (this.#pending.startsWith(OPEN, at) && this.#beginsLine(at)) return at;
      if (!this.#expectsOrphan || !this.#pending.startsWith(CLOSE, at)) continue;
      if (this.#beginsLine(at) || this.#endsLine(at + CLOSE.length, isEnd)) return at;
    }
    return null;
  }

  #beginsLine(at: number): boolean {
    for (let before = at - 1; before >= 0; before--) {
      const character = this.#pending.charAt(before);
      if (character === "\n") return true;
      if (character.trim() !== "") return false;
    }
    return this.#isLineBlank;
  }

  #endsLine(at: number, isEnd: boolean): boolean {
    const after = this.#pending.slice(at);
    return /^\r?\n/.test(after) || (isEnd && after.trim() === "");
  }

  /** How many characters at the end may be the beginning of a tag. */
  #heldBack(): number {
    const tags =
      this.#mode === "thinking" ? [CLOSE] : this.#expectsOrphan ? [OPEN, ORPHAN] : [OPEN];
    return Math.max(...tags.map((tag) => overlap(this.#pending, tag)));
  }

  #emit(pieces: Piece[], length: number, isTag = false): void {
    const isHeld = length === 0 && this.#pending !== "";
    // As long as all that has come may be the beginning of a tag, what is before it waits, too.
    if (isHeld && !isTag) return;
    let text = this.#leading + this.#pending.slice(0, length);
    this.#leading = "";
    this.#pending = this.#pending.slice(length);
    if (this.#mode === "thinking") {
      if (text !== "") pieces.push({ type: "reasoning", text });
      return;
    }
    // The blank lines between thinking and answer belong to neither.
    if (this.#trimming) text = text.trimStart();
    if (text === "") return;
    this.#trimming = false;
    this.#isAtStart = false;
    const lineAt = text.lastIndexOf("\n") + 1;
    this.#isLineBlank = (lineAt > 0 || this.#isLineBlank) && text.slice(lineAt).trim() === "";
    pieces.push({ type: "text", text });
  }
}

const found = (index: number): number | null => (index === -1 ? null : index);

/** The longest end of `text` that is a beginning of `word`, short of the whole word. */
export function overlap(text: string, word: string): number {
  for (let length = Math.min(word.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(word.slice(0, length))) return length;
  }
  return 0;
}

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
