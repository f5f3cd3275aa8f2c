import { type ImageType, imageTypeOf } from "../lib/index.js";
import { decode, documentKind, type TextEncoding } from "./decode.js";
import { linesOf } from "./lines.js";
import type { LineRange } from "./pattern.js";
import * as refusals from "./refusals.js";

/** The text of a file, or of some of its lines. */
export interface FileText {
  /**
   * Relative to its allowed folder, behind the name of the folder where several are allowed; with `/`
   * between its parts and without control characters. Given back to `read`, it is this file, unless its name
   * has control characters or ends like a range of lines.
   */
  readonly path: string;
  readonly text: string;
  /** Counted from 1; 0 in an empty file. */
  readonly firstLine: number;
  readonly lastLine: number;
  readonly totalLines: number;
  readonly encoding: TextEncoding;
  /** Of the whole file on the disk. */
  readonly bytes: number;
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
  const decoded = decode(bytes);
  if (decoded === null) throw refusals.binary(given);
  const lines = linesOf(decoded.text, range);
  if (lines === null)
    throw refusals.pastTheEnd(given, linesOf(decoded.text, null)?.totalLines ?? 0);
  return { path, ...lines, encoding: decoded.encoding, bytes: bytes.length };
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
