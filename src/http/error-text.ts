import * as z from "zod";
import {
  jsonFrom,
  printable,
  SEARCHED_OF_BODY,
  SEARCHED_OF_MESSAGE,
  withoutAnsi,
} from "../lib/index.js";
import { type ErrorWords, wordsOfError } from "./error-words.js";

const MAX_CHARACTERS = 500;

/**
 * What an answer says went wrong: one line of at most 500 characters, never markup, never empty.
 *
 * @param statusText What to say when the body says nothing.
 */
export const errorTextOf = (body: string, contentType: string, statusText: string): string =>
  oneLine(errorWordsOf(body, contentType, statusText).text, MAX_CHARACTERS);

/** The same with the types and codes of the error, and with all of the text that is searched. */
export function errorWordsOf(body: string, contentType: string, statusText: string): ErrorWords {
  const { text, kinds } = wordsInBody(body, contentType);
  const shown = withoutMarkup(text.slice(0, SEARCHED_OF_BODY));
  const words = oneLine(shown, SEARCHED_OF_MESSAGE) || oneLine(statusText, SEARCHED_OF_MESSAGE);
  return { text: words || "no message", kinds };
}

function wordsInBody(body: string, contentType: string): ErrorWords {
  const start = body.slice(0, SEARCHED_OF_BODY);
  if (isHtml(body, contentType)) return { text: htmlTitle(start), kinds: [] };
  // An engine that has begun a stream of events sends its error as one.
  const value = jsonFrom(body.replace(/^\s*(?:event:[^\n]*\n)?(?:data|error):\s*(?=[{["])/, ""));
  if (value !== undefined) return jsonWords(value, body);
  const text = frameworkMessage(start) ?? cutJsonMessage(start);
  return text === null ? wordsOfError(start) : { text, kinds: [] };
}

/** Whether an answer is a page for a browser, whatever it calls itself. */
export function isHtml(body: string, contentType: string): boolean {
  if (/\bhtml\b/i.test(contentType)) return true;
  return /^\s*<(?:!doctype|!--|\?xml|html|head|body|title|h1|p|center)\b/i.test(body.slice(0, 512));
}

function htmlTitle(page: string): string {
  const title = /<title[^<>]*>([^<]*)/i.exec(page)?.[1]?.trim();
  return title || "an HTML page";
}

function jsonWords(value: unknown, body: string): ErrorWords {
  const words = wordsOfError(value);
  if (words.text !== "") return words;
  const names = words.kinds.filter((kind) => !/^\d+$/.test(kind));
  // Valid, but without a message: `{}` and `null` say nothing, the rest is better than nothing.
  const isEmpty = value === null || /^(?:[\s{}[\]":,]|null|error)*$/.test(body);
  return { ...words, text: names.join(" ") || (isEmpty ? "" : body.slice(0, SEARCHED_OF_BODY)) };
}

/** oatpp writes `server=…\ncode=…\ndescription=…\nmessage=…`, the message last, of any length. */
function frameworkMessage(text: string): string | null {
  if (!/^code=\d/m.test(text)) return null;
  const message = /^message=([\s\S]+)/m.exec(text)?.[1]?.trim();
  return message || (/^description=(.+)/m.exec(text)?.[1] ?? null);
}

/** The message of a JSON whose end never came. */
function cutJsonMessage(text: string): string | null {
  // `[json.exception.type_error.302] type must be …` is text that begins with a bracket.
  if (!/^\s*(?:\{|\[\s*(?:[[{"]|$))/.test(text)) return null;
  const raw = /"(?:message|error|detail|title)"\s*:\s*"((?:[^"\\]|\\.)*)/.exec(text)?.[1];
  if (raw === undefined) return pythonMessage(text) ?? "an answer that was cut off";
  try {
    return z.string().parse(JSON.parse(`"${raw}"`));
  } catch {
    return raw;
  }
}

/** A dictionary that Python printed has the quotes of Python. */
const pythonMessage = (text: string): string | null =>
  /'(?:message|error|detail)'\s*:\s*(?:'((?:[^'\\]|\\.)+)|"((?:[^"\\]|\\.)+))/
    .exec(text)
    ?.slice(1)
    .find((each) => each !== undefined) ?? null;

/** Only names of HTML elements: `std::vector<int>` is part of many a native message. */
function withoutMarkup(text: string): string {
  return text.replace(
    /<\/?(?:a|b|body|br|center|div|em|font|h[1-6]|head|hr|html|i|img|li|link|meta|ol|p|pre|script|span|strong|style|table|tbody|td|th|title|tr|tt|u|ul)(?:\s[^<>]*)?\/?>/gi,
    " ",
  );
}

/** One line without control characters and without runs of blanks. */
const oneLine = (text: string, longest: number): string =>
  printable(withoutAnsi(text).replace(/\s+/g, " ").trimStart(), longest).replace(/ {2,}/g, " ");
