import { type CallOptions, cosine } from "../foundry/index.js";
import type { FoundryClient } from "../jobs/index.js";
import { type ErrorCode, FoundryError } from "../lib/index.js";
import type { DocumentPart } from "./document.js";
import type { Vectors } from "./vectors.js";

export interface RankedPart extends DocumentPart {
  /** The cosine of the embeddings, from -1 to 1; without them of words, from 0 to 1. */
  readonly score: number;
}

export interface PartRanking {
  /** The nearest first. */
  readonly parts: readonly RankedPart[];
  readonly by: readonly ("embeddings" | "words")[];
  /** Exact id of the embedding model. */
  readonly model: string | null;
  /** Why they are ranked by words, and how to have embeddings. */
  readonly note: string | null;
}

interface RankingOptions extends CallOptions {
  /** Default: the one that is loaded, else downloaded; without any, the parts are ranked by words. */
  readonly model?: string | undefined;
  readonly vectors: Vectors;
}

/** In one request, so that no more is lost where the call ends: vectors are kept after each. */
const TEXTS_AT_ONCE = 32;

const NO_EMBEDDER: ReadonlySet<ErrorCode> = new Set([
  "MODEL_CANNOT_EMBED",
  "MODEL_NOT_CACHED",
  "UNSUPPORTED_BY_SERVER",
]);

/**
 * Parts by their nearness to a question.
 *
 * @throws FoundryError as `FoundryClient.embed`, for a lack of embedding models only where one is named.
 */
export async function rankParts(
  client: FoundryClient,
  question: string,
  parts: readonly DocumentPart[],
  options: RankingOptions,
): Promise<PartRanking> {
  try {
    return await byEmbeddings(client, question, parts, options);
  } catch (thrown) {
    if (options.model !== undefined || !(thrown instanceof FoundryError)) throw thrown;
    if (!NO_EMBEDDER.has(thrown.code)) throw thrown;
    const scores = wordScores(
      question,
      parts.map(({ text }) => text),
    );
    const ranked = ordered(parts, scores, scores);
    const shared = (ranked[0]?.score ?? 0) > 0 ? "" : " No part shares a word with the question.";
    const note = `The parts were ranked by the words that they share with the question, not by meaning.${shared} ${thrown.message} ${thrown.action}`;
    return { parts: ranked, by: ["words"], model: null, note };
  }
}

async function byEmbeddings(
  client: FoundryClient,
  question: string,
  parts: readonly DocumentPart[],
  { model: named, vectors, ...call }: RankingOptions,
): Promise<PartRanking> {
  const asked = await client.embed([question], { model: named, ...call });
  const { model } = asked;
  const [query = []] = asked.vectors;
  const texts = parts.map(({ text }) => text);
  const known = await vectors.get(model, texts);
  // Another engine may have a model of the same name with other vectors.
  const scores = known.map((vector) =>
    vector?.length === query.length ? cosine(query, vector) : null,
  );
  const missing = [...scores.keys()].filter((index) => scores[index] === null);
  for (let at = 0; at < missing.length; at += TEXTS_AT_ONCE) {
    const done = parts.length - missing.length + at;
    const message = `Embedding the parts, ${done} of ${parts.length} done`;
    call.onStatus?.({ step: "embedding", message, percent: null });
    const indexes = missing.slice(at, at + TEXTS_AT_ONCE);
    const some = indexes.map((index) => texts[index] ?? "");
    const made = await client.embed(some, { model, ...call });
    await vectors.set(model, some, made.vectors);
    for (const [position, index] of indexes.entries()) {
      scores[index] = cosine(query, made.vectors[position] ?? []);
    }
  }
  const cosines = scores.map((score) => score ?? 0);
  const ranked = ordered(parts, cosines, joinedRanks(cosines, wordScores(question, texts)));
  return { parts: ranked, by: ["embeddings", "words"], model, note: null };
}

const ordered = (
  parts: readonly DocumentPart[],
  scores: readonly number[],
  by: readonly number[],
): RankedPart[] =>
  [...parts.entries()]
    .sort(([one], [other]) => (by[other] ?? 0) - (by[one] ?? 0))
    .map(([index, part]) => ({ ...part, score: scores[index] ?? 0 }));

