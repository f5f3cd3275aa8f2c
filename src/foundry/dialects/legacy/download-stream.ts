import * as z from "zod";
import { jsonFrom } from "../../../lib/index.js";

/**
 * The answer of the legacy service (CLI 0.8 or before) to a download: lines such as
 * `Total 76.268% Downloading v3/model.onnx` with blank lines between (#232), or `("model.onnx", 0.01)`
 * by the reference of 2025, and one JSON object at the end. Chunks are cut anywhere. The decimal
 * separator may be a comma.
 */

// A bound on the digits: without it, a long line of digits takes quadratic time.
const PERCENT = /(\d{1,20}(?:[.,]\d{1,20})?)\s?%/;
const FRACTION = /\("[^"]*",\s{0,9}(\d{1,20}(?:[.,]\d{1,20})?(?:e-?\d{1,3})?)\)/gi;
const NEWLINE = /\r\n|\n|\r/;
const RESULT_BEGIN = /\{\s*(?:"|$)/;
const PROGRESS_BEGIN = /^\s*(?:Total\b|\(")/i;
/** The last character of a percentage, a fraction or a result. */
const TOKEN_END = /[%)}]/;
/** A bound on a line or a result that does not end. */
const LONGEST = 64 * 1024;

const message = z.string().nullish().catch(null);
const resultSchema = z
  .record(z.string(), z.unknown())
  // The reference writes Success and ErrorMessage, Microsoft's own client reads success and error.
  .transform((members) =>
    Object.fromEntries(Object.entries(members).map(([key, value]) => [key.toLowerCase(), value])),
  )
  .pipe(z.object({ success: z.boolean(), error: message, errormessage: message }));

export interface DownloadResult {
  readonly success: boolean;
  /** The service's message. */
  readonly error: string | null;
}

export class DownloadAnswer {
  /** 0 to 100, never less than before; `null` until the service reports it. */
  percent: number | null = null;
  /** The result; `null` before it has arrived. */
  result: DownloadResult | null = null;

  #line = "";
  #lastLine = "";
  /** The received part of the result; `null` before it begins. */
  #json: string | null = null;

  /** Takes a chunk of the answer. Returns whether it is progress. */
  push(chunk: string): boolean {
    const [first = "", ...more] = chunk.split(NEWLINE);
    const lines = [this.#line + first, ...more];
    const last = lines.pop() ?? "";
    // Truncated only at twice the bound, because truncating copies the text.
    const rest = last.length > 2 * LONGEST ? last.slice(-LONGEST) : last;
    this.#line = rest;
    const before = this.percent;
    let isProgress = false;
    for (const line of lines) isProgress = this.#take(line) || isProgress;
    if (this.#json === null && TOKEN_END.test(chunk)) this.#takeTail(rest);
    return isProgress || this.percent !== before || this.result !== null;
  }

  /** Call at the end of the answer: its last line may have no line break. */
  end(): void {
    this.#take(this.#line);
    this.#line = "";
  }

  #take(line: string): boolean {
    if (this.result !== null || line.trim() === "") return false;
    if (this.#json !== null && PROGRESS_BEGIN.test(line)) this.#json = null;
    const isProgress = line !== this.#lastLine;
    this.#lastLine = line;
    const begin = this.#json === null ? line.search(RESULT_BEGIN) : 0;
    if (begin < 0) {
      this.#takeProgress(line);
      return isProgress;
    }
    if (this.#json === null) this.#takeProgress(line.slice(0, begin));
    this.#json = `${this.#json ?? ""}${line.slice(begin)}\n`.slice(0, LONGEST);
    this.#takeResult(this.#json);
    return isProgress;
  }

  /** Reads the progress in an unfinished line, and the result if it is complete. */
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
    // The name of a file may contain a percent sign.
    const figures = fractions.length > 0 || percent === undefined ? fractions : [numberOf(percent)];
    for (const figure of figures) {
      if (figure >= (this.percent ?? 0)) this.percent = Math.min(100, figure);
    }
  }
}

const numberOf = (figure = ""): number => Number(figure.replace(",", "."));
