import { Brackets, escapeRegExp, MOST_FALSE_CALLS, overlap } from "../../lib/index.js";
import type { RawCall } from "./tool.js";
import type { Toolbox } from "./toolbox.js";
import { saidName, writtenCalls } from "./written-calls.js";

/** How a model marks its calls. */
interface Markup {
  readonly start: string;
  /** Where the calls end. `null`: where their brackets do. */
  readonly end: string | null;
  /** The part of `start` that belongs to the calls themselves. */
  readonly own?: string;
}

const MARKUPS: readonly Markup[] = [
  { start: "<tool_call>", end: "</tool_call>" },
  { start: "<tool_calls>", end: "</tool_calls>" },
  { start: "<function_call>", end: "</function_call>" },
  { start: "<function_calls>", end: "</function_calls>" },
  { start: "<|tool_call|>", end: "<|/tool_call|>" },
  { start: "<|tool_call>", end: "<tool_call|>" },
  { start: "<start_function_call>", end: "<end_function_call>" },
  { start: "<|tool_call_start|>", end: "<|tool_call_end|>" },
  { start: "<|tool_calls_section_begin|>", end: "<|tool_calls_section_end|>" },
  { start: "<|tool_call_section_begin|>", end: "<|tool_call_section_end|>" },
  // Of Kimi and DeepSeek, where the engine or the model leaves the marks around all calls out.
  { start: "<|tool_call_begin|>", end: "<|tool_call_end|>" },
  { start: "<｜tool▁call▁begin｜>", end: "<｜tool▁call▁end｜>" },
  { start: "<｜tool▁calls▁begin｜>", end: "<｜tool▁calls▁end｜>" },
  { start: "<｜DSML｜function_calls>", end: "</｜DSML｜function_calls>" },
  { start: "<｜DSML｜tool_calls>", end: "</｜DSML｜tool_calls>" },
  { start: "<minimax:tool_call>", end: "</minimax:tool_call>" },
  { start: "<longcat_tool_call>", end: "</longcat_tool_call>" },
  { start: "<seed:tool_call>", end: "</seed:tool_call>" },
  { start: "<TOOLCALL>", end: "</TOOLCALL>" },
  { start: "<|START_ACTION|>", end: "<|END_ACTION|>" },
  { start: "<|action_start|><|plugin|>", end: "<|action_end|>" },
  { start: "[TOOL_REQUEST]", end: "[END_TOOL_REQUEST]" },
  { start: "[TOOL_CALL]", end: "[/TOOL_CALL]" },
  { start: "```tool_code\n", end: "```" },
  { start: "<|python_start|>", end: "<|python_end|>" },
  { start: "<|python_tag|>", end: null },
  { start: "[TOOL_CALLS]", end: null },
  { start: "<|function_call|>", end: null },
  { start: "function call<|role_sep|>", end: null },
  { start: "functools[", end: null, own: "[" },
  { start: "<function=", end: "</function>", own: "<function=" },
  { start: "<function name=", end: "</function>", own: "<function name=" },
  { start: "<invoke name=", end: "</invoke>", own: "<invoke name=" },
];
/** Ends that some models write without their start. */
const STRAY_ENDS = [
  "</tool_call>",
  "</tool_calls>",
  "</function_calls>",
  "<|/tool_call|>",
  "<|tool_calls_section_end|>",
  "<｜tool▁calls▁end｜>",
];
const TOKENS = [...MARKUPS.map(({ start }) => start), ...STRAY_ENDS];
const LONGEST_TOKEN = Math.max(...TOKENS.map(({ length }) => length));

const BLANKS = "\\s{0,200}";
const FENCE = `(?:\`\`\`[a-z_]{0,12}[ \\t]{0,20}(?:\\r?\\n${BLANKS})?)?`;
const KEYS =
  "name|function|tool|tool_name|function_name|function_call|tool_calls|type|id|arguments|parameters|args";
