import type { Piece } from "../../engine/output.js";
import type { ToolCall } from "../../engine/script.js";
import type { DialectContext, DialectRequest } from "../dialect.js";
import { callId, hexId, seconds } from "../ids.js";
import { LateError } from "./errors.js";
import { EventStream } from "./events.js";
import {
  callItem,
  type Item,
  messageItem,
  type ResponseState,
  reasoningItem,
  responseObject,
} from "./response-object.js";
import { type Making, remember } from "./responses.js";
import { startTurn } from "./turn.js";

/** A response as a stream of typed events. */
export async function streamResponse(
  { engine, switches }: DialectContext,
  request: DialectRequest,
  making: Making,
): Promise<void> {
  const events = new EventStream(request, engine, switches);
  const items = new ItemStream(events, switches.toolCallText === "kept");
  const object = (state: ResponseState) =>
    responseObject(making.id, making.created, making.asked, state);
  const begun = object({ status: "in_progress", at: 0, error: null, output: [], run: null });
  items.emit("response.created", { response: begun });
  items.emit("response.in_progress", { response: begun });
  try {
    const run = startTurn(making.turn, engine, switches, request.record, () => events.cancelled);
    const all: Piece[] = [];
    for await (const pieces of run.pieces) {
      for (const piece of pieces) items.add(piece);
      all.push(...pieces);
    }
    if (events.cancelled) return;
    const cut = run.finish === "length" && switches.responses === "2.1";
    const status = cut ? "incomplete" : "completed";
    items.close(status);
    const response = object({ status, at: seconds(), error: null, output: items.done, run });
    remember(making, response, all);
    items.emit(`response.${status}`, { response });
    events.done();
  } catch (error) {
    if (!(error instanceof LateError)) throw error;
    const failure = { code: error.type(switches), message: error.message };
    const state = {
      status: "failed",
      at: seconds(),
      error: failure,
      output: [],
      run: null,
    } as const;
    items.emit("response.failed", { response: object(state) });
    events.done();
  } finally {
    events.end();
  }
}

/** Opens, fills and closes the output items of a response, one at a time. */
class ItemStream {
  readonly done: Item[] = [];
  #sequence = 0;
  #open: { readonly kind: "message" | "reasoning"; readonly id: string; text: string } | null =
    null;

  constructor(
    private readonly events: EventStream,
    /** The older versions know only text: of a call they send the id. */
    private readonly callsAsText: boolean,
  ) {}

  emit(type: string, members: object): void {
    this.events.send({ ...members, sequence_number: this.#sequence, type }, type);
    this.#sequence += 1;
  }

  add(piece: Piece): void {
    if (piece.kind === "content") this.#text("message", piece.text);
    else if (piece.kind === "reasoning") this.#text("reasoning", piece.text);
    else if (this.callsAsText) for (const _ of piece.calls) this.#text("message", callId());
    else for (const call of piece.calls) this.#call(call);
  }

  /** Closes what is open; a response without any output gets an empty message. */
  close(status: string): void {
    if (this.#open === null && this.done.length === 0) this.#begin("message");
    this.#end(status);
  }

  #text(kind: "message" | "reasoning", delta: string): void {
    if (this.#open?.kind !== kind) {
      this.#end("completed");
      this.#begin(kind);
    }
    if (this.#open === null) return;
    this.#open.text += delta;
    const type = kind === "message" ? "response.output_text.delta" : "response.reasoning.delta";
    this.emit(type, { ...this.#position(), delta });
  }

  #begin(kind: "message" | "reasoning"): void {
    const id = hexId(kind === "message" ? "msg_" : "rs_", 16);
    const item = (kind === "message" ? messageItem : reasoningItem)(id, null, "in_progress");
    this.#open = { kind, id, text: "" };
    this.emit("response.output_item.added", { item, output_index: this.done.length });
    if (kind === "reasoning") return;
    const part = { text: "", type: "output_text" };
    this.emit("response.content_part.added", { ...this.#position(), part });
  }

  #end(status: string): void {
    if (this.#open === null) return;
    const { kind, id, text } = this.#open;
    if (kind === "message") {
      this.emit("response.output_text.done", { ...this.#position(), text });
      const part = { text, type: "output_text" };
      this.emit("response.content_part.done", { ...this.#position(), part });
    } else this.emit("response.reasoning.done", { ...this.#position(), text });
    const item =
      kind === "message" ? messageItem(id, text, status) : reasoningItem(id, text, "completed");
    this.emit("response.output_item.done", { item, output_index: this.done.length });
    this.done.push(item);
    this.#open = null;
  }

  #call(call: ToolCall): void {
    this.#end("completed");
    const item = callItem(call);
    const output_index = this.done.length;
    const position = { call_id: item["call_id"], item_id: item["id"], output_index };
    const empty = { ...item, arguments: "", status: "in_progress" };
    this.emit("response.output_item.added", { item: empty, output_index });
    this.emit("response.function_call_arguments.delta", { ...position, delta: item["arguments"] });
    const whole = { ...position, arguments: item["arguments"], name: call.name };
    this.emit("response.function_call_arguments.done", whole);
    this.emit("response.output_item.done", { item, output_index });
    this.done.push(item);
  }

  #position() {
    return { content_index: 0, item_id: this.#open?.id, output_index: this.done.length };
  }
}
