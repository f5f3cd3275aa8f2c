import { LateError } from "./errors.js";

const NORMALIZE =
  "fl::{anonymous}::NormalizeStopStringsImpl(const nlohmann::json_abi_v3_11_3::json&, size_t, bool, const char*)";
const VECTOR =
  "std::vector<std::__cxx11::basic_string<char>, std::allocator<std::__cxx11::basic_string<char> > >";
const LAMBDA = `${NORMALIZE}::<lambda(std::string, std::string)>`;
const MAX_STRINGS = 4;
const MAX_BYTES = 16_384;

/** `stop` as a list. @throws {LateError} where the newer versions refuse it. */
export function stopStrings(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (typeof value === "string") return bounded([checked(value, "stop")]);
  if (!Array.isArray(value)) throw mistake(70, VECTOR, "stop must be a string or array of strings");
  if (value.length > MAX_STRINGS) {
    throw mistake(56, VECTOR, `stop supports at most ${MAX_STRINGS} strings`);
  }
  const strings = value.map((item: unknown, index) => {
    if (typeof item === "string") return checked(item, `stop[${index}]`);
    throw mistake(62, VECTOR, `stop[${index}] must be a string`);
  });
  return bounded(strings);
}

function checked(text: string, name: string): string {
  if (text === "") throw lambda(27, `${name} must not be empty`);
  if (text.includes("\0")) throw lambda(31, `${name} must not contain embedded NUL bytes`);
  return text;
}

function bounded(strings: string[]): string[] {
  if (Buffer.byteLength(strings.join("")) <= MAX_BYTES) return strings;
  throw mistake(80, VECTOR, `stop strings must total at most ${MAX_BYTES} UTF-8 bytes`);
}

function mistake(line: number, type: string, message: string): LateError {
  return new LateError(`stop_strings.cc:${line} ${type} ${NORMALIZE} ${message}`, true);
}

function lambda(line: number, message: string): LateError {
  return new LateError(`stop_strings.cc:${line} ${LAMBDA} ${message}`, true);
}
