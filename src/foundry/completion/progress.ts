import { randomUUID } from "node:crypto";
import type { FinishReason, TokenCounts } from "../dialects/index.js";
import type { Completion, CompletionStatus } from "./completion.js";

/** Roughly, over English and code; only for figures that are marked as estimated. */
const CHARACTERS_PER_TOKEN = 3.5;

/** Below this, arrival times measure the network's buffers, not the model. */
const SHORTEST_MEASURE_MS = 50;

/** What a completion has come to: filled by its run, looked at by everybody else. */
export class CompletionProgress {
  status: CompletionStatus = "queued";
  model: string | null = null;
  finishReason: FinishReason | null = null;
  usage: TokenCounts | null = null;
  /** As the service counted the prompt when it refused it. */
  inputTokens: number | null = null;
  attempts = 1;
  /** Whether the service may have had the prompt, so that sending it again would be a second run. */
  mayHaveBeenSent = false;
  /** How often a service broke off on this and was gone. */
  deaths = 0;
  readonly warnings: string[] = [];
  readonly #now: () => number;
  readonly #inputCharacters: number;
  readonly #startedAt: number;
  #text = "";
  /** Without blanks at either end, so that looking at it costs nothing however long it is. */
  #reasoning = "";
  /** Blanks after it, which belong to it as soon as a word follows. */
  #blanks = "";
  #pieces = 0;
  #queuedMs = 0;
  #loadMs = 0;
  #askedAt: number | null = null;
  #firstTokenAt: number | null = null;
  #lastTokenAt: number | null = null;
  #endedAt: number | null = null;

  /** @param id By which the completion is known; a new one by default. */
  constructor(
    inputCharacters: number,
    now: () => number,
    readonly id: string = randomUUID(),
  ) {
    this.#inputCharacters = inputCharacters;
    this.#now = now;
    this.#startedAt = now();
  }

  get hasStarted(): boolean {
    return this.#firstTokenAt !== null;
  }

  /** Whether the chat itself was asked for, rather than something before it. */
  get wasAsked(): boolean {
    return this.#askedAt !== null;
  }

  get hasEnded(): boolean {
    return this.#endedAt !== null;
  }

  asked(): void {
    this.status = "running";
    this.#askedAt = this.#now();
  }

  waitedInQueue(milliseconds: number): void {
    this.#queuedMs += milliseconds;
  }

  loadedIn(milliseconds: number): void {
    this.#loadMs += milliseconds;
  }

  /** Counts a piece of the stream, which is a token or nearly so on all services. */
  countPiece(): void {
    this.#pieces += 1;
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
    this.addReasoning(this.#text);
    this.#text = "";
  }

  /** Makes the thinking the text, where nothing else came; returns it. */
  reasoningWasText(): string {
    this.#text = this.#reasoning;
    this.#reasoning = "";
    this.#blanks = "";
    return this.#text;
  }

  /** Whether the answer ended by itself and holds nothing but thinking. */
  get isOnlyReasoning(): boolean {
    const hasEnded = this.finishReason === "stop" || this.finishReason === null;
    return hasEnded && this.#text.trim() === "" && this.#reasoning !== "";
  }

  end(status: CompletionStatus): void {
    this.status = status;
    this.#endedAt = this.#now();
  }

  snapshot(): Completion {
    const reasoning = this.#reasoning;
    // A service that counts no tokens in a text has not counted.
    const usage = this.hasStarted && this.usage?.outputTokens === 0 ? null : this.usage;
    const outputTokens = usage?.outputTokens ?? (this.hasStarted ? this.#pieces : null);
    return {
      id: this.id,
      status: this.status,
      text: this.#text,
      reasoning: reasoning === "" ? null : reasoning,
      finishReason: this.finishReason,
      model: this.model,
      usage: {
        inputTokens: usage?.inputTokens ?? this.inputTokens ?? this.#estimatedInputTokens(),
        outputTokens,
        estimated: usage === null,
      },
      timing: {
        queuedMs: Math.round(this.#queuedMs),
        loadMs: Math.round(this.#loadMs),
        firstTokenMs: roundedDifference(this.#askedAt, this.#firstTokenAt),
        totalMs: Math.round((this.#endedAt ?? this.#now()) - this.#startedAt),
        tokensPerSecond: this.#tokensPerSecond(outputTokens),
      },
      attempts: this.attempts,
      cached: false,
      warnings: [...this.warnings],
    };
  }

  #estimatedInputTokens(): number {
    return Math.ceil(this.#inputCharacters / CHARACTERS_PER_TOKEN);
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

const roundedDifference = (from: number | null, to: number | null): number | null =>
  from === null || to === null ? null : Math.round(to - from);
