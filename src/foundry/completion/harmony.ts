import { overlap } from "../../lib/index.js";

/** A part of an answer, as the marks of its model divide it. */
export type Piece =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  /** A message to a tool; `to` only with its first piece. */
  | { readonly type: "call"; readonly to: string | null; readonly text: string }
  /** The text before it was thinking. */
  | { readonly type: "text_was_reasoning" };

/** With what an answer in this format begins. */
export const HARMONY_STARTS = ["<|start|>", "<|channel|>", "<|message|>"] as const;

const TOKENS = [...HARMONY_STARTS, "<|constrain|>", "<|end|>", "<|return|>", "<|call|>"] as const;
const TOKEN = /<\|(start|channel|message|constrain|end|return|call)\|>/;

/** In an answer, tokens count only where they end a message or begin the next one. */
const END_OF_MESSAGE =
  /^(?:<\|(?:end|return|call)\|>\s*)?(?:$|<\|start\|>\s*assistant|<\|channel\|>\s*(?:analysis|commentary|final))/;
/** After so many characters {@link END_OF_MESSAGE} is decided. */
const DECIDED_AFTER = 64;

const HEADER = /^\s*(?:(?:assistant|analysis|commentary|final)\b|$)/;
/** The longest known header, a call of a tool, has about 60 characters. */
const LONGEST_HEADER = 200;

/**
 * Separates the channels of the harmony format, which engines leave in the text of gpt-oss:
 * `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…`. The final
 * channel is the answer, the others are thinking.
 */
export class HarmonySplitter {
  #pending = "";
  readonly #hasTools: boolean;
  #part: "header" | "between" | "text" | "reasoning" | "call" = "between";
  #header = "";
  /** Whom the header that was read names; it may come before the channel. */
  #to: string | null = null;

  /** @param hasTools `false`: what is for a tool is thinking. */
  constructor(hasTools: boolean) {
    this.#hasTools = hasTools;
  }

  push(text: string): Piece[] {
    this.#pending += text;
    return this.#split(false);
  }

