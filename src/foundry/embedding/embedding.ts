import type { CallOptions } from "../calls.js";

export interface EmbedOptions extends CallOptions {
  /** Alias, name or id. Default: the embedding model that is loaded, else one that is downloaded. */
  readonly model?: string | undefined;
}

export interface EmbedResult {
  /** Exact id of the model. */
  readonly model: string;
  /** One vector for each text, in the order of the texts. */
  readonly vectors: readonly (readonly number[])[];
  /** Tokens of all texts; `null` where the service does not count them. */
  readonly inputTokens: number | null;
}

export interface RankOptions extends EmbedOptions {
  /** How many of the nearest texts to return. Default: all. */
  readonly limit?: number | undefined;
}

export interface RankResult {
  /** Exact id of the model. */
  readonly model: string;
  /** The nearest first. */
  readonly ranking: readonly Ranked[];
}

export interface Ranked {
  /** Of the text, in the list that was given. */
  readonly index: number;
  /** Cosine similarity with the query, from -1 to 1. */
  readonly score: number;
  readonly text: string;
}

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
