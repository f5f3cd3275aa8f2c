import * as z from "zod";
import type { Markers, SimulatedModel } from "../models/model.js";
import type { RawAnswer, ToolCall } from "./script.js";

/** A piece of an answer as the service splits it. */
export type Piece =
  | { readonly kind: "content"; readonly text: string }
  | { readonly kind: "reasoning"; readonly text: string }
  /** With their raw text. */
  | { readonly kind: "calls"; readonly calls: readonly ToolCall[]; readonly text: string };

/** A running completion: its tokens, split into content, thought and tool calls, and counted. */
export class Run {
  outputTokens = 0;
  reasoningTokens = 0;
  #called = false;
  #mode: "content" | "reasoning" | "call" = "content";
  /** The text of the call so far. */
  #call = "";

  constructor(
    private readonly model: SimulatedModel,
    private readonly answer: RawAnswer,
    readonly inputTokens: number,
    private readonly maxTokens: number,
    private readonly tokens: AsyncGenerator<string>,
  ) {}

  get finish(): "stop" | "length" | "tool_calls" {
    if (this.#called) return "tool_calls";
    return this.outputTokens === this.maxTokens ? "length" : "stop";
  }

  /** Whether a thought was begun and never closed. */
  get unfinishedThought(): boolean {
    return this.#mode === "reasoning";
  }

  /** What each token completed, and at the end the text of a call that was cut. */
  async *pieces(): AsyncGenerator<readonly Piece[]> {
    for await (const token of this.tokens) {
      this.outputTokens += 1;
      yield this.#split(token);
    }
    yield this.#mode === "call" ? [{ kind: "content", text: this.#call }] : [];
  }

  /** All pieces, for an answer that is not streamed. */
  async all(): Promise<readonly Piece[]> {
    const all: Piece[] = [];
    for await (const pieces of this.pieces()) all.push(...pieces);
    return all;
  }

  #split(token: string): Piece[] {
    const { reasoningMarkers: thought } = this.model;
    const { callMarkers: tools } = this.answer;
    if (this.#mode === "call") {
      this.#call += token;
      return token === tools?.end ? [this.#closedCall(tools)] : [];
    }
    if (this.#mode === "reasoning") {
      if (token !== thought?.end) {
        this.reasoningTokens += 1;
        return [{ kind: "reasoning", text: token }];
      }
      this.#mode = "content";
    } else if (token === thought?.start) {
      this.#mode = "reasoning";
    } else if (token === tools?.start) {
      this.#mode = "call";
      this.#call = token;
    } else if (token !== "") {
      return [{ kind: "content", text: token }];
    }
    return [];
  }

  #closedCall({ start, end }: Markers): Piece {
    this.#mode = "content";
    const text = this.#call;
    const calls = parseCalls(text.slice(start.length, text.length - end.length));
    if (calls === null) return { kind: "content", text };
    this.#called = true;
    return { kind: "calls", calls, text };
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
