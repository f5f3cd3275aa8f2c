/**
 * Functions of texts. They make words from outside fit to be shown (in a tool's answer, in the log, on a
 * terminal) and JSON fit for every reader, write figures for people, and search.
 */

/** At most `longest` UTF-16 code units of the beginning of a text; never half a surrogate pair. */
export function truncate(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const isSplit = /[\ud800-\udbff]/.test(text.charAt(longest - 1));
  return text.slice(0, isSplit ? longest - 1 : longest);
}

/**
 * Characters that do something other than being read: C0 and C1 controls (ESC begins ANSI and OSC
 * sequences), line and paragraph separators, and the marks that change the direction of a line.
 */
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]+/g;

/** Sequences of a terminal: colours, cursor movements, titles. A program that writes a log may leave the ESC out. */
const ANSI =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  /[\u001b\u009b]\[?[\d;?]{0,20}[A-Za-z]|\u001b\][^\u0007\u001b]{0,200}(?:\u0007|\u001b\\)|\[\d{1,3}(?:;\d{1,3}){0,5}m/g;

/** The text without the sequences that colour a terminal or move its cursor. */
export const withoutAnsi = (text: string): string => text.replace(ANSI, "");

const KEPT = /[\t\r\n]/;

/**
 * The same text for a terminal, line breaks kept: without what moves a cursor, colours, sets a title or
 * turns the direction of the text.
 */
export const withoutControls = (text: string): string =>
  text.replace(UNPRINTABLE, (run) =>
    [...run].map((each) => (KEPT.test(each) ? each : " ")).join(""),
  );

/** JSON with such characters written as escapes, so that it has the same meaning and does nothing else. */
export const escapeUnprintable = (json: string): string =>
  json.replace(UNPRINTABLE, (run) => [...run].map(escaped).join(""));

const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Each escape of a JSON text: a half of a surrogate pair, or any other. */
const ESCAPES = /\\(?:u(d[89a-f][0-9a-f]{2})|.)/g;

/**
 * A text of `JSON.stringify` with U+FFFD for each half of a surrogate pair that stands alone, since not
 * every JSON parser survives one.
 */
export const wellFormedJson = (json: string): string =>
  // JSON.stringify escapes a half alone, and writes whole pairs as they are.
  json.includes("\\ud")
    ? json.replace(ESCAPES, (whole, half) => (half === undefined ? whole : "\ufffd"))
    : json;

/** Line separators of JavaScript, at which some readers of lines split. */
const SEPARATORS = /[\u2028\u2029]/g;

/** {@link wellFormedJson} for every reader of lines: U+2028 and U+2029 are escaped. */
export const portableJson = (json: string): string =>
  wellFormedJson(json).replace(SEPARATORS, escaped);

/**
 * One line of a text from outside, without anything that moves a cursor, colours a terminal, begins a
 * new line or turns the direction of the text; at most `longest` UTF-16 code units.
 *
 * @example
 * printable("phi\u001b[31m-4\nmini", 80); // "phi [31m-4 mini"
 */
export function printable(text: string, longest: number): string {
  // Cut before it is searched; the rest could not be shown anyway.
  const line = text
    .slice(0, longest * 2)
    .replace(UNPRINTABLE, " ")
    .toWellFormed()
    .trim();
  return truncate(line, longest);
}

/**
 * Milliseconds for people, rounded up below a second.
 *
 * @example
 * formatDuration(480); // "480 ms"
 * formatDuration(1500); // "1.5 s"
 */
export const formatDuration = (ms: number): string =>
  ms < 1000 ? `${Math.ceil(ms)} ms` : `${Math.round(ms / 100) / 10} s`;

/**
 * How long to wait, in whole seconds.
 *
 * @example
 * formatWait(1200); // "2 s"
 */
export const formatWait = (ms: number): string => `${Math.max(1, Math.ceil(ms / 1000))} s`;

/**
 * A size in MB (1024 KB) for people.
 *
 * @example
 * formatMegabytes(800); // "800 MB"
 * formatMegabytes(2150.4); // "2.1 GB"
 */
export const formatMegabytes = (mb: number): string =>
  mb < 1024 ? `${Math.round(mb)} MB` : `${(mb / 1024).toFixed(1)} GB`;

/**
 * How many of a thing.
 *
 * @example
 * counted(1, "file"); // "1 file"
 */
export const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? "" : "s"}`;

/** The longest end of `text` that is a beginning of `word`, short of the whole word. */
export function overlap(text: string, word: string): number {
  for (let length = Math.min(word.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(word.slice(0, length))) return length;
  }
  return 0;
}

/** The pattern of a regular expression that matches this text and no other. */
export const escapeRegExp = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/** A part of an address as it was before it was percent-encoded; unchanged where it is not. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
