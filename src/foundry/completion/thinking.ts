/**
 * Tells a model's thinking from its answer while both stream by. S, C1 and plain engines leave
 * `<think>…</think>` in the text (docs/foundry-local.md, section 4).
 *
 * A `<think>` counts only where a line begins: a model that explains the tag in the middle of a
 * sentence is not thinking. Some templates open the tag themselves, so that the text shows only its
 * end; then all before it was thinking, and `text_was_reasoning` says so.
 */
export type Piece =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  | { readonly type: "text_was_reasoning" };

const OPEN = "<think>";
const CLOSE = "</think>";

export class ThinkingSplitter {
  #pending = "";
  #mode: "answer" | "thinking" = "answer";
  #sawTag = false;
  #line = "";
  #trimming = false;
  #isAtStart = true;

  /** Takes the next stretch of text; returns what can be told by now. */
  push(text: string): Piece[] {
    this.#pending += text;
    const pieces: Piece[] = [];
    while (this.#step(pieces)) {
      // Each step takes one tag.
    }
    this.#emit(pieces, this.#pending.length - this.#heldBack());
    return pieces;
  }

  /** Takes the end of the text; returns what was held back. A tag left open stays thinking. */
  end(): Piece[] {
    const pieces: Piece[] = [];
    this.#emit(pieces, this.#pending.length);
    return pieces;
  }

  #step(pieces: Piece[]): boolean {
    const at = this.#nextTag();
    if (at === null) return false;
    const tag = this.#mode === "thinking" || this.#pending.startsWith(CLOSE, at) ? CLOSE : OPEN;
    const wasThinking = this.#mode === "thinking";
    if (this.#isAtStart && this.#pending.slice(0, at).trim() === "") this.#trimming = true;
    this.#emit(pieces, at);
    this.#isAtStart = false;
    this.#pending = this.#pending.slice(tag.length);
    if (tag === CLOSE && !wasThinking) pieces.push({ type: "text_was_reasoning" });
    this.#mode = tag === OPEN ? "thinking" : "answer";
    this.#sawTag = true;
    this.#line = "";
    this.#trimming = tag === CLOSE;
    return true;
  }

  /** Where the next tag that counts begins. */
  #nextTag(): number | null {
    if (this.#mode === "thinking") return found(this.#pending.indexOf(CLOSE));
    for (let at = this.#pending.indexOf("<"); at !== -1; at = this.#pending.indexOf("<", at + 1)) {
      if (this.#pending.startsWith(CLOSE, at) && !this.#sawTag) return at;
      if (this.#pending.startsWith(OPEN, at) && this.#beginsLine(at)) return at;
    }
    return null;
  }

  #beginsLine(at: number): boolean {
    const before = this.#line + this.#pending.slice(0, at);
    return before.slice(before.lastIndexOf("\n") + 1).trim() === "";
  }

  /** How many characters at the end may be the beginning of a tag. */
  #heldBack(): number {
    const tags = this.#mode === "thinking" ? [CLOSE] : this.#sawTag ? [OPEN] : [OPEN, CLOSE];
    const held = Math.max(...tags.map((tag) => overlap(this.#pending, tag)));
    // Blank lines before the first word belong to it, unless thinking comes first.
    const isBlank = this.#pending.slice(0, this.#pending.length - held).trim() === "";
    return this.#isAtStart && isBlank ? this.#pending.length : held;
  }

  #emit(pieces: Piece[], length: number): void {
    let text = this.#pending.slice(0, length);
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
    this.#line = (this.#line + text).slice((this.#line + text).lastIndexOf("\n") + 1);
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
