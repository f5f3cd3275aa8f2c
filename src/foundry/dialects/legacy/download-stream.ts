import { z } from "zod";
import { jsonFrom } from "../../../lib/index.js";

/**
 * What S answers to a download, while it comes: lines such as `Total 76.268% Downloading v3/model.onnx`
 * with blank ones between (#232), or `("model.onnx", 0.01)` as the reference of 2025 has it, and at
 * the end one JSON object. Its pieces are cut anywhere, and a culture may write a decimal comma.
 */

// As many digits as a number has: a line of digits alone would be searched from each of them to its end.
const PERCENT = /(\d{1,20}(?:[.,]\d{1,20})?)\s?%/;
const FRACTION = /\("[^"]*",\s{0,9}(\d{1,20}(?:[.,]\d{1,20})?(?:e-?\d{1,3})?)\)/gi;
const NEWLINE = /\r\n|\n|\r/;
const RESULT_BEGIN = /\{\s*(?:"|$)/;
const PROGRESS_BEGIN = /^\s*(?:Total\b|\(")/i;
/** What a percentage, a fraction or a result ends with. */
const WORD_END = /[%)}]/;
/** Of a line or a result whose end never comes. */
const LONGEST = 64 * 1024;

const said = z.string().nullish().catch(null);
const resultSchema = z
  .record(z.string(), z.unknown())
  // The reference writes Success and ErrorMessage, Microsoft's own client reads success and error.
  .transform((members) =>
    Object.fromEntries(Object.entries(members).map(([key, value]) => [key.toLowerCase(), value])),
  )
  .pipe(z.object({ success: z.boolean(), error: said, errormessage: said }));

export interface DownloadResult {
  readonly success: boolean;
  /** The service's own words. */
  readonly error: string | null;
}

export class DownloadAnswer {
  /** 0 to 100, never less than before; `null` until the service tells. */
  percent: number | null = null;
  /** How it ended; `null` until the service says so. */
  result: DownloadResult | null = null;

  #line = "";
  #lastLine = "";
  /** The result as far as it has come; `null` before it begins. */
  #json: string | null = null;

  /** Takes a piece of the answer. Returns whether it says something that was not said before. */
  push(piece: string): boolean {
    const [first = "", ...more] = piece.split(NEWLINE);
    const lines = [this.#line + first, ...more];
    // Progress is told at once, also where a line never ends.
    const last = lines.pop() ?? "";
    // Not at each piece: cutting copies all of it.
    const rest = last.length > 2 * LONGEST ? last.slice(-LONGEST) : last;
    this.#line = rest;
    const before = this.percent;
    let isNews = false;
    for (const line of lines) isNews = this.#take(line) || isNews;
    if (this.#json === null && WORD_END.test(piece)) this.#takeTail(rest);
    return isNews || this.percent !== before || this.result !== null;
  }

  /** The answer has ended; its last line may have no end of its own. */
  end(): void {
    this.#take(this.#line);
    this.#line = "";
  }

  #take(line: string): boolean {
    if (this.result !== null || line.trim() === "") return false;
    if (this.#json !== null && PROGRESS_BEGIN.test(line)) this.#json = null;
    const isNews = line !== this.#lastLine;
    this.#lastLine = line;
    const begin = this.#json === null ? line.search(RESULT_BEGIN) : 0;
    if (begin < 0) {
      this.#takeProgress(line);
      return isNews;
    }
    if (this.#json === null) this.#takeProgress(line.slice(0, begin));
    this.#json = `${this.#json ?? ""}${line.slice(begin)}\n`.slice(0, LONGEST);
    this.#takeResult(this.#json);
    return isNews;
  }

  /** A line that has not ended: what it says already, and the result if that is whole. */
  #takeTail(tail: string): void {
    const begin = tail.search(RESULT_BEGIN);
    this.#takeProgress(begin < 0 ? tail : tail.slice(0, begin));
    if (begin >= 0) this.#takeResult(tail.slice(begin));
  }

  #takeResult(json: string): void {
    const parsed = resultSchema.safeParse(jsonFrom(json));
    if (!parsed.success) return;
    const { success, error, errormessage } = parsed.data;
    this.result = { success, error: error || errormessage || null };
  }

  #takeProgress(line: string): void {
    const fractions = [...line.matchAll(FRACTION)].map(([, figure]) => 100 * numberOf(figure));
    const percent = PERCENT.exec(line)?.[1];
    // A name of a file may hold a percent sign.
    const told = fractions.length > 0 || percent === undefined ? fractions : [numberOf(percent)];
    for (const figure of told) {
      if (figure >= (this.percent ?? 0)) this.percent = Math.min(100, figure);
    }
  }
}

const numberOf = (figure = ""): number => Number(figure.replace(",", "."));
