import { resolve } from "node:path";
import { LRUCache } from "lru-cache";
import * as z from "zod";
import {
  ANSWER_METHODS,
  type Completion,
  type CompletionRequest,
  type StoredAnswer,
} from "../foundry/index.js";
import { jsonFrom, MOST_CACHE_BYTES } from "../lib/index.js";
import type { Logger } from "../log.js";
import { FileCache } from "../platform/index.js";
import type { FoundryClientOptions } from "./client-options.js";
import { requestKey } from "./ids.js";

interface Entry {
  readonly answer: Omit<StoredAnswer, "ageMs">;
  /** By the clock of the cache. */
  readonly at: number;
}

export interface ResponseCacheOptions {
  /** Answers that are kept, 1 or more. */
  readonly entries: number;
  /** Where answers are kept on disk, in a folder of the cache. Default: they are kept in memory. */
  readonly folder?: string | undefined;
  /** For tests. */
  readonly mostBytes?: number;
  /** A clock in milliseconds: a monotonic one for memory, that of the system for the disk. */
  readonly now: () => number;
  /** Logs that answers cannot be written. Default: none. */
  readonly log?: Logger | undefined;
}

/** Entries of a cache on disk, if no number is given. */
const DISK_ENTRIES = 1000;
/** What an entry takes besides its texts. */
const ENTRY_BYTES = 512;

interface Answers {
  get(key: string): Entry | undefined | Promise<Entry | undefined>;
  set(key: string, entry: Entry): void;
  size(): Promise<{ readonly entries: number; readonly bytes: number }>;
}

/** Whole answers of repeatable requests. The least recently used one is evicted first. */
export class ResponseCache {
  readonly #answers: Answers;
  readonly #now: () => number;

  constructor(options: ResponseCacheOptions) {
    const { folder } = options;
    this.#now = options.now;
    this.#answers = folder === undefined ? inMemory(options) : onDisk(folder, options);
  }

  /**
   * The cache that a client's options ask for, if any.
   *
   * @param monotonic A monotonic clock in milliseconds.
   */
  static from(
    {
      cache,
      cacheFolder: folder,
      log,
    }: Pick<FoundryClientOptions, "cache" | "cacheFolder" | "log">,
    monotonic: () => number,
  ): ResponseCache | null {
    const entries = cache ?? (folder === undefined ? 0 : DISK_ENTRIES);
    if (entries === 0) return null;
    // Answers on disk outlive this process, and with it a monotonic clock.
    const now = folder === undefined ? monotonic : Date.now;
    return new ResponseCache({ entries, folder, now, log });
  }

  size(): Promise<{ readonly entries: number; readonly bytes: number }> {
    return this.#answers.size();
  }

  /** The place of a request in the cache; `null`: its answer may differ from time to time. */
  slotOf(request: CompletionRequest): CacheSlot | null {
    if (request.temperature !== 0 && request.seed === undefined) return null;
    // The model is part of the key as the exact id that its name stands for.
    const key = requestKey({ ...request, model: undefined, models: undefined });
    return key === null ? null : new CacheSlot(this.#answers, this.#now, key);
  }
}

function inMemory({ entries, mostBytes = MOST_CACHE_BYTES }: ResponseCacheOptions): Answers {
  const answers = new LRUCache<string, Entry>({
    max: entries,
    maxSize: mostBytes,
    sizeCalculation: bytesOf,
  });
  return {
    get: (key) => answers.get(key),
    set: (key, entry) => void answers.set(key, entry),
    size: async () => ({ entries: answers.size, bytes: answers.calculatedSize }),
  };
}

const FOLDER = "foundry-local-mcp-answers";

function onDisk(
  folder: string,
  { entries, mostBytes = MOST_CACHE_BYTES, now, log }: ResponseCacheOptions,
): Answers {
  const files = new FileCache({
    folder: resolve(folder, FOLDER),
    entries,
    mostBytes,
    now,
    onFault: (code) => log?.warn({ code }, "answers cannot be kept on disk"),
  });
  return {
    get: async (key) => entrySchema.safeParse(jsonFrom((await files.get(key)) ?? "")).data,
    set: (key, entry) => void files.set(key, JSON.stringify(entry)),
    size: () => files.size(),
  };
}

const count = z.number().nullable();
const entrySchema = z.object({
  answer: z.object({
    text: z.string(),
    reasoning: z.string().nullable(),
    // Only such answers are kept.
    finishReason: z.literal("stop"),
    usage: z.object({ inputTokens: count, outputTokens: count, estimated: z.boolean() }),
    warnings: z.array(z.string()),
    method: z
      .enum(ANSWER_METHODS)
      .optional()
      .transform((method) => method),
  }),
  at: z.number(),
});

/** Where one completion finds or keeps its answer. */
export class CacheSlot {
  readonly #answers: Answers;
  readonly #now: () => number;
  readonly #request: string;
  #key: string | null = null;
  #model: string | null = null;

  constructor(answers: Answers, now: () => number, request: string) {
    this.#answers = answers;
    this.#now = now;
    this.#request = request;
  }

  /**
   * @param model Exact id.
   * @param service The kind and version of the service.
   */
  async find(model: string, service: string): Promise<StoredAnswer | null> {
    this.#model = model;
    this.#key = JSON.stringify([this.#request, model, service]);
    const entry = await this.#answers.get(this.#key);
    if (entry === undefined) return null;
    return { ...entry.answer, ageMs: Math.max(0, Math.round(this.#now() - entry.at)) };
  }

  /** Keeps an answer, if it is whole, without the warnings that are about the call alone. */
  keep(completion: Completion, callWarnings: readonly string[]): void {
    // While it waited, its name may have come to stand for another model.
    if (this.#key === null || completion.model !== this.#model || !isWhole(completion)) return;
    const { text, reasoning, finishReason, usage, method } = completion;
    const warnings = completion.warnings.filter((words) => !callWarnings.includes(words));
    const answer = { text, reasoning, finishReason, usage, warnings, method };
    this.#answers.set(this.#key, { answer, at: this.#now() });
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
