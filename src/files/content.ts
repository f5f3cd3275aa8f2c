import { isUtf8 } from "node:buffer";
import { type ImageType, imageTypeOf } from "../lib/index.js";
import type { LineRange } from "./pattern.js";
import * as refusals from "./refusals.js";

/** The text of a file, or of some of its lines. */
export interface FileText extends Lines {
  /**
   * Relative to its allowed folder, behind the name of the folder where several are allowed; with `/`
   * between its parts and without control characters. Given back to `read`, it is this file, unless its name
   * has control characters or ends like a range of lines.
   */
  readonly path: string;
}

/** An image that a model is to see. */
export interface FileImage {
  /** As that of a {@link FileText}. */
  readonly path: string;
  readonly mimeType: ImageType;
  /** Base64. */
  readonly data: string;
}

interface ReadFile {
  readonly bytes: Buffer;
  /** As its result shows it. */
  readonly path: string;
  /** As an error shows it. */
  readonly given: string;
  readonly lines: LineRange | null;
}

/** @throws FoundryError `INVALID_ARGUMENT` where it is no text, or has not these lines. */
export function textIn({ bytes, path, given, lines: range }: ReadFile): FileText {
  const kind = documentKind(bytes, path);
  if (kind !== null) throw refusals.needsConversion(given, kind);
  const text = decode(bytes);
  if (text === null) throw refusals.binary(given);
  const lines = linesOf(text, range);
  if (lines === null) throw refusals.pastTheEnd(given, linesOf(text, null)?.totalLines ?? 0);
  return { path, ...lines };
}

/** `null` where it is no image. */
export function imageIn({ bytes, path }: ReadFile): FileImage | null {
  const mimeType = imageTypeOf(bytes);
  return mimeType === null ? null : { path, mimeType, data: bytes.toString("base64") };
}

/** Whether a glob has the ending of a name, as `*.{png,md}` has that of `a.png` and `a*` has not. */
export function namesEndingOf(name: string, glob: string): boolean {
  const [, ending] = /\.(\w+)$/.exec(name.toLowerCase()) ?? [];
  const [last = ""] = glob.toLowerCase().split("/").slice(-1);
  return ending !== undefined && last.split(/\W+/).includes(ending);
}

/** A stretch of the lines of a text, counted from 1. */
interface Lines {
  readonly text: string;
  /** 0 in an empty text. */
  readonly firstLine: number;
  readonly lastLine: number;
  readonly totalLines: number;
}

/** The lines of a range, with their line breaks; `null` where the text ends before it. */
export function linesOf(text: string, range: LineRange | null): Lines | null {
  const { first, last } = range ?? { first: 1, last: null };
  let totalLines = 0;
  let from: number | null = null;
  let to = text.length;
  for (let start = 0; start < text.length; start = endOfLine(text, start)) {
    totalLines += 1;
    if (totalLines === first) from = start;
    if (last !== null && totalLines === last + 1) to = start;
  }
  if (range === null)
    return { text, firstLine: Math.min(1, totalLines), lastLine: totalLines, totalLines };
  if (from === null) return null;
  const lastLine = Math.min(last ?? totalLines, totalLines);
  return { text: text.slice(from, to), firstLine: first, lastLine, totalLines };
}

const LF = 10;
const CR = 13;

/** Behind the line break. By code, since a file may have millions of lines. */
function endOfLine(text: string, start: number): number {
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === LF) return at + 1;
    if (code === CR) return text.charCodeAt(at + 1) === LF ? at + 2 : at + 1;
  }
  return text.length;
}

/**
 * The text of a file: by its byte order mark, else UTF-8, else windows-1252, in which every byte is a
 * character. `null` for what is no text in any of them.
 */
export function decode(bytes: Buffer): string | null {
  const text = decoded(bytes);
  return isBinary(text) ? null : text;
}

function decoded(bytes: Buffer): string {
  // Windows PowerShell 5.1 writes UTF-16 with a byte order mark.
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return bytes.toString("utf16le", 2);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) {
    const even = bytes.subarray(2, bytes.length - (bytes.length % 2));
    return Buffer.from(even).swap16().toString("utf16le");
  }
  // It drops a byte order mark.
  const text = new TextDecoder().decode(bytes);
  const isMarked = bytes.subarray(0, UTF_8_MARK.length).equals(UTF_8_MARK);
  return isMarked || isUtf8(bytes) || isMostlyValid(text) ? text : fromWindows1252(bytes);
}

const UTF_8_MARK = Buffer.from("\uFEFF");

/** What a decoder puts in place of bytes that are not UTF-8. */
const REPLACEMENT = 0xfffd;

/**
 * Whether decoded bytes were UTF-8 but for a few: a log that several programs write, or one that is cut off. In
 * windows-1252, hardly any character above ASCII decodes as UTF-8. Where the cut one is the only one above ASCII,
 * nothing shows which of the two it was.
 */
function isMostlyValid(text: string): boolean {
  let valid = 0;
  let wrong = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === REPLACEMENT) wrong += 1;
    else if (code > 0x7f) valid += 1;
  }
  return wrong < valid;
}

/** The characters of the bytes 0x80 to 0x9f. Node's own decoder took some versions of it for latin1. */
const WINDOWS_1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

const fromWindows1252 = (bytes: Buffer): string =>
  bytes
    .toString("latin1")
    .replace(/[\u0080-\u009f]/g, (each) => WINDOWS_1252.charAt(each.charCodeAt(0) - 0x80));

/** Control characters that no text has, apart from those of terminals and printers. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is counted
const CONTROLS = /[\u0001-\u0006\u000e-\u001a\u001c-\u001f\u007f]/g;
/** A text has fewer of them than one in so many characters. */
const TEXT_PER_CONTROL = 50;

function isBinary(text: string): boolean {
  if (text.includes("\0")) return true;
  const controls = text.match(CONTROLS)?.length ?? 0;
  return controls * TEXT_PER_CONTROL > text.length;
}

/** A document that holds text in a form of its own, in words; `null` for other bytes. */
export function documentKind(bytes: Buffer, name: string): string | null {
  if (bytes.subarray(0, 5).equals(PDF)) return "a PDF";
  const isZip = bytes.subarray(0, 4).equals(ZIP);
  const ending = /\.(docx|xlsx|pptx|odt|ods|odp|epub)$/i.exec(name)?.[1];
  if (isZip && ending !== undefined) return `a document of type ${ending.toUpperCase()}`;
  return bytes.subarray(0, 5).equals(RTF) ? "an RTF document" : null;
}

const PDF = Buffer.from("%PDF-");
const ZIP = Buffer.from("PK\u0003\u0004");
const RTF = Buffer.from("{\\rtf");
