import { EngineFailure } from "../../engine/generation.js";
import type { RawAnswer } from "../../engine/script.js";
import { overflowText, promptTokens } from "../../engine/text.js";
import type { Markers, SimulatedModel } from "../../models/model.js";
import type { ChatBody } from "../bodies.js";
import type { DialectRequest } from "../dialect.js";
import { type Core1, type Core1Error, loadedModel, refusal } from "./core1.js";

/** Tokens of an answer for which the request names no number. */
const DEFAULT_MAX_TOKENS = 2048;

/** A completion that passed its checks. */
export class Turn {
  outputTokens = 0;
  /** Whether its client disconnected before its end. */
  isLeft = false;
  readonly inputTokens: number;
  readonly maxTokens: number;
  readonly callMarkers: Markers | null;
  readonly tokens: AsyncGenerator<string>;
  readonly #core: Core1;
  readonly #model: SimulatedModel;

  /** @throws {Core1Error} 400 for a mistake of the caller, 500 for a failure of the engine. */
  static async begin(core: Core1, chat: ChatBody, request: DialectRequest): Promise<Turn> {
    const model = loadedModel(core, chat.model);
    const answer = await core.context.engine.answerTo(model, chat);
    return new Turn(core, chat, request, model, answer);
  }

  private constructor(
    core: Core1,
    chat: ChatBody,
    request: DialectRequest,
    model: SimulatedModel,
    answer: RawAnswer,
  ) {
    const { context, switches, memory } = core;
    const bytes = chat.messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
    if (switches.deadlyPromptBytes !== null && bytes > switches.deadlyPromptBytes) memory.die();
    if (chat.messages.length === 0) {
      throw mistake("Request must contain at least one Chat request message");
    }
    if (chat.maxTokens !== null && chat.maxTokens < 1) {
      throw mistake(
        "Invalid 'max_completion_tokens': integer below minimum value. Expected a value >= 1",
      );
    }
    this.#core = core;
    this.#model = model;
    this.inputTokens = promptTokens(model, chat.messages);
    this.maxTokens = budgetOf(model, chat, this.inputTokens);
    this.callMarkers = answer.callMarkers ?? model.toolMarkers;
    const leaves = () => {
      this.isLeft ||= request.clientClosed();
      return this.isLeft;
    };
    const made = context.engine.run(model, answer, this.maxTokens, request.record, leaves);
    this.tokens = this.#counted(made);
  }

  async *#counted(made: AsyncGenerator<string>): AsyncGenerator<string> {
    const { memory } = this.#core;
    try {
      for await (const token of made) {
        memory.touch(this.#model);
        this.outputTokens += 1;
        yield token;
      }
    } catch (error) {
      if (error instanceof EngineFailure) throw refusal(error.message, 500);
      throw error;
    }
    memory.touch(this.#model);
  }
}

function budgetOf(model: SimulatedModel, { maxTokens }: ChatBody, inputTokens: number): number {
  const limit = model.contextLength;
  if (maxTokens !== null && inputTokens + maxTokens > limit) {
    // The real message lacks the same blank.
    throw mistake(
      `This ${overflowText(inputTokens, maxTokens, model)}. Please reduce 'max_tokens'or shorten your input.`,
    );
  }
  if (inputTokens > limit) {
    throw refusal(
      `input_ids size (${inputTokens}) + current sequence length (0) exceeds max length (${limit})`,
      500,
    );
  }
  return maxTokens ?? Math.min(DEFAULT_MAX_TOKENS, limit - inputTokens);
}

const mistake = (reason: string): Core1Error => refusal(`${reason} (Parameter 'chatRequest')`);
