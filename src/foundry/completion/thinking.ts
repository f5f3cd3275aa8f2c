import { escapeRegExp, overlap } from "../../lib/index.js";
import {
  BareChannelSplitter,
  HARMONY_STARTS,
  HarmonySplitter,
  isBare,
  mayBeBare,
  type Piece,
} from "./harmony.js";
import { EndMarkCutter, LeadCutter } from "./text-filters.js";

interface Tags {
  readonly open: string;
  readonly close: string;
}

interface FoundTag {
  readonly at: number;
  readonly tag: string;
}

const THINK: Tags = { open: "<think>", close: "</think>" };
const UPPER_THINK: Tags = { open: "<THINK>", close: "</THINK>" };
const GEMMA_THINK: Tags = { open: "<|channel>thought", close: "<channel|>" };
const isThink = (tags: Tags): boolean => tags === THINK || tags === UPPER_THINK;
/** The marks of models around their thinking. */
const TAGS: readonly Tags[] = [
  THINK,
  UPPER_THINK,
  { open: "<thinking>", close: "</thinking>" },
  { open: "<thought>", close: "</thought>" },
  { open: "<reasoning>", close: "</reasoning>" },
  { open: "<seed:think>", close: "</seed:think>" },
  { open: "<mm:think>", close: "</mm:think>" },
  { open: "<longcat_think>", close: "</longcat_think>" },
  { open: "[THINK]", close: "[/THINK]" },
  { open: "◁think▷", close: "◁/think▷" },
  { open: "<|START_THINKING|>", close: "<|END_THINKING|>" },
  { open: "<|begin_of_thought|>", close: "<|end_of_thought|>" },
  // Apriel, whose prompt begins its thinking.
  { open: "[BEGIN REASONING]", close: "[BEGIN FINAL RESPONSE]" },
  GEMMA_THINK,
];
const OPENINGS: ReadonlyMap<string, Tags> = new Map([
  ...TAGS.map((tags) => [tags.open, tags] as const),
  ["<think >", THINK],
  ["<|channel>\n", GEMMA_THINK],
]);
const CLOSINGS: ReadonlyMap<string, Tags> = new Map(TAGS.map((tags) => [tags.close, tags]));

