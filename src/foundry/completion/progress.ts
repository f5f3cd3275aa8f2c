import { randomUUID } from "node:crypto";
import type { ChatStream, FinishReason, TokenCounts } from "../dialects/index.js";
import type { ToolCall } from "../tools/index.js";
import {
  type AnswerMethod,
  type Completion,
  type CompletionStatus,
  type CompletionUsage,
  type ReasoningMode,
  sumOf,
} from "./completion.js";
import { CHARACTERS_PER_TOKEN } from "./prompt-size.js";

/** Below this, arrival times measure the network's buffers, not the model. */
const SHORTEST_MEASURE_MS = 50;

/** The state of a completion so far. Its run fills it; `snapshot` reads it at any time. */
export class CompletionProgress {
  readonly id: string;
  readonly #now: () => number;
  readonly #inputCharacters: number;
  readonly #startedAt: number;
  /** Warnings about the request. They hold for every attempt. */
  readonly #requestWarnings: readonly string[];
  #warnings: readonly string[];
  /** About the call and not its answer, such as why this model was chosen, or that memory was tight. */
  callWarnings: readonly string[] = [];
  #status: CompletionStatus = "queued";
  #model: string | null = null;
  #finishReason: FinishReason | null = null;
  #isCutAtStop = false;
  /** Whether a larger `maxTokens` would have been of no use; counts only where the answer was cut off. */
  isLimitedByService = false;
  #usage: TokenCounts | null = null;
  /** The service's count of the prompt when it refused it. */
  #refusedInputTokens: number | null = null;
  /** `null` until the chat is requested. */
  #attempts: number | null = null;
  #text = "";
  /** Without blanks at either end, so that reading it costs nothing however long it is. */
  #reasoning = "";
  /** Blanks after it, which belong to it as soon as a word follows. */
  #blanks = "";
  #toolCalls: readonly ToolCall[] = [];
  /** Pieces of the answer that is received now. */
  pieces = 0;
  #hasStarted = false;
  /** Of answers that were dropped. */
  #earlierUsage: CompletionUsage | null = null;
  /** Of chats before the one that is requested now. */
  #earlierAttempts = 0;
  readonly #hidesReasoning: boolean;
  /** The reader has received as text what turned out to be thinking. */
  #wasShownAsText = false;
  #charactersPerToken = CHARACTERS_PER_TOKEN;
  #isConstrained = false;
  /** The count of the service may have tokens that came before the first piece: thinking that is not shown. */
  #hidesThinking = false;
  #isDraft = false;
  #value: { readonly data: unknown; readonly method: AnswerMethod } | null = null;
  /** `null` until its turn has come. */
  #queuedMs: number | null = null;
  /** `null` until it is loaded. */
  #loadMs: number | null = null;
  #askedAt: number | null = null;
  #firstTokenAt: number | null = null;
  #lastTokenAt: number | null = null;
  #endedAt: number | null = null;

  constructor(
    inputCharacters: number,
    now: () => number,
    id: string = randomUUID(),
    warnings: readonly string[] = [],
    reasoning: ReasoningMode = "include",
  ) {
    this.#hidesReasoning = reasoning !== "include";
    this.id = id;
    this.#inputCharacters = inputCharacters;
    this.#now = now;
    this.#startedAt = now();
    this.#requestWarnings = warnings;
    this.#warnings = warnings;
  }

  get status(): CompletionStatus {
    return this.#status;
  }

  get model(): string | null {
    return this.#model;
  }

  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  /** Whether the chat itself was requested, and not only something before it. */
  get wasAsked(): boolean {
    return this.#askedAt !== null;
  }

  get hasEnded(): boolean {
    return this.#endedAt !== null;
  }

  /** The model is known and the completion waits for a place in its queue. */
  queued(model: string): void {
    this.#status = "queued";
    this.#model = model;
  }

  loading(model: string): void {
    this.#status = "loading";
    this.#model = model;
  }

