import { z } from "zod";
import { jsonFrom, printable, SEARCHED_OF_BODY } from "../lib/index.js";

const MAX_CHARACTERS = 500;

/** More of them fill the line several times. */
const MOST_DETAILS = 20;

const said = z.string().trim().min(1);

/** The places in which services put the message, in the order in which they are asked. */
const errorBody = z.union([
  z.object({ error: z.object({ message: said }) }).transform((body) => body.error.message),
  z.object({ error: said }).transform((body) => body.error),
  z.object({ message: said }).transform((body) => body.message),
  z.object({ detail: said }).transform((body) => body.detail),
  z
    .object({ detail: z.array(z.unknown()).transform((all) => all.slice(0, MOST_DETAILS)) })
    .pipe(z.object({ detail: z.array(z.object({ msg: said })).min(1) }))
    .transform((body) => body.detail.map((each) => each.msg).join("; ")),
  z.object({ title: said }).transform((body) => body.title),
  said,
]);

/**
 * What an answer says went wrong: one line of at most 500 characters, never markup, never empty.
 *
 * @param statusText What to say when the body says nothing.
 */
export function errorTextOf(body: string, contentType: string, statusText: string): string {
  const start = body.slice(0, SEARCHED_OF_BODY);
  const text = isHtml(body, contentType)
    ? htmlTitle(start)
    : (jsonMessage(body) ?? frameworkMessage(start) ?? cutJsonMessage(start) ?? start);
  const shown = withoutMarkup(text.slice(0, SEARCHED_OF_BODY));
  return oneLine(shown) || oneLine(statusText) || "no message";
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

function jsonMessage(body: string): string | null {
  const value = jsonFrom(body);
  if (value === undefined) return null;
  const parsed = errorBody.safeParse(value);
  if (parsed.success) return parsed.data;
  // Valid, but without a message: `{}` and `null` say nothing, the rest is better than nothing.
  const isEmpty = value === null || /^[\s{}[\]"]*$/.test(body);
  return isEmpty ? "" : body.slice(0, SEARCHED_OF_BODY);
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
  if (raw === undefined) return "an answer that was cut off";
  try {
    return z.string().parse(JSON.parse(`"${raw}"`));
  } catch {
    return raw;
  }
}

/** Only names of HTML elements: `std::vector<int>` is part of many a native message. */
function withoutMarkup(text: string): string {
  return text.replace(
    /<\/?(?:a|b|body|br|center|div|em|font|h[1-6]|head|hr|html|i|img|li|link|meta|ol|p|pre|script|span|strong|style|table|tbody|td|th|title|tr|tt|u|ul)(?:\s[^<>]*)?\/?>/gi,
    " ",
  );
}

/** One line without control characters and without runs of blanks. */
const oneLine = (text: string): string =>
  printable(text.replace(/\s+/g, " ").trimStart(), MAX_CHARACTERS).replace(/ {2,}/g, " ");