const FENCE = "```";
const FOUND = new RegExp(
  [FENCE, ...OPENINGS.keys(), ...CLOSINGS.keys()].map(escapeRegExp).join("|"),
  "g",
);
const FENCES = /```/g;

/** What may become a tag. What follows a closing one may decide whether it counts. */
const HELD = [...OPENINGS.keys()];
const ORPHANS = [...CLOSINGS.keys()].map((close) => `${close}\r\n`);
const HELD_WITH_ORPHANS = [...HELD, ...ORPHANS];
const LONGEST_HELD = Math.max(...HELD_WITH_ORPHANS.map(({ length }) => length));

/**
 * Separates a model's thinking from its answer, streamed or whole. S, C1 and plain engines leave it in
 * the text (docs/foundry-local.md, section 4), between the tags of {@link TAGS} or in the channels of
 * gpt-oss. Tokens of chat templates are cut in front of the answer, end-of-turn tokens at its end.
 *
 * An opening tag counts at the beginning of the text, `<think>` where any line begins: a model that
 * explains the tag in the middle of a sentence or in a block of code is not thinking. Some templates
 * open the tag themselves, so that the text shows only its end; then all before it was thinking, and
 * `text_was_reasoning` says so. Such an end counts only where a line begins or ends or a sentence
 * does, and only where no thinking came otherwise.
 */
export class ThinkingSplitter {
  readonly #hasTools: boolean;
  readonly #wrapper: string | null;
  readonly #marks = new EndMarkCutter();
  readonly #opening = new LeadCutter();
  /** Of the answer that comes next. */
  #lead = new LeadCutter();
  /** Of an answer in channels. */
  #channels: HarmonySplitter | BareChannelSplitter | null = null;
  #pending = "";
  /** The tag that ends the thinking; `null` in an answer. */
  #close: string | null = null;
  /** Whether an end of thinking without a beginning can still come. */
  #expectsOrphan = true;
  /** Opening tags that were ordinary text; their closing tags are ordinary text, too. */
  readonly #spokenOf = new Set<Tags>();
  /** Whether there are only blanks in the line that goes on; a line can be the whole answer. */
  #isLineBlank = true;
  #isInFence = false;
  #lastCharacter = "";
  #hasWords = false;
  /** Thinking that came in a member of its own; empty where the text does not begin with the same. */
  #apart = "";
  /** How much of it the text repeats so far. */
  #repeated = "";
  /** What is cut in front of the text that comes next. */
  #cut: RegExp | null = null;
  #isAtStart = true;
  /** Blanks before the first word belong to it, unless thinking comes first. */
  #leading = "";

  /**
   * @param hasTools Whether messages to tools are calls; else they are thinking.
   * @param wrapper The name of the tag around an answer behind thinking; `null`: none.
   */
  constructor(hasTools = false, wrapper: string | null = null) {
    this.#hasTools = hasTools;
    this.#wrapper = wrapper;
  }

  /** The service gives thinking in a member of its own, so that a tag in the text is ordinary text. */
  thinkingCameApart(text: string): void {
    this.#expectsOrphan = false;
    if (!this.#hasWords) this.#cut ??= BLANK_LINES;
    if (this.#apart === "" && !this.#hasWords) this.#lead = new LeadCutter(this.#wrapper);
    this.#apart = this.#apart === "" ? text.trimStart() : this.#apart + text;
  }

  /** Thinking in the text, without what came apart, too: llama.cpp repeats it with `deepseek-legacy`. */
  #unrepeated(text: string): string {
    if (this.#apart === "") return text;
    const rest = this.#apart.slice(this.#repeated.length);
    const said = this.#repeated === "" ? text.trimStart() : text;
    if (rest.startsWith(said)) this.#repeated += said;
    else if (rest.trimEnd() === said.trimEnd()) this.#repeated = this.#apart;
    else {
      const all = this.#repeated + text;
      this.#apart = "";
      this.#repeated = "";
      return all;
    }
    return "";
  }

  /** Takes the next piece of text; returns the pieces that are certain by now. */
  push(text: string): Piece[] {
    return this.#withoutMarks(this.#split(this.#opening.push(text)));
  }

  /** Takes the end of the text; returns what was held back. A tag left open stays thinking. */
  end(): Piece[] {
    const before = this.#split(this.#opening.end());
    const rest: Piece[] = this.#channels === null ? this.#pieces(true) : this.#channels.end();
    const all = this.#withoutMarks([...before, ...rest]);
    const text = this.#marks.push(this.#lead.end()) + this.#marks.end();
    return text === "" ? all : [...all, { type: "text", text }];
  }

  #split(text: string): Piece[] {
    if (this.#channels !== null) return this.#channels.push(text);
    this.#pending += text;
    if (this.#isAtStart) {
      const words = this.#pending.trimStart();
      this.#leading += this.#pending.slice(0, this.#pending.length - words.length);
      this.#pending = words;
      if (words === "") return [];
      if (HARMONY_STARTS.some((start) => words.startsWith(start))) {
        this.#channels = new HarmonySplitter(this.#hasTools);
      } else if (isBare(words, this.#hasTools)) {
        this.#channels = new BareChannelSplitter(this.#hasTools);
      }
      if (this.#channels !== null) return this.#channels.push(words);
      if (HARMONY_STARTS.some((start) => start.startsWith(words))) return [];
      if (mayBeBare(words, this.#hasTools)) return [];
    }
    return this.#pieces(false);
  }

  #pieces(isEnd: boolean): Piece[] {
    const pieces: Piece[] = [];
    for (let tag = this.#nextTag(isEnd); tag !== null; tag = this.#nextTag(isEnd)) {
      this.#takeTag(tag, pieces);
    }
    this.#emit(pieces, this.#pending.length - (isEnd ? 0 : this.#heldBack()));
    return pieces;
  }

  #withoutMarks(pieces: readonly Piece[]): Piece[] {
    return pieces.flatMap((piece): Piece[] => {
      if (piece.type === "text") {
        const lead = this.#lead.push(piece.text);
        if (this.#lead.hasCutTag) this.#marks.expect(`</${this.#wrapper}>`);
        const text = this.#marks.push(lead);
        return text === "" ? [] : [{ type: "text", text }];
      }
      const held = this.#marks.push(this.#lead.end()) + this.#marks.release();
      this.#lead = new LeadCutter(this.#wrapper);
      return held === "" ? [piece] : [{ type: "text", text: held }, piece];
    });
  }

  #takeTag({ at, tag }: FoundTag, pieces: Piece[]): void {
    const wasThinking = this.#close !== null;
    if (this.#isAtStart && at === 0) this.#cut = BLANKS;
    this.#emit(pieces, at, true);
    this.#isAtStart = false;
    this.#pending = this.#pending.slice(tag.length);
    this.#close = OPENINGS.get(tag)?.close ?? null;
    if (this.#close === null && !wasThinking && this.#hasWords) {
      pieces.push({ type: "text_was_reasoning" });
      this.#hasWords = false;
      this.#isInFence = false;
    }
    this.#expectsOrphan = false;
    this.#isLineBlank = true;
    this.#cut = this.#close === null ? BLANKS : null;
  }

  /** The next tag that counts. */
  #nextTag(isEnd: boolean): FoundTag | null {
    if (this.#close !== null) {
      const at = this.#pending.indexOf(this.#close);
      return at === -1 ? null : { at, tag: this.#close };
    }
    // Nearly no piece of text has any of these.
    if (!/[<[◁`]/.test(this.#pending)) return null;
    let isInFence = this.#isInFence;
    for (const { 0: tag, index: at } of this.#pending.matchAll(FOUND)) {
      if (tag === FENCE) {
        if (this.#beginsLine(at)) isInFence = !isInFence;
        continue;
      }
      const opened = OPENINGS.get(tag);
      const closed = CLOSINGS.get(tag);
      if (opened !== undefined) {
        if (!isInFence && this.#opens(opened, at)) return { at, tag };
        this.#spokenOf.add(opened);
      } else if (closed !== undefined && !isInFence) {
        if (this.#isOrphan(closed, at, isEnd)) return { at, tag };
      }
    }
    return null;
  }

  #opens(tags: Tags, at: number): boolean {
    if (isThink(tags)) return this.#beginsLine(at);
    return !this.#hasWords && this.#pending.slice(0, at).trim() === "";
  }

  #isOrphan(tags: Tags, at: number, isEnd: boolean): boolean {
    // An engine that gives the thinking apart may leave its end in the text.
    if (!this.#hasWords && this.#pending.slice(0, at).trim() === "") return true;
    if (!this.#expectsOrphan) return false;
    const isSpokenOf = this.#spokenOf.has(tags);
    if (isSpokenOf && !isThink(tags)) return false;
    const end = at + tags.close.length;
    if (this.#beginsLine(at) || this.#endsLine(end, isEnd)) return true;
    if (isSpokenOf) return false;
    const before = at === 0 ? this.#lastCharacter : this.#pending.charAt(at - 1);
    const after = this.#pending.charAt(end);
    if (after === "") return false;
    if (/[.!?…。！？]/.test(before)) return !/[`'"’”)\]>]/.test(after);
    return /[\p{L}\p{N}]/u.test(before) && /[\p{L}\p{N}*#{[]/u.test(after);
  }

  #beginsLine(at: number): boolean {
    return beginsLine(this.#pending, at, this.#isLineBlank);
  }

  #endsLine(at: number, isEnd: boolean): boolean {
    const after = this.#pending.slice(at, at + 2);
    return /^\r?\n/.test(after) || (isEnd && this.#pending.slice(at).trim() === "");
  }

  /** How many characters at the end may be the beginning of a tag. */
  #heldBack(): number {
    if (this.#close !== null) return overlap(this.#pending, this.#close);
    // Nothing that is held back is longer, and nearly all text ends with none of these.
    if (!/[<[◁`]/.test(this.#pending.slice(-LONGEST_HELD))) return 0;
    const tags = this.#expectsOrphan || !this.#hasWords ? HELD_WITH_ORPHANS : HELD;
    const ofFence = this.#pending.endsWith(FENCE) ? 0 : overlap(this.#pending, FENCE);
    return Math.max(ofFence, ...tags.map((tag) => overlap(this.#pending, tag)));
  }

  #emit(pieces: Piece[], length: number, isTag = false): void {
    const isHeld = length === 0 && this.#pending !== "";
    // As long as all that has come may be the beginning of a tag, what is before it waits, too.
    if (isHeld && !isTag) return;
    let text = this.#leading + this.#pending.slice(0, length);
    this.#leading = "";
    this.#pending = this.#pending.slice(length);
    if (this.#close !== null) {
      const thought = this.#unrepeated(text);
      if (thought !== "") pieces.push({ type: "reasoning", text: thought });
      return;
    }
    if (this.#cut !== null) text = text.replace(this.#cut, "");
    if (text === "") return;
    this.#cut = null;
    this.#isAtStart = false;
    this.#noteText(text);
    pieces.push({ type: "text", text });
  }

  #noteText(text: string): void {
    for (const { index } of text.includes(FENCE) ? text.matchAll(FENCES) : []) {
      if (beginsLine(text, index, this.#isLineBlank)) this.#isInFence = !this.#isInFence;
    }
    this.#lastCharacter = text.charAt(text.length - 1);
    this.#hasWords ||= text.trim() !== "";
    const lineAt = text.lastIndexOf("\n") + 1;
    this.#isLineBlank = (lineAt > 0 || this.#isLineBlank) && text.slice(lineAt).trim() === "";
  }
}

/** What stands between thinking and answer belongs to neither. */
const BLANKS = /^\s+/;
/** Where thinking came apart, the first line may be indented. */
const BLANK_LINES = /^\s*\n/;

/** @param isLineBlank Whether there are only blanks before the text in its first line. */
function beginsLine(text: string, at: number, isLineBlank: boolean): boolean {
  for (let before = at - 1; before >= 0; before--) {
    const character = text.charAt(before);
    if (character === "\n") return true;
    if (character.trim() !== "") return false;
  }
  return isLineBlank;
}