  /**
   * The chat is requested from the service.
   *
   * @param charactersPerToken Of an earlier prompt that the service counted.
   */
  asked(model: string, charactersPerToken: number | null = null): void {
    this.#charactersPerToken = charactersPerToken ?? CHARACTERS_PER_TOKEN;
    this.#status = "running";
    this.#model = model;
    this.#askedAt = this.#now();
    this.#attempts ??= 1;
    this.#queuedMs ??= 0;
    this.#loadMs ??= 0;
  }

  /** The completion begins again from the start, before any token. */
  restarted(): void {
    this.#earlierAttempts = this.#attempts ?? 0;
    this.#status = "queued";
    this.#askedAt = null;
    this.#warnings = this.#requestWarnings;
  }

  waitedInQueue(milliseconds: number): void {
    this.#queuedMs = (this.#queuedMs ?? 0) + milliseconds;
  }

  loadedIn(milliseconds: number): void {
    this.#loadMs = (this.#loadMs ?? 0) + milliseconds;
  }

  /** @param attempts How often the chat that is requested now was sent. */
  attempted(attempts: number): void {
    this.#attempts = this.#earlierAttempts + attempts;
  }

  /** The answer begins. Warnings from here on are about this answer. */
  opened(stream: Pick<ChatStream, "isConstrained" | "warnings">, hidesThinking: boolean): void {
    this.#isConstrained = stream.isConstrained;
    this.#hidesThinking = hidesThinking;
    this.callWarnings = this.#warnings;
    this.warn(...stream.warnings);
  }

  warn(...warnings: readonly string[]): void {
    this.#warnings = [...new Set([...this.#warnings, ...warnings])];
  }

  finished(reason: FinishReason | null): void {
    // The calls that are found count: C1 names calls also where none may be made.
    this.#finishReason = reason === "tool_calls" ? "stop" : reason;
  }

