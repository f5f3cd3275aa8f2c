/** `file.cc:68 virtual void fl::Type::Method(arguments) ` before the words of a C++ exception. */
const SOURCE_LOCATION =
  /(?:(?<![A-Za-z])[A-Za-z]:)?[\w./\\-]+\.(?:cc|cpp|cxx|h|hpp|cs):\d+\s+(?:[^()]*\((?:[^()]|\([^()]*\))*\)(?:\s*const\b)?(?:::<lambda\((?:[^()]|\([^()]*\))*\)>)?\s*)?/g;
/** Folders may have blanks in their names, a user's above all. */
const WINDOWS_PATH = /(?<![A-Za-z])[A-Za-z]:[\\/](?:[^\\/\r\n"'<>|:*?]+[\\/])+/g;
const UNIX_PATH =
  /(?<![\w/:.])\/(?:(?:home|Users)\/[^/\r\n"'<>:]+\/(?:[^/\s"'<>]+\/)*|(?:[^/\s"'<>]+\/)+)/g;
const LONGEST = 300;
/** Bounds what the expressions above have to search. */
const SEARCHED = 4000;

/**
 * A service's error message as a person can read it: without source locations, function signatures
 * and the folders of the service's disk, on one line, shortened. The unabridged text belongs in the
 * log (docs/foundry-local.md, section 5).
 *
 * @example
 * plainWords("Load failed: model.cc:59 fl::Model::Model(std::string) cannot read /home/u/m/past.onnx");
 * // "Load failed: cannot read past.onnx"
 */
export function plainWords(message: string): string {
  const words = message
    .slice(0, SEARCHED)
    .replace(SOURCE_LOCATION, "")
    .replace(WINDOWS_PATH, "")
    .replace(UNIX_PATH, "")
    .replace(/\s+/g, " ")
    .trim();
  return words.length > LONGEST ? `${words.slice(0, LONGEST).toWellFormed()}…` : words;
}
