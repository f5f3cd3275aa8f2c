import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { Lazy, MOST_VECTOR_BYTES } from "../lib/index.js";
import type { StoredVector, VectorFolder } from "./vector-folder.js";

/** What an entry takes besides its numbers. */
const ENTRY_BYTES = 256;

interface VectorsOptions {
  /** Where they are also kept. Default: only in memory. */
  readonly folder?: VectorFolder | null | undefined;
  /** In memory. For tests. */
  readonly mostBytes?: number;
}

/**
 * The vectors of texts by the model that made them and a hash of the text, so that a text that was read before
 * is not embedded again. They hold no text. The least recently used one is evicted first.
 */
export class Vectors {
  readonly #vectors: LRUCache<string, Float32Array>;
  readonly #folder: VectorFolder | null;
  /** Of each model, whether its file was read. */
  readonly #read = new Map<string, Lazy<void>>();

  constructor({ folder = null, mostBytes = MOST_VECTOR_BYTES }: VectorsOptions = {}) {
    this.#folder = folder;
    this.#vectors = new LRUCache({
      maxSize: mostBytes,
      sizeCalculation: ({ byteLength }) => byteLength + ENTRY_BYTES,
    });
  }

  /** The vectors of texts; `undefined` where there is none. */
  async get(model: string, texts: readonly string[]): Promise<(Float32Array | undefined)[]> {
    await this.#readOnce(model);
    return texts.map((text) => this.#vectors.get(keyOf(model, hashOf(text))));
  }

  async set(
    model: string,
    texts: readonly string[],
    vectors: readonly (readonly number[])[],
  ): Promise<void> {
    const stored = texts.map((text, index): StoredVector => {
      return { hash: hashOf(text), vector: Float32Array.from(vectors[index] ?? []) };
    });
    for (const { hash, vector } of stored) this.#vectors.set(keyOf(model, hash), vector);
    await this.#folder?.append(model, stored);
  }

  async #readOnce(model: string): Promise<void> {
    const folder = this.#folder;
    if (folder === null) return;
    const known = this.#read.get(model);
    const reading =
      known ??
      new Lazy(async () => {
        for (const { hash, vector } of await folder.read(model)) {
          this.#vectors.set(keyOf(model, hash), vector);
        }
      });
    if (known === undefined) this.#read.set(model, reading);
    await reading.get();
  }
}

const hashOf = (text: string): Buffer => createHash("sha256").update(text).digest();

const keyOf = (model: string, hash: Buffer): string => `${hash.toString("base64")} ${model}`;