/** Calls without any markup: JSON whose first member is that of a call, or a list of calls in Python. */
const BARE = `(?:\\[${BLANKS})?\\{${BLANKS}"(?:${KEYS})"${BLANKS}:|\\[${BLANKS}(?<python>[A-Za-z_][\\w.]{0,99})\\((?=[A-Za-z_)])`;
const START = new RegExp(
  `(?<fence>${FENCE})(?:(?<token>${TOKENS.map(escapeRegExp).join("|")})|(?<bare>${BARE}))`,
);
/** What may become {@link START}. */
const BEGINS = new RegExp(
  `(?:\`{1,2}|\`\`\`[a-z_]{0,12}[ \\t]{0,20}\\r?|${FENCE}(?:\\[${BLANKS})?(?:\\{${BLANKS}(?:"[a-z_]{0,15}(?:"${BLANKS})?)?)?|\\[${BLANKS}[A-Za-z_][\\w.]{0,99}\\(?)$`,
);
/** Nothing that may become a start is longer. */
const LONGEST_BEGIN = 700;
const MAY_BEGIN = /[`[{<f]/;
const CLOSING_FENCE = /^\s{0,200}```/;
const BEGINS_CLOSING_FENCE = /^\s{0,200}`{0,2}$/;
/** Blanks, commas and semicolons between two calls in one markup. */
const LONGEST_BETWEEN = 200;
/** After these marks of a call, its arguments follow. */
const INNER_MARK = /\[(?:ARGS|CALL_ID)\]$/;

/** Calls whose end is not found yet. */
interface Open {
  /** `null`: without markup. */
  readonly markup: Markup | null;
  /** What was cut from the text in front of the body. */
  readonly lead: string;
  readonly isFenced: boolean;
  readonly brackets: Brackets;
  /** How much of the body was looked at. */
  at: number;
  /** Where its brackets were closed last; -1: they are open. */
  closedAt: number;
  /** `null`: not known before its first character. */
  isJson: boolean | null;
}

/**
 * Takes the calls out of the text of an answer, streamed or whole, whatever markup the model's template has
 * for them. What is no call stays text. Each character is looked at a bounded number of times.
 */
export class CallText {
  /** Without markup, only JSON with the name of one of its tools is a call. */
  readonly #toolbox: Toolbox;
  #pending = "";
  #open: Open | null = null;
  /** The calls so far. */
  calls: RawCall[] = [];
  /** Whether markup held no call that can be read. */
  isUnreadable = false;
  /** Whether the answer ended in the middle of a call. */
  isCut = false;
  /** Markup without an end, after which the text is searched again. */
  #falseStarts = 0;
  /** Whether the markup of a call that was just taken may be followed by the end of a fence. */
  #expectsFence = false;
  /** Blanks at the end, which belong to the answer as soon as a word follows. */
  #blanks = "";

  constructor(toolbox: Toolbox) {
    this.#toolbox = toolbox;
  }

  /** Takes the next piece of text; returns what is certainly no call. */
  push(text: string): string {
    this.#pending += text;
    return this.#words(this.#search(false, true));
  }

  /**
   * Takes the end of the text; returns what was held back.
   *
   * @param isWhole `false`: the answer was cut off.
   */
  end(isWhole: boolean): string {
    const text = this.#words(this.#search(true, isWhole));
    // Blanks around calls are no answer.
    const hasCalls = this.calls.length > 0 || this.isUnreadable || this.isCut;
    return hasCalls ? text : text + this.#blanks;
  }

  /** The text until here was no answer. Returns what was held back, and forgets the calls in it. */
  reset(): string {
    const held = `${this.#blanks}${this.#open?.lead ?? ""}${this.#pending}`;
    this.#blanks = "";
    this.#pending = "";
    this.#open = null;
    this.calls = [];
    this.isUnreadable = false;
    this.#expectsFence = false;
    return held;
  }

  #words(text: string): string {
    const words = text.trimEnd();
    const blanks = text.slice(words.length);
    if (words === "") {
      this.#blanks += blanks;
      return "";
    }
    const all = this.#blanks + words;
    this.#blanks = blanks;
    return all;
  }

  #search(isEnd: boolean, isWhole: boolean): string {
    const out: string[] = [];
    let isFound = true;
    while (isFound) {
      const open = this.#open;
      isFound = open === null ? this.#next(isEnd, out) : this.#close(open, isEnd, isWhole, out);
    }
    return out.join("");
  }

  /** Looks for the next start; `false` where there is none. */
  #next(isEnd: boolean, out: string[]): boolean {
    if (this.#expectsFence) {
      if (!isEnd && BEGINS_CLOSING_FENCE.test(this.#pending)) return false;
      this.#pending = this.#pending.replace(CLOSING_FENCE, "");
      this.#expectsFence = false;
    }
    const found = this.#falseStarts < MOST_FALSE_CALLS ? START.exec(this.#pending) : null;
    if (found === null) {
      const held = isEnd ? 0 : this.#heldBack();
      out.push(this.#take(this.#pending.length - held));
      return false;
    }
    out.push(this.#take(found.index));
    const { fence = "", token, python } = found.groups ?? {};
    if (python !== undefined && !this.#toolbox.isOffered(python)) {
      // Its bracket may never be closed, as in `[f(a), f(b))`.
      out.push(this.#take(found[0].length));
      return true;
    }
    if (token !== undefined && STRAY_ENDS.includes(token)) {
      const isStray = this.calls.length > 0 || this.isUnreadable;
      const lead = this.#take(fence.length + token.length);
      out.push(isStray ? fence : lead);
      return true;
    }
    const markup = MARKUPS.find(({ start }) => start === token) ?? null;
    const own = markup?.own?.length ?? 0;
    const lead = this.#take(fence.length + (markup === null ? 0 : markup.start.length - own));
    this.#open = {
      markup,
      lead,
      isFenced: fence !== "",
      brackets: new Brackets(),
      at: 0,
      closedAt: -1,
      isJson: null,
    };
    return true;
  }

  /** Looks for the end of the calls; `false` where it is still to come. */
  #close(open: Open, isEnd: boolean, isWhole: boolean, out: string[]): boolean {
    const end = open.markup?.end ?? null;
    const found = end === null ? this.#bracketsEnd(open, isEnd) : this.#tokenEnd(open, end, isEnd);
    if (found === null && !isEnd) return false;
    if (found !== null) {
      const body = this.#take(found.body);
      this.#taken(open, body, true, out, this.#take(found.skip));
      return true;
    }
    // A quote that is never closed hides the end.
    const first = end === null ? -1 : this.#pending.indexOf(end);
    if (first !== -1 && end !== null) {
      this.#falseStarts += 1;
      const body = this.#take(first);
      this.#take(end.length);
      this.#taken(open, body, true, out);
      return true;
    }
    this.#taken(open, this.#take(this.#pending.length), isWhole, out);
    return true;
  }

  #tokenEnd(open: Open, end: string, isEnd: boolean): { body: number; skip: number } | null {
    const text = this.#pending;
    const start = open.markup?.start ?? "";
    for (; open.at < text.length; open.at += 1) {
      if (open.isJson === null && text.charAt(open.at).trim() !== "") {
        open.isJson = /[{[]/.test(text.charAt(open.at));
      }
      if (open.isJson === true) open.brackets.step(text.charCodeAt(open.at));
      if (open.brackets.isOpen) continue;
      if (text.startsWith(end, open.at)) return { body: open.at, skip: end.length };
      // Some models begin the next call without ending this one.
      if (open.at > start.length && text.startsWith(start, open.at)) {
        return { body: open.at, skip: 0 };
      }
      const rest = text.slice(open.at, open.at + LONGEST_TOKEN);
      const isBegin =
        rest.length < LONGEST_TOKEN && (end.startsWith(rest) || start.startsWith(rest));
      if (isBegin && !isEnd) return null;
    }
    return null;
  }

  #bracketsEnd(open: Open, isEnd: boolean): { body: number; skip: number } | null {
    const text = this.#pending;
    const { brackets } = open;
    for (; open.at < text.length; open.at += 1) {
      if (open.closedAt !== -1) {
        const between = text.slice(open.closedAt, open.at);
        const next = text.charAt(open.at);
        // The next markup may begin with a bracket, too.
        const isUnknown = next === "[" && open.at + 1 === text.length && !isEnd;
        if (isUnknown && between.length < LONGEST_BETWEEN) return null;
        const isDivided = open.markup !== null || /[;,]/.test(between);
        const isMore = isDivided && /[{[]/.test(next) && !text.startsWith("[T", open.at);
        const isBetween = /[\s;,]/.test(next) && between.length < LONGEST_BETWEEN;
        if (!isMore && !isBetween) return { body: open.closedAt, skip: 0 };
        if (isMore) open.closedAt = -1;
      }
      const wasOpen = brackets.isOpen;
      brackets.step(text.charCodeAt(open.at));
      const isClosed = wasOpen && !brackets.isOpen;
      if (isClosed && !INNER_MARK.test(text.slice(Math.max(0, open.at - 10), open.at + 1))) {
        open.closedAt = open.at + 1;
      }
    }
    if (open.closedAt === -1 || !isEnd) return null;
    return { body: open.closedAt, skip: text.length - open.closedAt };
  }

  /** Reads the calls in a body. What is none becomes text again. */
  #taken(open: Open, body: string, isWhole: boolean, out: string[], tail = ""): void {
    this.#open = null;
    const written = writtenCalls(body, this.#toolbox.repair, isWhole);
    const { isCut } = written;
    const name = body.trim();
    // GLM writes the name alone where there are no arguments.
    const isName = written.calls.length === 0 && isWhole && this.#toolbox.isOffered(name);
    const isOfGlm = open.markup?.start === "<tool_call>";
    const calls = isName && isOfGlm ? [{ name, arguments: {} }] : written.calls;
    if (open.markup === null) {
      const isLink = this.#pending.startsWith("(");
      if (
        calls.length > 0 &&
        !isLink &&
        calls.every((call) => this.#toolbox.isOffered(call.name))
      ) {
        this.calls.push(...calls);
        this.isCut ||= isCut;
        this.#expectsFence = open.isFenced;
        return;
      }
      const said = isCut ? saidName(body) : null;
      if (said !== null && this.#toolbox.isOffered(said)) this.isCut = true;
      else out.push(open.lead, body);
      return;
    }
    // Words about the markup are text, also about its name in quotes. Special tokens are none.
    const isSpokenOf = calls.length === 0 && !/^[[\s]*[{<\]]|^\s*\[\s*["']|^\s*$/.test(body);
    if (isSpokenOf && !isCut) {
      out.push(/\||TOOL_CALLS/.test(open.markup.start) ? "" : open.lead, body, tail);
      return;
    }
    this.calls.push(...calls);
    this.isCut ||= isCut || (calls.length === 0 && !isWhole);
    this.isUnreadable ||= calls.length === 0 && isWhole;
    this.#expectsFence = open.isFenced;
  }

  /** How many characters at the end may be the beginning of a start. */
  #heldBack(): number {
    const tail = this.#pending.slice(-LONGEST_BEGIN);
    if (this.#falseStarts >= MOST_FALSE_CALLS || !MAY_BEGIN.test(tail)) return 0;
    const bare = BEGINS.exec(tail)?.[0].length ?? 0;
    const ofToken = Math.max(...TOKENS.map((token) => overlap(tail, token)));
    const fence = ofToken === 0 ? 0 : (FENCE_AT_END.exec(tail.slice(0, -ofToken))?.[0].length ?? 0);
    return Math.max(bare, ofToken + fence);
  }

  #take(length: number): string {
    const taken = this.#pending.slice(0, length);
    this.#pending = this.#pending.slice(length);
    return taken;
  }
}

const FENCE_AT_END = new RegExp(`${FENCE}$`);
