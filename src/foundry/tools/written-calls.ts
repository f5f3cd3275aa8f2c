import {
  Brackets,
  hasMoreValues,
  isMembers,
  jsonFrom,
  MOST_ANSWER_VALUES,
  MOST_CALLS,
} from "../../lib/index.js";
import type { RawCall } from "./tool.js";

/** Makes JSON of what is nearly JSON; `undefined` where it cannot. */
export type Repair = (text: string) => unknown;

interface WrittenCalls {
  readonly calls: readonly RawCall[];
  /** Whether it ends in the middle of a call. */
  readonly isCut: boolean;
}

/**
 * The calls in a text that holds nothing else: one object, a list, several objects, the tags of
 * functions and parameters, or a name with the object of its arguments.
 *
 * @param isWhole `false`: the answer was cut off, so that its last call may lack its end.
 */
export function writtenCalls(written: string, repair: Repair, isWhole: boolean): WrittenCalls {
  const text = plainMarks(written);
  // Behind a bracket, a tag is a part of an argument.
  if (!/^[^<]*[{[]/.test(text) && FUNCTION_TAG.test(text)) {
    return taggedCalls(text, repair, isWhole);
  }
  const byKeys = callByKeys(text);
  if (byKeys !== null) return { calls: isWhole ? [byKeys] : [], isCut: !isWhole };
  const python = pythonCalls(text);
  if (python !== null) return python;
  const { whole, open } = objectsIn(text, MOST_CALLS);
  const isCut = open !== "" && !isWhole;
  const parts = open === "" || isCut ? whole : [...whole, open];
  if (NAMED.test(text)) {
    const calls = text.split(CALL_BEGINS).flatMap((part): RawCall[] => {
      const name = NAMED.exec(part)?.[1];
      const object = objectsIn(part, 1);
      const given = object.whole[0] ?? (isCut ? "" : object.open);
      return name === undefined || given === "" ? [] : [{ name, arguments: given }];
    });
    return { calls: calls.slice(0, MOST_CALLS), isCut };
  }
  return { calls: parts.flatMap((part) => callsOfPart(part, repair)).slice(0, MOST_CALLS), isCut };
}

/** Between the calls of Kimi and DeepSeek. */
const CALL_BEGINS = /<(?:\|tool_call_begin\||｜tool▁call▁begin｜)>(?:function<｜tool▁sep｜>)?/;
/** A name in front of the arguments, as newer models of Mistral, Gemma, Kimi and DeepSeek write it. */
const NAMED =
  /^\s*(?:<(?:\|tool_call_begin\||｜tool▁call▁begin｜)>)?(?:function<｜tool▁sep｜>)?(?:call:)?([\w.-]{1,200})(?::\d{1,9})?\s*(?:(?:\[CALL_ID\]\w{0,100}(?:\[ARGS\])?|\[ARGS\]|<｜tool▁sep｜>|<\|tool_call_argument_begin\|>)\s*)?(?:```json\s{0,9})?\{/;

/** The text with the tags of DeepSeek, or the quotes of Gemma, as other models write them. */
function plainMarks(text: string): string {
  if (!/^\s*call:/.test(text)) return text.replaceAll("｜DSML｜", "");
  const quoted = /(<\|"\|>|<escape>)([\s\S]*?)\1/g;
  return text.replace(quoted, (_, _mark, inner: string) => JSON.stringify(inner));
}

/** `[name(key="value", …), …]`, each also within `print(…)`, with or without the brackets. */
const PYTHON_START = /^[\s[]*(?:```\w{0,12}\s{0,9})?(?=(?:print\()?[A-Za-z_][\w.]{0,199}\()/;
const PYTHON_NAME = /[\s,;)[\]]*(?:print\()?(?:default_api\.)?([A-Za-z_][\w.]{0,199})\(/y;
const PYTHON_KEY = /[\s,]*([A-Za-z_]\w{0,199})\s{0,9}=\s{0,9}/y;
const LONG_STRING = /^("""|''')([\s\S]*)\1$/;

/** Calls in Python; `null` where the text is none, or has arguments without names. */
function pythonCalls(text: string): WrittenCalls | null {
  const calls: RawCall[] = [];
  let at = PYTHON_START.exec(text)?.[0].length ?? -1;
  while (at !== -1 && calls.length < MOST_CALLS) {
    PYTHON_NAME.lastIndex = at;
    const name = PYTHON_NAME.exec(text)?.[1];
    if (name === undefined) {
      // A list with other parts is none, such as `[name(key=each) for each in all]`.
      const isList = /^\s*\[/.test(text);
      if (isList && !/^[\s,;)]*(?:[\]#]|$)/.test(text.slice(at))) return null;
      break;
    }
    const members: string[] = [];
    for (at = PYTHON_NAME.lastIndex; ; ) {
      PYTHON_KEY.lastIndex = at;
      const key = PYTHON_KEY.exec(text)?.[1];
      if (key === undefined) break;
      const from = PYTHON_KEY.lastIndex;
      at = valueEnd(text, from);
      if (at === text.length) return { calls, isCut: true };
      const value = text.slice(from, at).trim();
      const long = LONG_STRING.exec(value)?.[2];
      members.push(`"${key}": ${long === undefined ? value : JSON.stringify(long)}`);
    }
    at += /^[\s,]*/.exec(text.slice(at, at + 100))?.[0].length ?? 0;
    if (text.charAt(at) !== ")") return null;
    calls.push({ name, arguments: `{${members.join(", ")}}` });
  }
  return calls.length === 0 ? null : { calls, isCut: false };
}

/** Where a value in Python ends: at a comma or a bracket that is outside of it. */
function valueEnd(text: string, from: number): number {
  let depth = 0;
  let quote = "";
  for (let at = from; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (quote !== "") {
      if (character === "\\") at += 1;
      else if (character === quote) quote = "";
    } else if (/["']/.test(character)) quote = character;
    else if (/[[{(]/.test(character)) depth += 1;
    else if (depth === 0 && /[,)]/.test(character)) return at;
    else if (/[\]})]/.test(character)) depth -= 1;
  }
  return text.length;
}

function callsOfPart(part: string, repair: Repair): RawCall[] {
  if (hasMoreValues(part, MOST_ANSWER_VALUES)) return [];
  const value = jsonFrom(part) ?? repair(part);
  if (value !== undefined) return callsOf(value);
  const name = saidName(part);
  return name === null ? [] : [{ name, arguments: {}, broken: part }];
}

/** The name in a call that is no JSON. */
const SAID_NAME = /["'](?:name|function|tool_name)["']\s{0,50}:\s{0,50}["']([\w.-]{1,200})["']/;

/** The name in a text that is the beginning of a call, or no JSON. */
export const saidName = (text: string): string | null => SAID_NAME.exec(text)?.[1] ?? null;

const NAMES = ["name", "tool_name", "function_name", "tool", "function"] as const;
const ARGUMENTS = ["arguments", "parameters", "args", "input", "tool_input"] as const;
/** Members beside the name of a call that has no arguments. */
const BESIDE_NAME = new Set<string>([...NAMES, "type", "id"]);

/** The calls that a value stands for: a call, or an object or a list that holds some. */
function callsOf(value: unknown): RawCall[] {
  if (Array.isArray(value)) return value.slice(0, MOST_CALLS).flatMap(callsOf);
  if (!isMembers(value)) return [];
  const inner = value["tool_calls"] ?? value["function_call"] ?? value["function"];
  const id = value["id"];
  if (typeof inner === "object" && inner !== null) {
    const calls = callsOf(inner);
    return typeof id === "string" && calls.length === 1
      ? calls.map((call) => ({ id, ...call }))
      : calls;
  }
  const name = NAMES.map((each) => value[each]).find((each) => typeof each === "string");
  if (typeof name !== "string" || name === "") return [];
  const given = ARGUMENTS.find((each) => value[each] !== undefined);
  if (given === undefined && Object.keys(value).some((key) => !BESIDE_NAME.has(key))) return [];
  return [
    {
      ...(typeof id === "string" ? { id } : {}),
      name,
      arguments: given === undefined ? {} : value[given],
    },
  ];
}

/** `<function=name>`, `<function name="name">`, `<invoke name="name">`. */
const FUNCTION_TAG =
  /<(?:function|invoke)(?:=|\s{1,20}name=)\s{0,20}["']?([^"'<>\s]{1,200})["']?\s{0,20}>/;
const PARAMETER_TAG =
  /<parameter(?:=|\s{1,20}name=)\s{0,20}["']?([^"'<>\s]{1,200})["']?(?:\s[^<>]{0,119})?>/;

function taggedCalls(text: string, repair: Repair, isWhole: boolean): WrittenCalls {
  const [, ...parts] = text.split(FUNCTION_TAG);
  const calls: RawCall[] = [];
  let isCut = false;
  for (let at = 0; at + 1 < parts.length && calls.length < MOST_CALLS; at += 2) {
    const name = parts[at] ?? "";
    const [body = "", ...closed] = (parts[at + 1] ?? "").split(/<\/(?:function|invoke)>/);
    isCut = closed.length === 0 && !isWhole;
    if (!isCut) calls.push({ name, ...taggedArguments(body, repair) });
  }
  return { calls, isCut };
}

function taggedArguments(
  body: string,
  repair: Repair,
): Pick<RawCall, "arguments" | "areTexts" | "broken"> {
  const [before = "", ...parts] = body.split(PARAMETER_TAG);
  if (parts.length === 0) {
    const { whole, open } = objectsIn(before, 1);
    const json = whole[0] ?? open;
    if (json === "") return { arguments: {} };
    const value = jsonFrom(json) ?? repair(json);
    return value === undefined ? { arguments: {}, broken: json } : { arguments: value };
  }
  const entries: [string, string][] = [];
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const [value = ""] = (parts[at + 1] ?? "").split("</parameter>");
    entries.push([parts[at] ?? "", withoutOuterBreaks(value)]);
  }
  return { arguments: Object.fromEntries(entries), areTexts: true };
}

/** The template puts a value on lines of its own. */
const withoutOuterBreaks = (value: string): string =>
  value.replace(/^\r?\n/, "").replace(/\r?\n[ \t]{0,100}$/, "");

/** A name, then keys and values in tags of their own, as models of GLM write them. */
function callByKeys(text: string): RawCall | null {
  const [name = "", ...pairs] = text.split("<arg_key>");
  if (pairs.length === 0 || !/^\s*[\w.-]{1,200}\s*$/.test(name)) return null;
  const entries = pairs.map((pair): [string, string] => {
    const [key = "", rest = ""] = pair.split("</arg_key>", 2);
    const [, value = ""] = rest.split("<arg_value>", 2);
    return [key.trim(), withoutOuterBreaks(value.split("</arg_value>", 1)[0] ?? "")];
  });
  return { name: name.trim(), arguments: Object.fromEntries(entries), areTexts: true };
}

interface FoundObjects {
  /** The text of each object that is not within another one. */
  readonly whole: readonly string[];
  /** An object at the end that is not closed; empty where there is none. */
  readonly open: string;
}

/** The objects in a text, also in lists that are never closed. */
function objectsIn(text: string, most: number): FoundObjects {
  const brackets = new Brackets();
  const whole: string[] = [];
  let from = -1;
  for (let at = 0; at < text.length && whole.length < most; at++) {
    brackets.step(text.charCodeAt(at));
    if (from === -1 && brackets.isInObject) from = at;
    if (from === -1 || brackets.isInObject) continue;
    whole.push(text.slice(from, at + 1));
    from = -1;
  }
  return { whole, open: from === -1 || whole.length === most ? "" : text.slice(from) };
}