  /** A stop string of the caller ended it, also where its calls were found before. */
  cutAtStop(): void {
    this.finished("stop");
    this.#isCutAtStop = true;
    this.called(this.#toolCalls);
  }

  /** Whether the model ended the answer by itself. */
  get isWhole(): boolean {
    return this.#finishReason === "stop" && !this.#isCutAtStop;
  }

  counted(usage: TokenCounts | null): void {
    this.#usage = usage;
  }

  /** The service refused the prompt and gave its number of tokens. The first count is kept. */
  promptCounted(tokens: number | null): void {
    this.#refusedInputTokens ??= tokens;
  }

  /** Counts a piece of the stream, which is a token or nearly so on all services. */
  countPiece(): void {
    this.pieces += 1;
    this.#hasStarted = true;
    this.#lastTokenAt = this.#now();
    this.#firstTokenAt ??= this.#lastTokenAt;
  }

  addText(text: string): void {
    this.#text += text;
  }

  addReasoning(text: string): void {
    const own = this.#reasoning === "" ? text.trimStart() : text;
    const words = own.trimEnd();
    if (words !== "") {
      this.#reasoning += this.#blanks + words;
      this.#blanks = "";
    }
    if (this.#reasoning !== "") this.#blanks += own.slice(words.length);
  }

  textWasReasoning(): void {
    this.#wasShownAsText = true;
    this.addReasoning(this.#text);
    this.#text = "";
  }

  /** Makes the thinking, up to a stop string, the text, where nothing else came. */
  reasoningWasText(text: string): void {
    this.#text = text;
    this.#reasoning = "";
    this.#blanks = "";
  }

  /** Drops the answer: another one is requested in its place. Its tokens still count. */
  answersAgain(): void {
    this.#earlierUsage = this.snapshot().usage;
    this.#earlierAttempts = this.#attempts ?? 0;
    this.#warnings = this.callWarnings;
    this.#usage = null;
    this.#refusedInputTokens = null;
    this.pieces = 0;
    this.#firstTokenAt = null;
    this.#lastTokenAt = null;
    this.#finishReason = null;
    this.#isCutAtStop = false;
    this.#toolCalls = [];
    this.#text = "";
    this.#reasoning = "";
    this.#blanks = "";
  }

  called(calls: readonly ToolCall[]): void {
    this.#toolCalls = calls;
    // Of an answer that did not end by itself, the calls before its end are whole.
    if (calls.length > 0 && this.#finishReason === "stop") this.#finishReason = "tool_calls";
  }

  /** The text is an answer by a schema, until its value takes the place. */
  draftsValue(): void {
    this.#isDraft = true;
  }

  isValue(data: unknown, json: string): void {
    this.#value = { data, method: this.#isConstrained ? "constrained" : "instructed" };
    this.#text = json;
  }

  /** How many more tokens than pieces a service that hides thinking counted; infinite where it counted none. */
  get hiddenTokens(): number {
    return this.#hidesThinking ? (this.#usage?.outputTokens || Infinity) - this.pieces : 0;
  }

  /** The thinking of an answer that ended by itself and holds nothing else; empty for others. */
  get onlyReasoning(): string {
    const hasEnded = this.#finishReason === "stop" || this.#finishReason === null;
    return hasEnded && this.#text.trim() === "" ? this.#reasoning : "";
  }

  /** Estimated; 0 where the model has not thought, visibly or not. */
  get thoughtTokens(): number {
    return Math.ceil(this.#reasoning.length / this.#charactersPerToken);
  }

  /** Offsets into a text that was thinking stay valid only with the thinking. */
  get #isHidden(): boolean {
    return this.#hidesReasoning && !this.#wasShownAsText;
  }

  end(status: CompletionStatus): void {
    this.#status = status;
    this.#isDraft = false;
    // Nothing reads it any more, and completions are kept.
    if (this.#isHidden) this.#reasoning = "";
    this.#endedAt = this.#now();
  }

  snapshot(): Completion {
    const reasoning = this.#isHidden ? "" : this.#reasoning;
    // Every prompt has tokens, and so has every text. Zero means that the service did not count them.
    const inputTokens = this.#usage?.inputTokens || null;
    const pieces = this.#firstTokenAt === null ? null : this.pieces;
    const outputTokens = (this.#usage?.outputTokens || pieces) ?? this.#usage?.outputTokens ?? null;
    const own = {
      inputTokens:
        inputTokens ??
        this.#refusedInputTokens ??
        Math.ceil(this.#inputCharacters / this.#charactersPerToken),
      outputTokens,
      estimated: inputTokens === null || this.#usage?.outputTokens !== outputTokens,
    };
    // A whole call is one piece.
    const shown = this.#toolCalls.length === 0 ? pieces : null;
    return {
      id: this.id,
      status: this.#status,
      text: this.#text,
      reasoning: reasoning === "" ? null : reasoning,
      finishReason: this.#finishReason,
      ...(this.isLimitedByService && this.#finishReason === "length"
        ? { isLimitedByService: true }
        : {}),
      model: this.#model,
      ...this.#value,
      ...(this.#isDraft ? { isDraft: true } : {}),
      ...(this.#toolCalls.length === 0 ? {} : { toolCalls: this.#toolCalls }),
      usage: this.#earlierUsage === null ? own : sumOf(this.#earlierUsage, own),
      timing: {
        queuedMs: this.#status === "queued" ? null : rounded(this.#queuedMs),
        loadMs: this.#status === "loading" ? null : rounded(this.#loadMs),
        firstTokenMs: roundedDifference(this.#askedAt, this.#firstTokenAt),
        totalMs: Math.round((this.#endedAt ?? this.#now()) - this.#startedAt),
        tokensPerSecond: this.#tokensPerSecond(this.#hidesThinking ? shown : outputTokens),
      },
      attempts: this.#attempts,
      cached: false,
      warnings: this.#warnings,
    };
  }

  /** Of the generation itself: from the first token, which is not counted, to the last. */
  #tokensPerSecond(outputTokens: number | null): number | null {
    if (this.#firstTokenAt === null || this.#lastTokenAt === null) return null;
    const milliseconds = this.#lastTokenAt - this.#firstTokenAt;
    if (outputTokens === null || outputTokens < 2 || milliseconds < SHORTEST_MEASURE_MS)
      return null;
    return Math.round(((outputTokens - 1) / milliseconds) * 10_000) / 10;
  }
}

const rounded = (milliseconds: number | null): number | null =>
  milliseconds === null ? null : Math.round(milliseconds);

const roundedDifference = (from: number | null, to: number | null): number | null =>
  from === null || to === null ? null : Math.round(to - from);
