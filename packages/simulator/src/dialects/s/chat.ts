import { EngineFailure } from "../../engine/generation.js";
import type { ToolCall } from "../../engine/script.js";
import { overflowText, promptTokens } from "../../engine/text.js";
import type { SimulatedModel } from "../../models/model.js";
import { BETALGO, callId, dotnetTime, json, seconds } from "../answers.js";
import { type ChatBody, readChatBody } from "../bodies.js";
import type { DialectRequest } from "../dialect.js";
import { type Service, ServiceError } from "./service.js";

/** Tokens of an answer for which the request names no number. */
const DEFAULT_MAX_TOKENS = 2048;

/** A generation that has begun. */
interface Run {
  readonly tokens: AsyncGenerator<string>;
  readonly form: AnswerForm;
  /** Whether its model was unloaded while it generated. */
  readonly broken: () => boolean;
}

/** `POST /v1/chat/completions`. Loads a downloaded model; one generation at a time. */
export async function chatCompletions(service: Service, request: DialectRequest): Promise<void> {
  const chat = await readChatBody(request, () => new ServiceError(500, ""));
  const model = service.find(chat.model);
  if (model === null) throw ServiceError.noProvider(400, chat.model);
  await service.turn.run(() => run(service, request, chat, model));
}

/** `POST /v1/chat/completions/tokenizer/encode/count`. */
export async function countTokens(service: Service, request: DialectRequest): Promise<void> {
  const chat = await readChatBody(request, () => new ServiceError(500, ""));
  if (!service.switches.countsTokens) throw new ServiceError(404, "");
  const model = service.find(chat.model);
  if (model === null) throw ServiceError.noProvider(400, chat.model);
  request.reply.whole(json({ tokenCount: promptTokens(model, chat.messages) }));
}

async function run(
  service: Service,
  request: DialectRequest,
  chat: ChatBody,
  model: SimulatedModel,
): Promise<void> {
  const { engine, switches } = service;
  if (!switches.loadsForChat && !engine.store.isLoaded(model.id)) {
    throw ServiceError.noProvider(400, chat.model);
  }
  await service.load(model);
  service.idle.used(model.id, chat.ttl);
  try {
    const started = await start(service, request, chat, model);
    await (chat.stream ? streamed(service, request, started) : whole(service, request, started));
  } finally {
    if (engine.store.isLoaded(model.id)) service.idle.used(model.id, chat.ttl);
  }
}

async function start(
  service: Service,
  request: DialectRequest,
  chat: ChatBody,
  model: SimulatedModel,
): Promise<Run> {
  const { engine } = service;
  const answer = await engine.answerTo(model, chat);
  const inputTokens = promptTokens(model, chat.messages);
  const left = model.contextLength - inputTokens;
  const maxTokens = chat.maxTokens ?? Math.min(DEFAULT_MAX_TOKENS, left);
  if (maxTokens < 1 || maxTokens > left) {
    throw failure(service, `This ${overflowText(inputTokens, Math.max(maxTokens, 0), model)}.`);
  }
  const broken = service.unloadWatch(model);
  return {
    tokens: engine.run(model, answer, maxTokens, request.record, broken),
    form: new AnswerForm(service, chat, answer.calls, inputTokens),
    broken,
  };
}

async function whole(service: Service, request: DialectRequest, run: Run): Promise<void> {
  try {
    for await (const token of run.tokens) run.form.add(token);
  } catch (error) {
    throw serviceError(service, error);
  }
  if (run.broken()) throw failure(service, "");
  request.reply.whole(json(run.form.whole()));
}

