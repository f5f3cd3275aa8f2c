import type { ToolCall } from "./script.js";
import { parseCalls } from "./tool-calls.js";

interface Markers {
  readonly start: string;
  readonly end: string;
}

/** A piece of an answer as the service takes it apart. */
export type Piece =
  | { readonly kind: "content"; readonly text: string }
  | { readonly kind: "reasoning"; readonly text: string }
  | { readonly kind: "calls"; readonly calls: readonly ToolCall[]; readonly raw: string };

export interface OutputOptions {
  readonly reasoning: Markers | null;
  /** `null`: the text is not looked through for calls. */
  readonly tools: Markers | null;
  readonly stop: readonly string[];
}

/** Takes the raw tokens of a model apart: thought, calls of tools, content, and where to stop. */
export class Output {
  /** A stop string was met: what comes after is not part of the answer. */
  stopped = false;
  reasoningTokens = 0;
  #mode: "content" | "reasoning" | "call" = "content";
  #call = "";
  /** The end of the text so far that may become a stop string. */
  #held = "";
  #heldKind: "content" | "reasoning" = "content";

  constructor(private readonly options: OutputOptions) {}

  push(token: string): Piece[] {
    const { reasoning, tools } = this.options;
    if (this.#mode === "content") {
      if (token === reasoning?.start) return this.#enter("reasoning");
      if (token === tools?.start) {
        this.#call = token;
        return this.#enter("call");
      }
      return this.#text("content", token);
    }
    if (this.#mode === "reasoning") {
      if (token === reasoning?.end) return this.#enter("content");
      this.reasoningTokens += 1;
      return this.#text("reasoning", token);
    }
    this.#call += token;
    return token === tools?.end ? this.#closeCall() : [];
  }

  /** What was held back, at the end. */
  finish(): Piece[] {
    return this.#flush();
  }

  /** The text of a call that was never closed; `null` when there is none. */
  get unfinishedCall(): string | null {
    return this.#mode === "call" ? this.#call : null;
  }

  /** Whether the thought was never closed. */
  get thinking(): boolean {
    return this.#mode === "reasoning";
  }

  #enter(mode: "content" | "reasoning" | "call"): Piece[] {
    this.#mode = mode;
    return this.#flush();
  }

  #closeCall(): Piece[] {
    this.#mode = "content";
    const raw = this.#call;
    const { start, end } = this.options.tools ?? { start: "", end: "" };
    const calls = parseCalls(raw.slice(start.length, raw.length - end.length));
    return calls === null ? [{ kind: "content", text: raw }] : [{ kind: "calls", calls, raw }];
  }

  #text(kind: "content" | "reasoning", token: string): Piece[] {
    const before = this.#heldKind === kind ? [] : this.#flush();
    this.#heldKind = kind;
    const text = this.#held + token;
    const matches = this.options.stop.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    if (matches.length > 0) {
      this.stopped = true;
      this.#held = "";
      return [...before, ...pieceOf(kind, text.slice(0, Math.min(...matches)))];
    }
    const keep = Math.max(0, ...this.options.stop.map((stop) => overlap(text, stop)));
    this.#held = keep === 0 ? "" : text.slice(-keep);
    return [...before, ...pieceOf(kind, text.slice(0, text.length - keep))];
  }

  #flush(): Piece[] {
    const pieces = pieceOf(this.#heldKind, this.#held);
    this.#held = "";
    return pieces;
  }
}

function pieceOf(kind: "content" | "reasoning", text: string): Piece[] {
  return text === "" ? [] : [{ kind, text }];
}

/** Length of the longest end of `text` that is a beginning of `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length -= 1) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}
