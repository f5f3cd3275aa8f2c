import { answerFor, type ScriptedAnswer } from "../answers.js";
import type { Clock } from "../clock.js";
import type { SimulatedModel } from "../models/model.js";
import type { Family, ModelStore } from "../models/store.js";
import { Mutex } from "../mutex.js";
import type { ReceivedRequest, RequestLog } from "../received.js";
import { generate } from "./generation.js";
import { type RawAnswer, rawAnswer, ScriptedError } from "./script.js";
import type { PromptMessage } from "./text.js";

/** Speeds of models that have none of their own. */
export interface Speeds {
  readonly tokensPerSecond: number;
  readonly firstTokenMs: number;
  readonly loadMs: number;
  readonly downloadMs: number;
}

/** The models, their loads and their generations, which all dialects share. */
export class Engine {
  /** Held for the whole of a load, in every family. */
  readonly loadLock = new Mutex();
  readonly #catalogLocks: Readonly<Record<Family, Mutex>> = {
    public: new Mutex(),
    local: new Mutex(),
  };
  #generating = 0;
  /** Aborted when the process ends, and with it the loads in flight. */
  #life = new AbortController();

  constructor(
    readonly store: ModelStore,
    readonly clock: Clock,
    readonly log: RequestLog,
    readonly speeds: Speeds,
    private readonly answers: readonly ScriptedAnswer[],
  ) {}

  /** The number of running generations. */
  get generating(): number {
    return this.#generating;
  }

  /** Held while a catalog is read. */
  catalogLock(family: Family): Mutex {
    return this.#catalogLocks[family];
  }

  /** Loads a model, in its time. Resolves to the native engine's message when that fails. */
  async load(model: SimulatedModel): Promise<string | null> {
    const life = this.#life.signal;
    await this.clock.sleep(model.loadMs ?? this.speeds.loadMs, life);
    if (life.aborted) return "The service ended while the model was being loaded.";
    if (model.loadError !== undefined) return model.loadError;
    this.store.setLoaded(model.id, true);
    this.log.changed();
    return null;
  }

  unload(model: SimulatedModel): void {
    this.store.setLoaded(model.id, false);
    this.log.changed();
  }

  /** Unloads every model and abandons the loads in flight. */
  emptyMemory(): void {
    this.#life.abort();
    this.#life = new AbortController();
    for (const { id } of this.store.all) this.store.setLoaded(id, false);
    this.log.changed();
  }

  /**
   * What the model will answer to these messages.
   *
   * @throws {ScriptedError} after its delay, when the scripted answer is an error.
   */
  async answerTo(
    model: SimulatedModel,
    prompt: { readonly messages: readonly PromptMessage[]; readonly tools: readonly string[] },
  ): Promise<RawAnswer> {
    const { messages, tools } = prompt;
    const text = messages.findLast(({ role }) => role === "user")?.content ?? "";
    const scripted = answerFor(this.answers, text, messages.at(-1)?.role === "tool");
    if (scripted?.error !== undefined) {
      await this.clock.sleep(scripted.delayMs ?? 0);
      throw new ScriptedError(scripted.error.status, scripted.error.message);
    }
    return rawAnswer(model, { text, messages, tools }, scripted);
  }

  /** The tokens of an answer, counted in `record`. Holds the model in memory until it ends. */
  async *run(
    model: SimulatedModel,
    answer: RawAnswer,
    maxTokens: number,
    record: ReceivedRequest,
    cancelled: () => boolean,
  ): AsyncGenerator<string> {
    const pace = {
      firstTokenMs: answer.delayMs ?? model.firstTokenMs ?? this.speeds.firstTokenMs,
      tokensPerSecond: model.tokensPerSecond ?? this.speeds.tokensPerSecond,
    };
    this.store.hold(model.id);
    this.#generating += 1;
    try {
      for await (const token of generate(answer, maxTokens, pace, this.clock, cancelled)) {
        record.tokensGenerated += 1;
        this.log.changed();
        yield token;
      }
    } finally {
      this.#generating -= 1;
      this.store.release(model.id);
      this.log.changed();
    }
  }
}
