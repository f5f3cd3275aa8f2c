import type { Markers, ToolCall } from "./script.js";
import { parseCalls } from "./tool-calls.js";

/** A piece of an answer as the service splits it. */
export type Piece =
  | { readonly kind: "content"; readonly text: string }
  | { readonly kind: "reasoning"; readonly text: string }
  | { readonly kind: "calls"; readonly calls: readonly ToolCall[]; readonly raw: string };

/** Splits the raw tokens of a model into thought, tool calls and content. */
export class Output {
  reasoningTokens = 0;
  #mode: "content" | "reasoning" | "call" = "content";
  #call = "";

  /** @param tools `null`: the text is not searched for calls. */
  constructor(
    private readonly reasoning: Markers | null,
    private readonly tools: Markers | null,
  ) {}

  push(token: string): Piece[] {
    if (this.#mode === "call") {
      this.#call += token;
      return token === this.tools?.end ? this.#closeCall() : [];
    }
    if (this.#mode === "reasoning") {
      if (token === this.reasoning?.end) return this.#enter("content");
      this.reasoningTokens += 1;
      return [{ kind: "reasoning", text: token }];
    }
    if (token === this.reasoning?.start) return this.#enter("reasoning");
    if (token === this.tools?.start) {
      this.#call = token;
      return this.#enter("call");
    }
    return token === "" ? [] : [{ kind: "content", text: token }];
  }

  /** The text of a call that was never closed; `null` when there is none. */
  get unfinishedCall(): string | null {
    return this.#mode === "call" ? this.#call : null;
  }

  get isThinking(): boolean {
    return this.#mode === "reasoning";
  }

  #enter(mode: "content" | "reasoning" | "call"): Piece[] {
    this.#mode = mode;
    return [];
  }

  #closeCall(): Piece[] {
    this.#mode = "content";
    const raw = this.#call;
    const { start, end } = this.tools ?? { start: "", end: "" };
    const calls = parseCalls(raw.slice(start.length, raw.length - end.length));
    return calls === null ? [{ kind: "content", text: raw }] : [{ kind: "calls", calls, raw }];
  }
}
