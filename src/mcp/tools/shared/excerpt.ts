/** A stretch of a text, in UTF-16 code units, that cuts no character in half. */
export interface Excerpt {
  readonly text: string;
  readonly from: number;
  /** How long the whole text is, so far. */
  readonly total: number;
  /** Whether there is more of it already. */
  readonly isCut: boolean;
}

interface ExcerptOptions {
  readonly from: number;
  readonly longest: number;
  /** What comes last may be the first half of a character whose other half is still to come. */
  readonly isGrowing: boolean;
}

export function excerptOf(whole: string, { from, longest, isGrowing }: ExcerptOptions): Excerpt {
  const begin = cutsPair(whole, from) ? from - 1 : from;
  const last = isGrowing && isHigh(whole, whole.length - 1) ? whole.length - 1 : whole.length;
  const limit = Math.min(last, begin + longest);
  const end = Math.max(begin, cutsPair(whole, limit) ? limit - 1 : limit);
  return {
    text: whole.slice(begin, end),
    from: begin,
    total: whole.length,
    isCut: end < last,
  };
}

/** At most so much of the beginning of a text. */
export const headOf = (whole: string, longest: number): string =>
  whole.slice(0, cutsPair(whole, longest) ? longest - 1 : longest);

const isHigh = (text: string, at: number): boolean => /^[\uD800-\uDBFF]$/.test(text.charAt(at));
const isLow = (text: string, at: number): boolean => /^[\uDC00-\uDFFF]$/.test(text.charAt(at));
const cutsPair = (text: string, at: number): boolean => isHigh(text, at - 1) && isLow(text, at);
