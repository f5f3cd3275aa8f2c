import { STATUS_CODES } from "node:http";
import * as z from "zod";
import {
  jsonFrom,
  printable,
  SEARCHED_OF_BODY,
  SEARCHED_OF_MESSAGE,
  withoutAnsi,
} from "../lib/index.js";

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

/** Whether a text begins as JSON does, and not as `[json.exception.type_error.302] type must be …`. */
export const beginsAsJson = (text: string): boolean => /^\s*(?:\{|\[\s*(?:[[{"]|$))/.test(text);

/** The message of a JSON whose end never came. */
function cutJsonMessage(text: string): string | null {
  if (!beginsAsJson(text)) return null;
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

/** What an error says. */
export interface ErrorWords {
  /** Its message; empty where there is none. */
  readonly text: string;
  /** Its types and codes: `invalid_request_error`, `context_length_exceeded`, `503`. */
  readonly kinds: readonly string[];
}

/** The members that hold a message, in the order in which they are read. */
const PLACES = [
  "error",
  "errors",
  "message",
  "detail",
  "details",
  "response",
  "msg",
  "reason",
  "description",
  "error_description",
  "title",
  "metadata",
  "raw",
];
/** Members that explain a message: a proxy puts the answer of its engine there, OpenRouter in `raw` of the last. */
const REASONS = ["detail", "details", "response", "metadata"];
const KINDS = ["type", "code", "status", "status_code"];

/** Levels of errors inside errors: a proxy quotes the answer of an engine, which quotes another. */
const DEEPEST = 8;
/** Entries of a list of errors that are read; one line has no room for more. */
const MOST_ENTRIES = 20;
const MOST_KINDS = 10;
const LONGEST_KIND = 80;

/** A load that the service has begun by itself: llama.cpp answers so to every request. */
const LOADING =
  /(?<!failed |error |while |unable to )loading model|model (?:\S+ )?is (?:still |currently )?(?:being loaded|loading)/i;

/** Whether the words of an answer with 503 say that the service is loading a model. */
export const saysLoading = (text: string): boolean => LOADING.test(text);

const membersSchema = z.record(z.string(), z.unknown());
const figuresSchema = z.object({ n_prompt_tokens: z.int(), n_ctx: z.int() });
const locationSchema = z.array(z.union([z.string(), z.number()]));

/**
 * The words of an error, wherever they stand in it: a string, an object, a list of either, or JSON
 * inside a message. FastAPI's `loc`, and `param`, are named behind the message that they belong to.
 *
 * @example
 * wordsOfError({ error: { message: "no", code: 404 } }); // { text: "no", kinds: ["404"] }
 */
export function wordsOfError(value: unknown): ErrorWords {
  const kinds = new Set<string>();
  const text = textIn(value, kinds, 0);
  return { text, kinds: [...kinds].slice(0, MOST_KINDS) };
}

function textIn(value: unknown, kinds: Set<string>, depth: number): string {
  if (depth > DEEPEST) return "";
  if (typeof value === "string") return unwrapped(value.trim(), kinds, depth);
  if (Array.isArray(value)) {
    const texts = value.slice(0, MOST_ENTRIES).map((each) => textIn(each, kinds, depth + 1));
    return [...new Set(texts.filter((text) => text !== ""))].join("; ");
  }
  const members = membersSchema.safeParse(value);
  return members.success ? textOfMembers(members.data, kinds, depth) : "";
}

function textOfMembers(
  members: Readonly<Record<string, unknown>>,
  kinds: Set<string>,
  depth: number,
): string {
  for (const name of KINDS) addKind(members[name], kinds);
  const found = PLACES.map((place) => ({ place, text: textIn(members[place], kinds, depth + 1) }));
  const texts = found.filter(({ text }) => text !== "");
  // A code, or the name of the status, may stand where others have the message.
  const text = (texts.find((each) => isSentence(each.text)) ?? texts[0])?.text ?? "";
  for (const other of texts) if (other.text !== text) addKind(other.text, kinds);
  const reasons = texts.filter(({ place }) => REASONS.includes(place)).map((each) => each.text);
  const reason = [...reasons, textOfFields(members["errors"], kinds, depth)].find(
    (each) => isSentence(each) && !text.includes(each),
  );
  if (text === "") return reason ?? "";
  const explained = reason === undefined ? text : `${text.replace(/[.:]$/, "")}: ${reason}`;
  return explained + placeOf(members, explained) + figuresOf(members, explained);
}

/** ASP.NET: `errors` has a list of messages for each field. */
function textOfFields(errors: unknown, kinds: Set<string>, depth: number): string {
  const fields = membersSchema.safeParse(errors);
  if (!fields.success || depth > DEEPEST) return "";
  return Object.entries(fields.data)
    .slice(0, MOST_ENTRIES)
    .map(([name, each]) => [name, textIn(each, kinds, depth + 1)])
    .flatMap(([name, text]) => (text === "" ? [] : [`${name}: ${text}`]))
    .join("; ");
}

const STATUS_NAMES = new Set(Object.values(STATUS_CODES));
const isSentence = (text: string): boolean => text.includes(" ") && !STATUS_NAMES.has(text);

function addKind(value: unknown, kinds: Set<string>): void {
  if (typeof value !== "string" && typeof value !== "number") return;
  const kind = String(value);
  if (kind !== "" && kind.length <= LONGEST_KIND && !kind.includes(" ")) kinds.add(kind);
}

/** The part of the request that an error is about, where its message does not name it. */
function placeOf({ loc, param }: Readonly<Record<string, unknown>>, text: string): string {
  const location = locationSchema.safeParse(loc);
  const name = location.success
    ? location.data.filter((step) => step !== "body").join(".")
    : typeof param === "string"
      ? param
      : "";
  return name === "" || name.length > LONGEST_KIND || text.includes(name) ? "" : ` (${name})`;
}

/** llama.cpp gives the figures of an overflow beside the message. */
function figuresOf(members: Readonly<Record<string, unknown>>, text: string): string {
  const figures = figuresSchema.safeParse(members);
  if (!figures.success || /\d{2}/.test(text)) return "";
  return ` (${figures.data.n_prompt_tokens} tokens, context ${figures.data.n_ctx} tokens)`;
}

/** A message in which another error is quoted as JSON, with the words of that error instead. */
function unwrapped(text: string, kinds: Set<string>, depth: number): string {
  const start = text.indexOf("{");
  const end = text.lastIndexOf("}") + 1;
  if (start === -1 || end <= start) return text;
  const inner = textIn(jsonFrom(text.slice(start, end)), kinds, depth + 1);
  return inner === "" ? text : `${text.slice(0, start)}${inner}${text.slice(end)}`;
}