  end(): Piece[] {
    const pieces = this.#split(true);
    // A header without a message may be text.
    if (this.#part === "header" && !HEADER.test(this.#header)) this.#giveHeader(pieces);
    return pieces;
  }

  #split(isEnd: boolean): Piece[] {
    const pieces: Piece[] = [];
    for (;;) {
      const token = TOKEN.exec(this.#pending);
      if (token === null) break;
      const [whole, name = ""] = token;
      this.#take(token.index, pieces);
      const isDecided = isEnd || this.#pending.length >= DECIDED_AFTER;
      if (this.#part === "text" && !isDecided) return pieces;
      if (this.#part === "text" && !END_OF_MESSAGE.test(this.#pending)) {
        this.#take(whole.length, pieces);
      } else {
        this.#pending = this.#pending.slice(whole.length);
        this.#turn(name, pieces);
      }
    }
    const held = isEnd ? 0 : Math.max(...TOKENS.map((token) => overlap(this.#pending, token)));
    this.#take(this.#pending.length - held, pieces);
    return pieces;
  }

  #turn(token: string, pieces: Piece[]): void {
    if (this.#hasTools) this.#to = recipientIn(this.#header) ?? this.#to;
    if (token === "start" || token === "channel") {
      if (token === "start") this.#to = null;
      this.#part = "header";
      this.#header = "";
    } else if (token === "message") {
      this.#part = this.#to === null ? (channelOf(this.#header) ?? "text") : "call";
      if (this.#to !== null) pieces.push({ type: "call", to: this.#to, text: "" });
      this.#to = null;
      this.#header = "";
    } else if (token !== "constrain") {
      this.#part = "between";
    }
  }

  #take(length: number, pieces: Piece[]): void {
    const text = this.#pending.slice(0, length);
    this.#pending = this.#pending.slice(length);
    if (text === "") return;
    if (this.#part === "call") {
      pieces.push({ type: "call", to: null, text });
      return;
    }
    if (this.#part === "text" || this.#part === "reasoning") {
      const last = pieces.at(-1);
      // Joined: what follows looks again at the last 1000 characters with each piece.
      const isMore = last?.type === this.#part;
      if (isMore) pieces.pop();
      pieces.push({ type: this.#part, text: isMore ? last.text + text : text });
      return;
    }
    this.#header += text;
    if (this.#part === "between") this.#header = this.#header.trimStart();
    const isHeader = this.#part === "header" && this.#header.length <= LONGEST_HEADER;
    if (!isHeader && this.#header !== "") this.#giveHeader(pieces);
  }

  /** What seemed to be a header is text. */
  #giveHeader(pieces: Piece[]): void {
    pieces.push({ type: "text", text: this.#header });
    this.#header = "";
    this.#part = "text";
  }
}

/** The tool in a header such as `commentary to=functions.get_weather`. */
const recipientIn = (header: string): string | null =>
  /(?:^|\s)to=(?:functions\.)?([\w.-]{1,100})/.exec(header)?.[1] ?? null;

/** What a message with this header is; `null`: the header names no channel. */
function channelOf(header: string): "text" | "reasoning" | null {
  const channel = /^\s*(\w*)/.exec(header)?.[1]?.toLowerCase();
  if (channel === "final") return "text";
  return channel === "analysis" || channel === "commentary" ? "reasoning" : null;
}

/** A capital letter follows, which no word goes on with. */
const THINKING = /^analysis(?=\p{Lu})/u;
/** The header of a call, up to its arguments. `json` may be glued to the name, or a channel follow it. */
const CALL =
  /(?:commentary|analysis)? ?to=functions\.(?<name>[\w.-]{1,100}?)\s{0,3}(?:commentary)?\s{0,3}(?:json|code)?\s{0,3}(?=\{)/;
const FIRST_CALL = new RegExp(`^(?:assistant)?${CALL.source}`);
const NEXT = new RegExp(`assistant(?:final|${CALL.source})`);
/** What may become {@link NEXT}, and is longer than its fixed words. */
const CALL_BEGINS = /assistant(?:commentary|analysis)? ?to=functions\.[^{}]{0,130}$/;
const WORDS = [
  "assistantfinal",
  ...["", "commentary ", "analysis "].map((channel) => `assistant${channel}to=functions.`),
  "assistant to=functions.",
];
const FIRST_WORDS = WORDS.slice(1).flatMap((word) => [word, word.slice("assistant".length)]);

/** Whether a text that has just begun may become one with bare channels, or with a call. */
export const mayBeBare = (begun: string, hasTools: boolean): boolean =>
  overlap(begun, "analysis.") === begun.length ||
  (hasTools &&
    (FIRST_WORDS.some((word) => word.startsWith(begun)) ||
      CALL_BEGINS.test(begun.startsWith("assistant") ? begun : `assistant${begun}`)));

export const isBare = (text: string, hasTools: boolean): boolean =>
  THINKING.test(text) || (hasTools && FIRST_CALL.test(text));

/**
 * Separates the channels of gpt-oss where an engine has removed the tokens around their names:
 * `analysisI look.assistantcommentary to=functions.get_weather json{"city":"Oslo"}`. The tokens are put
 * back.
 */
export class BareChannelSplitter {
  readonly #harmony: HarmonySplitter;
  #pending = "";
  #isAtStart = true;
  #isFinal = false;
  /** Blank lines in front of the answer do not belong to it. */
  #hasAnswer = false;

  constructor(hasTools: boolean) {
    this.#harmony = new HarmonySplitter(hasTools);
  }

  push(text: string): Piece[] {
    this.#pending += text;
    return this.#harmony.push(this.#withTokens(false));
  }

  end(): Piece[] {
    return [...this.#harmony.push(this.#withTokens(true)), ...this.#harmony.end()];
  }

  #withTokens(isEnd: boolean): string {
    let text = "";
    if (this.#isAtStart) {
      this.#isAtStart = false;
      if (THINKING.test(this.#pending)) {
        text = "<|channel|>analysis<|message|>";
        this.#pending = this.#pending.replace(THINKING, "");
      } else if (!this.#pending.startsWith("assistant")) {
        this.#pending = `assistant${this.#pending}`;
      }
    }
    while (!this.#isFinal) {
      const next = NEXT.exec(this.#pending);
      if (next === null) break;
      const name = next.groups?.["name"];
      const header = name === undefined ? "final" : `commentary to=functions.${name}`;
      text += `${this.#pending.slice(0, next.index)}<|start|>assistant<|channel|>${header}<|message|>`;
      this.#pending = this.#pending.slice(next.index + next[0].length);
      this.#isFinal = name === undefined;
    }
    if (this.#isFinal && !this.#hasAnswer) {
      this.#pending = this.#pending.trimStart();
      this.#hasAnswer = this.#pending !== "";
    }
    const held = isEnd || this.#isFinal ? 0 : heldBack(this.#pending);
    text += this.#pending.slice(0, this.#pending.length - held);
    this.#pending = this.#pending.slice(this.#pending.length - held);
    return text;
  }
}

const heldBack = (text: string): number =>
  Math.max(CALL_BEGINS.exec(text)?.[0].length ?? 0, ...WORDS.map((word) => overlap(text, word)));
