import type { Piece } from "../../engine/output.js";
import type { SimulatedModel } from "../../models/model.js";
import type { Family } from "../../models/store.js";
import type { Switches } from "../../switches.js";
import type { DialectContext, DialectRequest } from "../dialect.js";
import { hexId, seconds } from "../ids.js";
import { C2Error, json, LateError } from "./errors.js";
import { jsonBody, loadedModel } from "./lookup.js";
import { type ChatMessage, checkToolHistory } from "./messages.js";
import {
  callItem,
  type Item,
  messageItem,
  type ResponseState,
  reasoningItem,
  responseObject,
} from "./response-object.js";
import { type ResponseRequest, readResponseRequest } from "./response-request.js";
import type { ResponseStore, StoredResponse } from "./response-store.js";
import { streamResponse } from "./response-stream.js";
import { isObject } from "./shape.js";
import { startTurn, type Turn } from "./turn.js";

/** A response that is being made. */
export interface Making {
  readonly id: string;
  readonly created: number;
  readonly asked: ResponseRequest;
  readonly turn: Turn;
  readonly store: ResponseStore;
  /** The conversation up to here, without the instructions. */
  readonly history: readonly ChatMessage[];
  readonly inputItems: readonly { readonly id: string }[];
}

const NO_CALLS = { toolCallId: null, toolCallIds: [] };

/** `POST /v1/responses`. */
export async function createResponse(
  context: DialectContext,
  request: DialectRequest,
  family: Family,
  store: ResponseStore,
): Promise<void> {
  const asked = readResponseRequest(await jsonBody(request), context.switches);
  const model = await loadedModel(context, asked.model, family);
  const previous = previousOf(context, asked, store);
  const history = [...(previous?.messages ?? []), ...asked.messages];
  const making: Making = {
    id: hexId("resp_", 16),
    created: seconds(),
    asked,
    turn: turnOf(context, asked, model, history),
    store,
    history,
    inputItems: itemsWithIds(asked, context.switches),
  };
  if (asked.stream) await streamResponse(context, request, making);
  else await wholeResponse(context, request, making);
}

/** The older versions begin anew when they do not know the previous response. */
function previousOf(
  { switches }: DialectContext,
  { previousId, model }: ResponseRequest,
  store: ResponseStore,
): StoredResponse | null {
  const previous = previousId === null ? null : store.get(previousId);
  if (switches.responses === "2.0" || previousId === null) return previous;
  if (previous === null) {
    throw new C2Error(
      404,
      `Previous response not found: Conversation history for '${previousId}' is no longer available; resend the full conversation in 'input'`,
    );
  }
  if (previous.modelId === model) return previous;
  throw new C2Error(
    400,
    `Model mismatch: Previous response '${previousId}' was produced by a different model; continue the conversation with that model or start a new one`,
  );
}

function turnOf(
  { switches }: DialectContext,
  asked: ResponseRequest,
  model: SimulatedModel,
  history: readonly ChatMessage[],
): Turn {
  const { instructions } = asked;
  const system = instructions === null ? [] : [{ role: "system", content: instructions }];
  return {
    model,
    messages: () => {
      if (switches.responses === "2.1") checkToolHistory(history);
      return [...system, ...history];
    },
    nothingToSay: "nothingToSayInResponses",
    sampling: asked.sampling,
    tools: asked.tools,
    choice: asked.choice,
    stop: undefined,
    json: null,
  };
}

/** The older versions count the instructions among the input. */
function itemsWithIds(asked: ResponseRequest, switches: Switches): { readonly id: string }[] {
  const { instructions, input } = asked;
  const type = "message";
  const system =
    switches.responses === "2.0" && instructions !== null
      ? [{ content: instructions, role: "system", status: "completed", type }]
      : [];
  return [...system, ...input].map((item) => {
    const members = isObject(item) ? item : {};
    return { ...members, id: hexId(ITEM_PREFIXES[String(members["type"])] ?? "item_", 16) };
  });
}

const ITEM_PREFIXES: Readonly<Record<string, string>> = {
  message: "msg_",
  function_call: "fc_",
  function_call_output: "fco_",
};

async function wholeResponse(
  { engine, switches }: DialectContext,
  request: DialectRequest,
  making: Making,
): Promise<void> {
  const finished = (state: ResponseState) =>
    responseObject(making.id, making.created, making.asked, state);
  try {
    const run = startTurn(making.turn, engine, switches, request.record, () => false);
    const pieces: Piece[] = [];
    for await (const some of run.pieces) pieces.push(...some);
    const status =
      run.finish === "length" && switches.responses === "2.1" ? "incomplete" : "completed";
    const output = itemsOf(pieces, status, switches.toolCallText === "kept");
    const object = finished({ status, at: seconds(), error: null, output, run });
    remember(making, object, pieces);
    request.reply.whole(json(object));
  } catch (error) {
    if (!(error instanceof LateError)) throw error;
    const type = error.type(switches);
    if (type === "invalid_request_error") throw error.toC2Error(switches);
    const failure = { code: type, message: error.message };
    request.reply.whole(
      json(
        finished({ status: "failed", at: seconds(), error: failure, output: [], run: null }),
        500,
      ),
    );
  }
}

function itemsOf(pieces: readonly Piece[], status: string, keepsCallText: boolean): Item[] {
  const thought = pieces.map((p) => (p.kind === "reasoning" ? p.text : "")).join("");
  const calls = pieces.flatMap((piece) => (piece.kind === "calls" ? piece.calls : []));
  const text = pieces.map((piece) => visibleText(piece, keepsCallText)).join("");
  return [
    ...(thought === "" ? [] : [reasoningItem(hexId("rs_", 16), thought, "completed")]),
    ...calls.map(callItem),
    ...(text === "" && calls.length > 0 ? [] : [messageItem(hexId("msg_", 16), text, status)]),
  ];
}

function visibleText(piece: Piece, keepsCallText: boolean): string {
  if (piece.kind === "content") return piece.text;
  return piece.kind === "calls" && keepsCallText ? piece.raw : "";
}

/** Keeps a response that asked to be kept. */
export function remember(
  making: Making,
  object: Record<string, unknown>,
  pieces: readonly Piece[],
): void {
  if (!making.asked.store) return;
  const content = pieces.map((piece) => (piece.kind === "content" ? piece.text : "")).join("");
  making.store.add({
    id: making.id,
    modelId: making.turn.model.id,
    previousId: making.asked.previousId,
    object,
    input: making.inputItems,
    messages: [...making.history, { ...NO_CALLS, role: "assistant", content }],
  });
}
