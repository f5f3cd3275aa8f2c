import type { SimulatedModel } from "../models/model.js";
import { Output, type Piece } from "./output.js";
import type { RawAnswer } from "./script.js";

/** A running completion: its tokens, split into content, thought and tool calls, and counted. */
export class Run {
  outputTokens = 0;
  #called = false;
  readonly #output: Output;

  constructor(
    model: SimulatedModel,
    answer: RawAnswer,
    readonly inputTokens: number,
    private readonly maxTokens: number,
    private readonly tokens: AsyncGenerator<string>,
  ) {
    this.#output = new Output(model.reasoningMarkers, answer.callMarkers);
  }

  get finish(): "stop" | "length" | "tool_calls" {
    if (this.#called) return "tool_calls";
    return this.outputTokens === this.maxTokens ? "length" : "stop";
  }

  get reasoningTokens(): number {
    return this.#output.reasoningTokens;
  }

  /** Whether a thought was begun and never closed. */
  get unfinishedThought(): boolean {
    return this.#output.isThinking;
  }

  /** What each token completed, and at the end the text of a call that was cut. */
  async *pieces(): AsyncGenerator<readonly Piece[]> {
    for await (const token of this.tokens) {
      this.outputTokens += 1;
      const pieces = this.#output.push(token);
      this.#called ||= pieces.some(({ kind }) => kind === "calls");
      yield pieces;
    }
    const text = this.#output.unfinishedCall;
    yield text === null ? [] : [{ kind: "content", text }];
  }
}
