import { hash } from "./text.js";

/**
 * A vector of length 1 that depends on the words alone: texts that share words lie nearer to each
 * other than texts that do not.
 */
export function embeddingOf(text: string, size: number): number[] {
  const vector = new Array<number>(size).fill(0);
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? ["(empty)"];
  for (const word of words) {
    for (let index = 0; index < size; index += 1) {
      vector[index] = (vector[index] ?? 0) + hash(`${index} ${word}`) / 0x80000000 - 1;
    }
  }
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
