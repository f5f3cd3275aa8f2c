import { createHash } from "node:crypto";
import type { SimulatedModel } from "../models/model.js";

const DIMENSIONS = 64;

/** Whether a model makes embeddings: by its task alone, as the services decide it. */
export const isEmbedder = ({ task }: SimulatedModel): boolean => /^embeddings?$/i.test(task);

/**
 * A simulated embedding, of length 1: each word has a direction of its own, so that texts which share
 * words are near each other. It knows nothing of meaning.
 */
export function vectorOf(text: string): number[] {
  const sum = new Array<number>(DIMENSIONS).fill(0);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [""]) {
    const digest = createHash("sha256").update(word).digest();
    // Two bits of each byte: -1, 0, 0 or 1.
    for (let index = 0; index < DIMENSIONS; index += 1) {
      const bits = ((digest[index >> 1] ?? 0) >> (index % 2 === 0 ? 0 : 4)) & 3;
      sum[index] = (sum[index] ?? 0) + (bits === 3 ? 1 : bits === 0 ? -1 : 0);
    }
  }
  const length = Math.hypot(...sum) || 1;
  return sum.map((value) => value / length);
}
