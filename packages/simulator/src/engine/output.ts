import * as z from "zod";
import type { Markers, SimulatedModel } from "../models/model.js";
import type { RawAnswer, ToolCall } from "./script.js";

/** A piece of an answer as the service splits it. */
export type Piece =
  | { readonly kind: "content"; readonly text: string }
  | { readonly kind: "reasoning"; readonly text: string }
  /** With their raw text. */
  | { readonly kind: "calls"; readonly calls: readonly ToolCall[]; readonly text: string };

/** Splits the raw tokens of a model into thought, tool calls and content. */
class Output {
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
    const text = this.#call;
    const { start, end } = this.tools ?? { start: "", end: "" };
    const calls = parseCalls(text.slice(start.length, text.length - end.length));
    return [calls === null ? { kind: "content", text } : { kind: "calls", calls, text }];
  }
}

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

  /** All pieces, for an answer that is not streamed. */
  async all(): Promise<readonly Piece[]> {
    const all: Piece[] = [];
    for await (const pieces of this.pieces()) all.push(...pieces);
    return all;
  }
}

/** The text of all pieces of these kinds. */
export const textOf = (pieces: readonly Piece[], ...kinds: readonly Piece["kind"][]): string =>
  pieces.map(({ kind, text }) => (kinds.includes(kind) ? text : "")).join("");

const members = z.record(z.string(), z.unknown());
const callSchema = z
  .object({ name: z.string(), arguments: members.optional(), parameters: members.optional() })
  .transform(
    (call): ToolCall => ({
      name: call.name,
      arguments: call.arguments ?? call.parameters ?? {},
    }),
  );

/** The calls in the text between two markers; `null` when the text is not a call. */
function parseCalls(text: string): ToolCall[] | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return z.array(callSchema).parse(Array.isArray(parsed) ? parsed : [parsed]);
  } catch {
    return null;
  }
}

/** All calls in a whole answer, for the dialects that leave them in its text. */
export function callsIn(text: string, markers: Markers | null): ToolCall[] {
  if (markers === null) return [];
  return text
    .split(markers.start)
    .slice(1)
    .flatMap((rest) => {
      const length = rest.indexOf(markers.end);
      return length < 0 ? [] : (parseCalls(rest.slice(0, length)) ?? []);
    });
}