/** The usual constant of reciprocal rank fusion. */
const FUSION = 60;

/**
 * Both rankings as one, by reciprocal rank fusion: embeddings find what is worded otherwise, words find names and
 * numbers, of which a vector says little.
 */
function joinedRanks(cosines: readonly number[], words: readonly number[]): number[] {
  const ranks = [ranksOf(cosines), ranksOf(words)] as const;
  return cosines.map((_cosine, index) => {
    const byMeaning = 1 / (FUSION + (ranks[0][index] ?? 0));
    // A part that shares no word has no rank by words.
    return words[index] === 0 ? byMeaning : byMeaning + 1 / (FUSION + (ranks[1][index] ?? 0));
  });
}

function ranksOf(scores: readonly number[]): number[] {
  const ranks = new Array<number>(scores.length).fill(0);
  const order = [...scores.keys()].sort((one, other) => (scores[other] ?? 0) - (scores[one] ?? 0));
  for (const [rank, index] of order.entries()) ranks[index] = rank + 1;
  return ranks;
}

/** The usual parameters of BM25: how much repeated words count, and how much the length of a text. */
const REPETITION = 1.2;
const LENGTH = 0.75;

/**
 * A character of a script without spaces between words. The extensions have what several scripts use, such as the
 * long vowel `ー`, and also punctuation. Those of Thai have an apostrophe of Latin words.
 */
const UNSPACED = String.raw`(?=[\p{L}\p{N}\p{M}])[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{sc=Thai}]`;
/** Runs of such characters, and words of other scripts. */
const WORDS = new RegExp(
  String.raw`(?<unspaced>(?:${UNSPACED})+)|(?!${UNSPACED})[\p{L}\p{N}](?:(?!${UNSPACED})[\p{L}\p{N}\p{M}])*`,
  "gu",
);

interface Counted {
  readonly words: number;
  /** How often each word of the question comes. */
  readonly counts: ReadonlyMap<string, number>;
}

/**
 * How well texts fit a question by the words that they share with it (BM25), from 0 to 1. It knows nothing
 * of meaning, and needs no model.
 */
export function wordScores(question: string, texts: readonly string[]): number[] {
  const asked = new Set(wordsOf(question));
  const counted = texts.map((text) => countedIn(text, asked));
  const mean = counted.reduce((sum, { words }) => sum + words, 0) / Math.max(1, texts.length);
  const having = new Map<string, number>();
  for (const { counts } of counted) {
    for (const word of counts.keys()) having.set(word, (having.get(word) ?? 0) + 1);
  }
  const weightOf = (word: string): number => weightIn(having.get(word) ?? 0, texts.length);
  const weights = new Map([...asked].map((word) => [word, weightOf(word)]));
  const most = [...weights.values()].reduce((sum, weight) => sum + weight, 0) * (REPETITION + 1);
  return counted.map(({ words, counts }) => {
    const longer = 1 - LENGTH + (LENGTH * words) / Math.max(1, mean);
    let score = 0;
    for (const [word, count] of counts) {
      score +=
        ((weights.get(word) ?? 0) * count * (REPETITION + 1)) / (count + REPETITION * longer);
    }
    return most === 0 ? 0 : score / most;
  });
}

/** Of a word that so many of the texts have. */
const weightIn = (having: number, texts: number): number =>
  Math.log(1 + (texts - having + 0.5) / (having + 0.5));

function countedIn(text: string, asked: ReadonlySet<string>): Counted {
  const counts = new Map<string, number>();
  let words = 0;
  for (const word of wordsOf(text)) {
    words += 1;
    if (asked.has(word)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return { words, counts };
}

/** Words, and of scripts without spaces between words the pairs of neighbouring characters. */
function* wordsOf(text: string): Generator<string> {
  for (const { 0: run, groups } of text.normalize("NFC").toLowerCase().matchAll(WORDS)) {
    if (groups?.["unspaced"] === undefined || run.length < 3) {
      yield run;
      continue;
    }
    for (let at = 0; at + 2 <= run.length; at += 1) yield run.slice(at, at + 2);
  }
}
