import type { PromptMessage } from "../../engine/tokens.js";
import type { SimulatedModel } from "../../models/model.js";
import { seconds } from "../ids.js";
import type { Call, Handler } from "./core1.js";
import { Core1Error, json } from "./errors.js";
import { loadedModel } from "./lookup.js";
import { callItem, type Item, longId, messageItem, responseObject } from "./response-object.js";
import { type ResponseRequest, readResponseRequest } from "./response-request.js";
import { streamResponse } from "./response-stream.js";
import { callsIn } from "./tools.js";
import { type Run, startTurn } from "./turn.js";

interface Kept {
  readonly object: object;
  readonly input: readonly unknown[];
  /** The conversation up to and with it. */
  readonly messages: readonly PromptMessage[];
}

/** `/v1/responses` and what hangs on it. What is done with a kept response was never recorded. */
export function responseRoutes(): (readonly [string, string, Handler])[] {
  const kept = new Map<string, Kept>();
  return [
    ["POST", "v1/responses", (call) => createResponse(call, kept)],
    ["GET", "v1/responses/*", async (call) => answer(call, existing(call, kept).object)],
    ["DELETE", "v1/responses/*", (call) => deleteResponse(call, kept)],
    // It has ended long ago.
    ["POST", "v1/responses/*/cancel", async (call) => answer(call, existing(call, kept).object)],
    ["GET", "v1/responses/*/input_items", (call) => inputItems(call, kept)],
  ];
}

async function createResponse(call: Call, kept: Map<string, Kept>): Promise<void> {
  const making = new Making(call, readResponseRequest(call), kept);
  if (making.asked.stream) {
    await streamResponse(call, making);
    return;
  }
  try {
    const run = making.begin();
    let text = "";
    for await (const token of run.tokens) text += token;
    if (run.left) {
      call.request.reply.abandon();
      return;
    }
    const object = making.object("completed", making.output(text), null);
    making.keep(object, text);
    answer(call, object);
  } catch (error) {
    if (!(error instanceof Core1Error)) throw error;
    // Told by the official client: failures are a 200, and `status` says it.
    answer(call, making.object("failed", [], error));
  }
}

/** One response on its way. */
export class Making {
  readonly messageId = longId("msg_");
  readonly #id = longId("resp_");
  readonly #createdAt = seconds();
  readonly #messages: readonly PromptMessage[];
  #model: SimulatedModel | null = null;
  #run: Run | null = null;

  constructor(
    private readonly call: Call,
    readonly asked: ResponseRequest,
    private readonly kept: Map<string, Kept>,
  ) {
    // One that is not known is passed over in silence.
    const before = kept.get(asked.previousId ?? "")?.messages ?? [];
    this.#messages = [...before, ...asked.messages];
  }

  /** @throws {Core1Error} when it cannot begin. */
  begin(): Run {
    const { core, request } = this.call;
    const model = loadedModel(core, this.asked.model, "completion");
    this.#model = model;
    this.#run = startTurn(core, { ...this.asked, model, messages: this.#messages }, request);
    return this.#run;
  }

  output(text: string): readonly Item[] {
    const calls = this.#model === null ? [] : callsIn(this.#model, text).map(callItem);
    return [messageItem(this.messageId, text, "completed"), ...calls];
  }

  object(
    status: "in_progress" | "completed" | "failed",
    output: readonly Item[],
    failure: Core1Error | null,
  ) {
    const error = failure && { code: failure.type, message: failure.message };
    const endedAt = status === "in_progress" ? null : seconds();
    const state = { status, endedAt, output, error, run: this.#run };
    return responseObject(this.#id, this.#createdAt, this.asked, state);
  }

  keep(object: object, text: string): void {
    if (!this.asked.store) return;
    const messages = [...this.#messages, { role: "assistant", content: text }];
    this.kept.set(this.#id, { object, input: this.asked.input, messages });
  }
}

async function deleteResponse(call: Call, kept: Map<string, Kept>): Promise<void> {
  existing(call, kept);
  kept.delete(call.name);
  answer(call, { id: call.name, object: "response.deleted", deleted: true });
}

async function inputItems(call: Call, kept: Map<string, Kept>): Promise<void> {
  const data = existing(call, kept).input;
  answer(call, { object: "list", data, first_id: null, last_id: null, has_more: false });
}

function existing({ name }: Call, kept: ReadonlyMap<string, Kept>): Kept {
  const found = kept.get(name);
  if (found !== undefined) return found;
  throw new Core1Error(404, `The response '${name}' does not exist.`, "response_not_found", "id");
}

function answer({ request }: Call, value: object): void {
  request.reply.whole(json(value));
}
