import { EngineFailure } from "../../engine/generation.js";
import { rawAnswer } from "../../engine/script.js";
import { promptTokens } from "../../engine/tokens.js";
import { simulatedCall } from "../../engine/tool-calls.js";
import type { DialectRequest } from "../dialect.js";
import { json, ServiceError } from "./answers.js";
import { AnswerForm } from "./chat-answer.js";
import { type ChatRequest, failure, readChatRequest } from "./chat-request.js";
import type { Service } from "./service.js";

/** What an answer has that says nothing of its length. */
const DEFAULT_MAX_TOKENS = 2048;

/** An answer that is being made. */
interface Run {
  readonly tokens: AsyncGenerator<string>;
  readonly form: AnswerForm;
  /** Whether its model was unloaded under it. */
  readonly broken: () => boolean;
}

/** `POST /v1/chat/completions`. Loads a downloaded model; one generation at a time. */
export async function chatCompletions(service: Service, request: DialectRequest): Promise<void> {
  const chat = await readChatRequest(service, request);
  const work = () => run(service, request, chat);
  await (service.switches.oneAtATime ? service.turn.run(work) : work());
}

async function run(service: Service, request: DialectRequest, chat: ChatRequest): Promise<void> {
  const { engine, switches } = service;
  const { model } = chat;
  if (!switches.loadsForChat && !engine.store.isLoaded(model.id)) {
    throw ServiceError.noProvider(400, chat.name);
  }
  await service.load(model);
  service.idle.used(model.id, chat.ttl);
  try {
    const started = start(service, request, chat);
    await (chat.stream ? streamed(service, request, started) : whole(service, request, started));
  } finally {
    if (engine.store.isLoaded(model.id)) service.idle.used(model.id, chat.ttl);
  }
}

function start(service: Service, request: DialectRequest, chat: ChatRequest): Run {
  const { model, messages, tools } = chat;
  const { engine, switches } = service;
  const inputTokens = promptTokens(model, messages, tools);
  const left = model.contextLength - inputTokens;
  const maxTokens = chat.maxTokens ?? Math.min(DEFAULT_MAX_TOKENS, left);
  if (maxTokens < 1 || maxTokens > left) {
    const output = Math.max(maxTokens, 0);
    throw failure(
      service,
      `This request requires ${inputTokens + output} total tokens (${inputTokens} input + ${output} output), which exceeds the model's maximum context length of ${model.contextLength} tokens.`,
    );
  }
  const text = messages.findLast(({ role }) => role === "user")?.content ?? "";
  const call = simulatedCall(tools, chat.choice, text, messages.at(-1)?.role === "tool");
  const seen = { text, messages, tools: tools.map(({ name }) => name) };
  const broken = service.unloadWatch(model);
  const ended = () => broken() || (switches.disconnectStops && request.clientClosed());
  const answer = rawAnswer(model, seen, call);
  return {
    tokens: engine.run(model, answer, maxTokens, request.record, ended),
    // What is cut at the service's own limit says that it stopped (#217).
    form: new AnswerForm(service, chat, inputTokens, chat.maxTokens ?? Infinity),
    broken,
  };
}

async function whole(service: Service, request: DialectRequest, run: Run): Promise<void> {
  try {
    for await (const token of run.tokens) run.form.add(token);
  } catch (error) {
    throw wordsOf(service, error);
  }
  if (run.broken()) throw failure(service, "");
  request.reply.whole(json(run.form.whole()));
}

/** Status and headers go out with the first token: what fails before has a status of its own. */
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
      send(run.form.chunk(token));
      if (!request.clientGone()) record.tokensSent = record.tokensGenerated;
    }
  } catch (error) {
    const words = wordsOf(service, error);
    if (!begun) throw words;
    reply.cut();
    return;
  }
  if (run.broken() && !begun) throw failure(service, "");
  if (run.broken()) {
    reply.cut();
    return;
  }
  begin();
  if (service.switches.streamFinish === "given") send(run.form.lastChunk());
  reply.event("data: [DONE]\n\n");
  reply.end();
}

/** @returns a 500 for what the native engine says; anything else is thrown on. */
function wordsOf(service: Service, error: unknown): ServiceError {
  if (error instanceof EngineFailure) return failure(service, error.message);
  throw error;
}
