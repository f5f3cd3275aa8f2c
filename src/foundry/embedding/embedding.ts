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
