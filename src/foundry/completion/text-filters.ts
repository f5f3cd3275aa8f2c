/**
 * Ends a text before the first of some stop strings, also where one arrives in pieces. C1 and C2 2.0
 * ignore `stop`, and C2 2.2 looks for it in the hidden thinking, too, so that the answer is empty
 * (docs/foundry-local.md, section 4): `stop` is not sent but applied here.
 *
 * The first is the one that is complete first; of several at the same place, the longest.
 */
export class StopCutter {
  readonly #searches: readonly Search[];
  #pending = "";
  /** Whether a stop string was met; nothing comes after it. */
  isCut = false;

  constructor(stops: readonly string[]) {
    this.#searches = stops.map((stop) => new Search(stop));
  }

  /** Takes the next stretch of text; returns what is certainly before any stop string. */
  push(text: string): string {
    if (this.isCut) return "";
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
      this.isCut = true;
      return this.#take(before + at + 1 - longest);
    }
    const held = Math.max(...this.#searches.map(({ matched }) => matched));
    return this.#take(this.#pending.length - held);
  }

  /** Takes the end of the text, or of a part that no stop string reaches beyond; returns what was held back. */
  end(): string {
    for (const search of this.#searches) search.matched = 0;
    return this.isCut ? "" : this.#take(this.#pending.length);
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

/** End-of-turn tokens of chat templates. Some engines leave them at the end of the text. */
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
  "<turn|>",
  "<｜end▁of▁sentence｜>",
  "<|END_OF_TURN_TOKEN|>",
  "<|END_RESPONSE|>",
  "<|END_TEXT|>",
  "<|end_of_solution|>",
  "<|end_of_box|>",
  "[END FINAL RESPONSE]",
  "<|user|>",
  "<|observation|>",
  // The next turn, which a model begins after its end-of-turn token.
  "<|im_start|>assistant",
  "<|start_header_id|>assistant<|end_header_id|>",
  "<eos>",
  "[EOS]",
  "[e~[",
  "[|endofturn|]",
  "</s>",
] as const;

const LONGEST_MARK = Math.max(...MARKS.map(({ length }) => length));

/** More of them in a row are the text of a model that repeats itself. */
const MOST_HELD = 1000;

/**
 * Cuts end-of-turn tokens at the very end of a text. In the middle of it they are text that is
 * about them.
 */
export class EndMarkCutter {
  #held = "";
  /** `</s>` may end crossed out text. */
  #hasCrossedOut = false;
  #last = "";
  #marks: readonly string[] = MARKS;

  /** The answer began with the tag to which this one belongs. */
  expect(closing: string): void {
    if (this.#marks === MARKS) this.#marks = [...MARKS, closing];
  }

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
    let start = markFrom(text, 0);
    while (start !== -1) {
      let at = start;
      for (;;) {
        const mark = this.#markAt(text, at);
        if (mark === undefined) break;
        at += mark.length;
        while (at < text.length && text.charAt(at).trim() === "") at += 1;
      }
      if (
        at === text.length ||
        this.#marks.some((mark) => mark.startsWith(text.slice(at, at + LONGEST_MARK)))
      ) {
        return start;
      }
      start = markFrom(text, Math.max(at, start + 1));
    }
    return -1;
  }

  #markAt(text: string, at: number): string | undefined {
    return this.#marks.find(
      (mark) => text.startsWith(mark, at) && !(mark === "</s>" && this.#hasCrossedOut),
    );
  }
}

/** Where the next mark may begin; -1 where none does. */
function markFrom(text: string, from: number): number {
  MARK_START.lastIndex = from;
  return MARK_START.exec(text)?.index ?? -1;
}
const MARK_START = /[<[]/g;

/** Tokens of chat templates in front of an answer. A space divides `<s>` from crossed out text. */
const LEADS = [
  "<|im_start|>assistant\n",
  "<|start_header_id|>assistant<|end_header_id|>",
  "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
  "<|START_RESPONSE|>",
  "<|START_TEXT|>",
  "<|begin_of_solution|>",
  "<|begin_of_box|>",
  "<s> ",
] as const;

/** Tags around the answer of some models that think. Others may be asked for an answer in such tags. */
const WRAPPERS: readonly (readonly [models: RegExp, name: string])[] = [
  [/hunyuan/i, "answer"],
  [/ernie|granite/i, "response"],
];

/** The name of the tag that a model puts around its answer; `null`: none, or one that its prompt asks for. */
export function wrapperOf(
  model: string,
  messages: readonly { readonly content: string }[],
): string | null {
  const name = WRAPPERS.find(([models]) => models.test(model))?.[1];
  if (name === undefined) return null;
  return messages.some(({ content }) => content.includes(`<${name}>`)) ? null : name;
}

/** Cuts the tokens in front of an answer, and the blanks around them. */
export class LeadCutter {
  /** The tag was there and is cut. */
  hasCutTag = false;
  readonly #leads: readonly string[];
  #blanks = "";
  #held = "";
  #hasCut = false;
  #isDone = false;
  readonly #tag: string;

  /** @param wrapper The name of a tag that counts as such a token. */
  constructor(wrapper: string | null = null) {
    this.#tag = `<${wrapper ?? ""}>`;
    this.#leads = wrapper === null ? LEADS : [...LEADS, this.#tag];
  }

  /** Takes the next stretch of text; returns what is certainly behind such tokens. */
  push(text: string): string {
    if (this.#isDone) return text;
    let all = this.#held + text;
    for (;;) {
      const words = all.trimStart();
      if (!this.#hasCut) this.#blanks += all.slice(0, all.length - words.length);
      this.#held = words;
      if (this.#leads.some((lead) => lead.startsWith(words) && words !== lead)) return "";
      const lead = this.#leads.find((each) => words.startsWith(each));
      if (lead === undefined) return this.end();
      this.hasCutTag ||= lead === this.#tag;
      all = words.slice(lead.length);
      this.#blanks = "";
      this.#hasCut = true;
    }
  }

  /** Takes the end of the text; returns what was held back. */
  end(): string {
    const text = this.#blanks + this.#held;
    this.#blanks = "";
    this.#held = "";
    this.#isDone = true;
    return text;
  }
}
