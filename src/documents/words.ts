/** The usual parameters of BM25: how much repeated words count, and how much the length of a text. */
const REPETITION = 1.2;
const LENGTH = 0.75;

/** Words, and of alphabets without spaces between words the pairs of neighbouring characters. */
const WORDS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]+|[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu;
const UNSPACED = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;

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

function* wordsOf(text: string): Generator<string> {
  for (const [run] of text.normalize("NFC").toLowerCase().matchAll(WORDS)) {
    if (!UNSPACED.test(run) || run.length < 3) {
      yield run;
      continue;
    }
    for (let at = 0; at + 2 <= run.length; at += 1) yield run.slice(at, at + 2);
  }
}
