import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { MOST_VECTOR_BYTES } from "../lib/index.js";

/** What an entry takes besides its numbers. */
const ENTRY_BYTES = 256;

/**
 * The vectors of texts by a hash of the text and the model that made them, so that a text that was read before
 * is not embedded again. It holds no text. The least recently used one is evicted first.
 */
export class Vectors {
  readonly #vectors: LRUCache<string, Float32Array>;

  /** @param mostBytes For tests. */
  constructor(mostBytes = MOST_VECTOR_BYTES) {
    this.#vectors = new LRUCache({
      maxSize: mostBytes,
      sizeCalculation: ({ byteLength }) => byteLength + ENTRY_BYTES,
    });
  }

  get(model: string, text: string): Float32Array | undefined {
    return this.#vectors.get(keyOf(model, text));
  }

  set(model: string, text: string, vector: readonly number[]): Float32Array {
    const kept = Float32Array.from(vector);
    this.#vectors.set(keyOf(model, text), kept);
    return kept;
  }
}

const keyOf = (model: string, text: string): string =>
  createHash("sha256")
    .update(JSON.stringify([model, text]))
    .digest("base64");
