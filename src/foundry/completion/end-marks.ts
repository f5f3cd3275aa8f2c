/** With which templates end a turn. Some engines leave them at the end of the text. */
const MARKS = [
  "<|im_end|>",
  "<|eot_id|>",
  "<|eot|>",
  "<|EOT|>",
  "<|eom_id|>",
  "<|end|>",
  "<|return|>",
  "<|endoftext|>",
  "<|end_of_text|>",
  "<|end_of_turn|>",
  "<end_of_turn>",
  "<｜end▁of▁sentence｜>",
  "<eos>",
  "</s>",
] as const;

/** More of them in a row are the text of a model that repeats itself. */
const MOST_HELD = 1000;

/**
 * Cuts marks of the template at the very end of a text. In the middle of it they are text that is
 * about them.
 */
export class EndMarkCutter {
  #held = "";
  /** `</s>` may end crossed out text. */
  #hasCrossedOut = false;
  #last = "";

  /** Takes the next stretch of text; returns what is certainly before the end. */
  push(text: string): string {
    const near = this.#last + text;
    this.#hasCrossedOut ||= near.includes("<s>");
    this.#last = near.slice(-2);
    const all = this.#held + text;
    const at = this.#trailingMarks(all);
    const length = at === -1 || all.length - at > MOST_HELD ? all.length : at;
    this.#held = all.slice(length);
    return all.slice(0, length);
  }

  /** Returns what was held back, because the text goes on. */
  release(): string {
    const held = this.#held;
    this.#held = "";
    return held;
  }

  /** Takes the end of the text; returns what was held back and is no mark. */
  end(): string {
    const held = this.release();
    return this.#markAt(held, 0) === undefined ? held : "";
  }

  /** From where on there are only marks and what may become one; -1 where there are none. */
  #trailingMarks(text: string): number {
    let start = text.indexOf("<");
    while (start !== -1) {
      let at = start;
      for (;;) {
        const mark = this.#markAt(text, at);
        if (mark === undefined) break;
        at += mark.length;
        while (at < text.length && text.charAt(at).trim() === "") at += 1;
      }
      if (at === text.length || MARKS.some((mark) => mark.startsWith(text.slice(at, at + 30)))) {
        return start;
      }
      start = text.indexOf("<", Math.max(at, start + 1));
    }
    return -1;
  }

  #markAt(text: string, at: number): string | undefined {
    return MARKS.find(
      (mark) => text.startsWith(mark, at) && !(mark === "</s>" && this.#hasCrossedOut),
    );
  }
}
