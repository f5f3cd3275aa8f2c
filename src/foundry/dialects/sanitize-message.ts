import { SEARCHED_OF_MESSAGE, truncate } from "../../lib/index.js";

/** `file.cc:68 ` before the message of a C++ exception. */
const SOURCE_LOCATION = /(?<![\w./\\-])(?:[A-Za-z]:)?[\w./\\-]+\.(?:cc|cpp|cxx|h|hpp|cs):\d+\s+/g;
/** `virtual void fl::Type::Method(arguments) ` behind it. */
const SIGNATURE =
  /^[^()]*\((?:[^()]|\([^()]*\))*\)(?:\s*const\b)?(?:::<lambda\((?:[^()]|\([^()]*\))*\)>)?\s*/;
/** A bound on the search after each location, so that many of them do not take quadratic time. */
const LONGEST_SIGNATURE = 600;
/** Names of folders may contain spaces. */
const WINDOWS_PATH = /(?<![A-Za-z])[A-Za-z]:[\\/](?:[^\\/\r\n"'<>|:*?]+[\\/])+/g;
const UNIX_PATH =
  /(?<![\w/:.])\/(?:(?:home|Users)\/[^/\r\n"'<>:]+\/(?:[^/\s"'<>]+\/)*|(?:[^/\s"'<>]+\/)+)/g;
const LONGEST = 300;

/**
 * A service's error message for people: without source locations, function signatures
 * and the folders of the service's disk, on one line, shortened. The whole text belongs in the
 * log (docs/foundry-local.md, section 5).
 *
 * @example
 * sanitizeMessage("Load failed: model.cc:59 fl::Model::Model(std::string) cannot read /home/u/m/past.onnx");
 * // "Load failed: cannot read past.onnx"
 */
export function sanitizeMessage(message: string): string {
  const clean = withoutLocations(message.slice(0, SEARCHED_OF_MESSAGE))
    .replace(WINDOWS_PATH, "")
    .replace(UNIX_PATH, "")
    .replace(/\s+/g, " ")
    .trim();
  return clean.length > LONGEST ? `${truncate(clean, LONGEST)}…` : clean;
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
