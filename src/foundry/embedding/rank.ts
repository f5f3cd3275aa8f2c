import type { Ranked } from "./embedding.js";

/** The texts by the similarity of their vectors with that of the query, the nearest first. */
export function ranked(
  query: readonly number[],
  texts: readonly string[],
  vectors: readonly (readonly number[])[],
): Ranked[] {
  return texts
    .map((text, index) => ({ index, score: cosine(query, vectors[index] ?? []), text }))
    .sort((a, b) => b.score - a.score);
}

/** 0 where one of them has no direction. */
export function cosine(one: ArrayLike<number>, other: ArrayLike<number>): number {
  const product = dot(one, other);
  const lengths = Math.sqrt(dot(one, one) * dot(other, other));
  return lengths === 0 ? 0 : Math.max(-1, Math.min(1, product / lengths));
}

function dot(one: ArrayLike<number>, other: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < one.length; index += 1) {
    sum += (one[index] ?? 0) * (other[index] ?? 0);
  }
  return sum;
}
