import { LRUCache } from "lru-cache";
import type { Completion, CompletionRequest, StoredAnswer } from "../foundry/index.js";
import { MOST_CACHE_BYTES } from "../lib/index.js";
import { requestKey } from "./ids.js";

interface Entry {
  readonly answer: Omit<StoredAnswer, "ageMs">;
  /** By the clock of the cache. */
  readonly at: number;
}

export interface ResponseCacheOptions {
  /** Answers that are kept, 1 or more. */
  readonly entries: number;
  /** For tests. */
  readonly mostBytes?: number;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
}

/** What an entry takes besides its texts. */
const ENTRY_BYTES = 512;

/** Whole answers of repeatable requests. The least recently used one is evicted first. */
export class ResponseCache {
  readonly #entries: LRUCache<string, Entry>;
  readonly #now: () => number;

  constructor({ entries, mostBytes = MOST_CACHE_BYTES, now }: ResponseCacheOptions) {
    this.#now = now;
    this.#entries = new LRUCache({ max: entries, maxSize: mostBytes, sizeCalculation: bytesOf });
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#entries.calculatedSize;
  }

  /** The place of a request in the cache; `null`: its answer may differ from time to time. */
  slotOf(request: CompletionRequest): CacheSlot | null {
    if (request.temperature !== 0 && request.seed === undefined) return null;
    // The model is part of the key as the exact id that its name stands for.
    const key = requestKey({ ...request, model: undefined, models: undefined });
    return key === null ? null : new CacheSlot(this, key);
  }

  /** @internal */
  get(key: string): StoredAnswer | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    return { ...entry.answer, ageMs: Math.max(0, Math.round(this.#now() - entry.at)) };
  }

  /** @internal */
  set(key: string, answer: Entry["answer"]): void {
    this.#entries.set(key, { answer, at: this.#now() });
  }
}

/** Where one completion finds or keeps its answer. */
export class CacheSlot {
  readonly #cache: ResponseCache;
  readonly #request: string;
  #key: string | null = null;
  #model: string | null = null;
  #ownWarnings: readonly string[] = [];

  /** @internal */
  constructor(cache: ResponseCache, request: string) {
    this.#cache = cache;
    this.#request = request;
  }

  /**
   * @param model Exact id.
   * @param service The kind and version of the service.
   * @param ownWarnings About this call and not the answer, such as why this model was chosen: they are not kept.
   */
  find(model: string, service: string, ownWarnings: readonly string[]): StoredAnswer | null {
    this.#model = model;
    this.#ownWarnings = ownWarnings;
    this.#key = JSON.stringify([this.#request, model, service]);
    return this.#cache.get(this.#key);
  }

  /** Keeps an answer, if it is whole. */
  keep(completion: Completion): void {
    // While it waited, its name may have come to stand for another model.
    if (this.#key === null || completion.model !== this.#model || !isWhole(completion)) return;
    const { text, reasoning, finishReason, usage, method } = completion;
    const warnings = completion.warnings.filter((words) => !this.#ownWarnings.includes(words));
    this.#cache.set(this.#key, { text, reasoning, finishReason, usage, warnings, method });
  }
}

/** Only `stop` says that an answer ended by itself. */
const isWhole = ({ status, finishReason, cached, text }: Completion): boolean =>
  status === "completed" && finishReason === "stop" && !cached && text.trim() !== "";

function bytesOf({ answer: { text, reasoning, warnings } }: Entry, key: string): number {
  const lengths = [key, text, reasoning ?? "", ...warnings].map(({ length }) => length);
  // A string takes two bytes for a character.
  return ENTRY_BYTES + 2 * lengths.reduce((sum, length) => sum + length, 0);
}