/** Status and headers go out with the first token: an earlier failure has a status of its own. */
async function streamed(service: Service, request: DialectRequest, run: Run): Promise<void> {
  const { reply, record } = request;
  let begun = false;
  const begin = () => {
    if (!begun) reply.start();
    begun = true;
  };
  const send = (value: object) => reply.event(`data: ${JSON.stringify(value)}\n\n`);
  try {
    for await (const token of run.tokens) {
      begin();
      const chunk = run.form.chunk(token);
      if (chunk !== null) send(chunk);
      if (!request.clientGone()) record.tokensSent = record.tokensGenerated;
    }
  } catch (error) {
    const failed = serviceError(service, error);
    if (!begun) throw failed;
    reply.cut();
    return;
  }
  if (run.broken() && !begun) throw failure(service, "");
  if (run.broken()) {
    reply.cut();
    return;
  }
  begin();
  const last = run.form.lastChunk();
  if (last !== null) send(last);
  reply.event("data: [DONE]\n\n");
  reply.end();
}

/** A 500, with a text on the revisions that send any. */
function failure({ switches }: Service, text: string): ServiceError {
  return new ServiceError(500, switches.errorBody === "text" ? text : "");
}

/** @returns a 500 for a failure of the native engine; anything else is rethrown. */
function serviceError(service: Service, error: unknown): ServiceError {
  if (error instanceof EngineFailure) return failure(service, error.message);
  throw error;
}

/**
 * An answer as S writes it, whole or in chunks. Thoughts and tool calls are part of its text, but
 * for scripted calls, which are structured as on the later cores.
 */
class AnswerForm {
  readonly #id: string;
  readonly #created = seconds();
  #text = "";
  #tokens = 0;

  constructor(
    private readonly service: Service,
    private readonly chat: ChatBody,
    private readonly calls: readonly ToolCall[],
    private readonly inputTokens: number,
  ) {
    this.#id = service.nextAnswerId();
  }

  add(token: string): void {
    this.#text += token;
    this.#tokens += 1;
  }

  /** `null`: the token is part of a scripted call. */
  chunk(token: string): object | null {
    this.add(token);
    if (this.calls.length > 0) return null;
    return this.#object("chat.completion.chunk", token, {}, this.#streamUsage());
  }

  /** The scripted calls, or the finish_reason on the revisions that send it in streams. */
  lastChunk(): object | null {
    const hasFinish = this.service.switches.streamFinish === "given";
    if (!hasFinish && this.calls.length === 0) return null;
    const finish = { finish_reason: this.#finish() };
    const usage = this.#streamUsage();
    return this.#object("chat.completion.chunk", "", finish, usage, this.#toolCalls());
  }

  whole(): object {
    const usage = this.service.switches.usage === "null" ? { usage: null } : {};
    const finish = { finish_reason: this.#finish() };
    const text = this.calls.length === 0 ? this.#text : "";
    return this.#object("chat.completion", text, finish, usage, this.#toolCalls());
  }

  #object(
    object: string,
    content: string,
    finish: object,
    usage: object,
    tool_calls: readonly object[] = [],
  ): object {
    const message = { role: "assistant", content, tool_calls };
    return {
      model: this.chat.model,
      // Both, for an old library's sake, and always the same.
      choices: [{ delta: message, message, index: 0, ...finish }],
      ...usage,
      created: this.#created,
      CreatedAt: dotnetTime(this.#created),
      id: this.#id,
      ...BETALGO,
      object,
    };
  }

  /** An answer that is cut at the service's own limit ends with `stop` (#217). */
  #finish(): "stop" | "length" | "tool_calls" {
    if (this.calls.length > 0) return "tool_calls";
    return this.#tokens >= (this.chat.maxTokens ?? Infinity) ? "length" : "stop";
  }

  #toolCalls(): readonly object[] {
    return this.calls.map(({ name, arguments: given }, index) => ({
      index,
      id: callId(),
      type: "function",
      function: { name, arguments: JSON.stringify(given) },
    }));
  }

  #streamUsage(): object {
    if (!this.service.switches.streamUsage) return {};
    const [prompt_tokens, completion_tokens] = [this.inputTokens, this.#tokens];
    const total_tokens = prompt_tokens + completion_tokens;
    return { usage: { prompt_tokens, completion_tokens, total_tokens } };
  }
}
