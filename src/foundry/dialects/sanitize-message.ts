import { SEARCHED_OF_MESSAGE, truncate, withoutAnsi } from "../../lib/index.js";

/** `file.cc:68 ` before the message of a C++ exception. */
const SOURCE_LOCATION = /(?<![\w./\\-])(?:[A-Za-z]:)?[\w./\\-]+\.(?:cc|cpp|cxx|h|hpp|cs):\d+\s+/g;
/** `virtual void fl::Type::Method(arguments) ` behind it. */
const SIGNATURE =
  /^[^()]*\((?:[^()]|\([^()]*\))*\)(?:\s*const\b)?(?:::<lambda\((?:[^()]|\([^()]*\))*\)>)?\s*/;
/** A bound on the search after each location, so that many of them do not take quadratic time. */
const LONGEST_SIGNATURE = 600;
/** Locations in other languages, and those that are followed by a colon: `ggml-cuda.cu:86: `. */
const OTHER_LOCATION =
  /\(?(?<![\w./\\-])(?:[A-Za-z]:)?[\w./\\-]+\.(?:py|pyx|go|rs|js|ts|java|cs|cc|cpp|c|cuh?|h|hpp|mm?):(?:line )?\d+(?::\d+)?\)?(?::\s+|\s*)/g;
/** `File "server.py", line 12, in serve` of Python, ` at Type.Method(arguments) in file` of .NET. */
const STACK_FRAME =
  /\bFile "[^"]{1,300}", line \d+(?:, in \S+)?|(?<!\s)\s+at [\w`<>[\],]+\.[\w.`<>[\],]+\([^()]{0,300}\)(?: in [^:]{0,300}(?::[^:]{0,300})?:line \d+)?|(?<!\s)\s*#\d{1,3}\s+0x[\da-f]+[^#]{0,300}/gi;
/** Names of exceptions before their message: `ValueError: `, `Namespace.TypeException: `, C++'s own. */
const EXCEPTION =
  /(?<![\w.])(?:[A-Za-z_]\w{0,60}\.){0,8}[A-Z]\w{0,60}(?:Error|Exception): (?=\S)|\bterminate called after throwing an instance of\b(?:\s{1,9}'[^'\n]{0,200}')?|\bwhat\(\): {0,2}/g;
const QUALIFIED_NAME =
  /(?<!\w)(?:[A-Za-z_]\w*::){1,8}~?[A-Za-z_]\w*(?:<[^<>]{0,100}>)?(?:\([^()]{0,300}\))?\s*/g;
/** Names of folders may contain spaces. */
const WINDOWS_PATH =
  /(?:(?<![A-Za-z])[A-Za-z]:|(?<![\w\\])\\\\[^\\/\s]+|%\w+%)[\\/](?:[^\\/\r\n"'<>|:*?]+[\\/])*(?![\\/])/g;
const UNIX_PATH =
  /(?<![\w/.])(?:file:\/\/(?=\/))?(?:~\/(?:[^/\s"'<>]+\/)*|\/(?:(?:home|Users)\/[^/\r\n"'<>:]+\/(?:[^/\s"'<>]+\/)*|(?:[^/\s"'<>]+\/)+))/g;
const LONGEST = 300;

/**
 * A service's error message for people: without source locations, names of exceptions, stack traces
 * and the folders of the service's disk, on one line, shortened. The whole text belongs in the
 * log (docs/foundry-local.md, section 5).
 *
 * @example
 * sanitizeMessage("Load failed: model.cc:59 fl::Model::Model(std::string) cannot read /home/u/m/past.onnx");
 * // "Load failed: cannot read past.onnx"
 */
export function sanitizeMessage(message: string): string {
  const text = withoutTraceback(withoutAnsi(truncate(message, SEARCHED_OF_MESSAGE)));
  const clean = withoutLocations(text)
    .replace(STACK_FRAME, "")
    .replace(EXCEPTION, "")
    .replace(OTHER_LOCATION, "")
    .replace(QUALIFIED_NAME, "")
    .replace(WINDOWS_PATH, "")
    .replace(UNIX_PATH, "")
    .replace(/\s+/g, " ")
    .trim();
  return clean.length > LONGEST ? `${truncate(clean, LONGEST)}…` : clean;
}

export const hasWords = (text: string): boolean => /[\p{L}\p{N}]/u.test(text);

/** The words of a service as a sentence behind a blank; empty where nothing is left to show. */
export function saidBy(message: string): string {
  const words = sanitizeMessage(message);
  return hasWords(words) ? ` It said: ${words}` : "";
}

/** Of a Python traceback only its last line, which has the message. */
function withoutTraceback(text: string): string {
  const start = text.indexOf("Traceback (most recent call last)");
  if (start === -1) return text;
  const last = [...text.slice(start).matchAll(/(?:\w+\.)*\w*(?:Error|Exception): /g)].at(-1);
  return text.slice(0, start) + (last === undefined ? "" : text.slice(start + last.index));
}

function withoutLocations(text: string): string {
  let kept = "";
  let at = 0;
  for (const { 0: location, index } of text.matchAll(SOURCE_LOCATION)) {
    // This location is part of the previous signature.
    if (index < at) continue;
    kept += text.slice(at, index);
    at = index + location.length;
    at += SIGNATURE.exec(text.slice(at, at + LONGEST_SIGNATURE))?.[0].length ?? 0;
  }
  return kept + text.slice(at);
}
