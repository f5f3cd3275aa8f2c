import * as z from "zod";
import {
  FoundryError,
  hasMoreValues,
  isMembers,
  jsonFrom,
  LONGEST_QUOTE,
  MOST_VALUES,
  meantName,
  type OtherNames,
  parseArguments,
  quoted,
  quotedNames,
} from "../lib/index.js";

/**
 * The names of other APIs for our arguments. An ignored one of these would change the answer. Only a
 * name that the tool has is meant.
 */
const OTHER_NAMES: OtherNames = {
  max_completion_tokens: "max_tokens",
  max_new_tokens: "max_tokens",
  max_output_tokens: "max_tokens",
  num_predict: "max_tokens",
  n_predict: "max_tokens",
  thinking_budget: "reasoning_budget",
  budget_tokens: "reasoning_budget",
  max_thinking_tokens: "reasoning_budget",
  thinking_budget_tokens: "reasoning_budget",
  thinking_token_budget: "reasoning_budget",
  model_name: "model",
  model_id: "model",
  stop_sequences: "stop",
  system_prompt: "system",
  schema: "response_schema",
  json_schema: "response_schema",
  output_schema: "response_schema",
  response_format: "response_schema",
  file_paths: "files",
  paths: "files",
  output_file: "write_to",
};

/** More names, by an argument that only some tools have or require. */
function otherNamesOf({ shape }: z.ZodObject): OtherNames {
  if (shape["completion_ids"] !== undefined) {
    return { ...OTHER_NAMES, id: "completion_ids", ids: "completion_ids" };
  }
  if (shape["completion_id"] !== undefined) {
    return { ...OTHER_NAMES, id: "completion_id", ids: "completion_id" };
  }
  const model: unknown = shape["model"];
  const needsModel = model !== undefined && !(model instanceof z.ZodOptional);
  return needsModel ? { ...OTHER_NAMES, name: "model", id: "model" } : OTHER_NAMES;
}

/**
 * Names that are taken for others, where the tool has those: names of other tools and of results, and `from`
 * as agents have to write it that call tools by Python.
 */
const TWINS: ReadonlyMap<string, string> = new Map([
  ["completion_id", "completion_ids"],
  ["completion_ids", "completion_id"],
  ["next_from", "from"],
  ["from_", "from"],
]);

/**
 * Validates the arguments of a tool as hosts send them. `null` is as absent; of an optional argument also
 * an empty string, an empty list, and 0 where 0 is not allowed: strict schemas make a model give all
 * arguments. A number, a boolean, a list or an object that came as a JSON string is taken for what it is,
 * where no string is allowed, and a list of one string or of text parts for that string. An unknown
 * argument is ignored with a warning, unless it is a misspelt one.
 *
 * @returns the arguments, and what was not taken of what the host sent: each warning is a sentence.
 * @throws FoundryError `INVALID_ARGUMENT`
 */
export function hostArguments<T extends z.ZodObject>(
  schema: T,
  sent: unknown,
): { readonly given: z.output<T>; readonly warnings: readonly string[] } {
  assertNoBatchId(schema, sent);
  const otherNames = otherNamesOf(schema);
  const unknown = new UnknownNames(otherNames);
  const given = valueFor(schema, sent, "", unknown);
  const ignored = quotedNames([...unknown.ignored]);
  const warnings = ignored === "" ? [] : [`Unknown arguments were ignored: ${ignored}.`];
  try {
    return { given: parseArguments(schema, given, { otherNames }), warnings };
  } catch (thrown) {
    throw withIgnored(thrown, warnings);
  }
}

/** An ignored argument may be the reason why another one is missing. */
export const withIgnored = (thrown: unknown, warnings: readonly string[]): unknown =>
  thrown instanceof FoundryError && thrown.code === "INVALID_ARGUMENT" && warnings.length > 0
    ? thrown.reworded({ message: [thrown.message, ...warnings].join(" ") })
    : thrown;

/** The tools for single completions refuse the id of a batch: the latest completions are no answer to it. */
function assertNoBatchId({ shape }: z.ZodObject, sent: unknown): void {
  const own = ["completion_ids", "completion_id"].find((name) => shape[name] !== undefined);
  if (own === undefined || !isMembers(sent)) return;
  const has = (name: string): boolean => Object.hasOwn(sent, name) && sent[name] !== null;
  if (has(own) || !has("batch_id")) return;
  throw new FoundryError("INVALID_ARGUMENT", 'There is no argument "batch_id".', {
    action: `Call complete_batch with batch_id to get the results of a batch, or with batch_id and cancel: true to cancel it. For one completion, give ${own}.`,
  });
}

/** Unknown names that were seen. Each comparison takes time, so the later ones are not compared. */
class UnknownNames {
  readonly #otherNames: OtherNames;
  readonly ignored = new Set<string>();
  readonly #compared = new Map<string, boolean>();

  constructor(otherNames: OtherNames) {
    this.#otherNames = otherNames;
  }

  /** Whether it is to be refused as a misspelt argument. */
  isMisspelt(name: string, known: readonly string[]): boolean {
    const key = `${known[0] ?? ""} ${name}`;
    const before = this.#compared.get(key);
    if (before !== undefined || this.#compared.size >= MOST_COMPARED) return before ?? false;
    const isMisspelt = meantName(name, known, this.#otherNames) !== null;
    this.#compared.set(key, isMisspelt);
    return isMisspelt;
  }
}

/** Lists whose elements a result names by their position. */
const POSITIONAL: ReadonlySet<string> = new Set(["texts"]);

/** Different unknown names in one call that are compared with the known ones. */
const MOST_COMPARED = 100;

function valueFor(schema: unknown, sent: unknown, path: string, unknown: UnknownNames): unknown {
  const given = schema instanceof z.ZodOptional ? schema.unwrap() : schema;
  const wanted = given instanceof z.ZodNullable ? given.unwrap() : given;
  const value = typeof sent === "string" ? fromText(wanted, sent) : sent;
  if (wanted instanceof z.ZodArray && Array.isArray(value)) {
    const { element: kind } = wanted;
    // The functions of `tools` are listed as strings, too.
    const isListedAsText = kind instanceof z.ZodString || kind instanceof z.ZodObject;
    const mayDrop = isListedAsText && !POSITIONAL.has(path);
    const elements = mayDrop ? value.filter((one) => one !== "") : value;
    return elements.map((element) => valueFor(kind, element, path, unknown));
  }
  if (wanted instanceof z.ZodString && Array.isArray(value)) return textOf(value, path) ?? value;
  if (wanted instanceof z.ZodUnion && Array.isArray(value)) return plainText(value) ?? value;
  if (!(wanted instanceof z.ZodObject) || !isMembers(value)) return value;
  const known = Object.keys(wanted.shape);
  const members = Object.entries(value).flatMap(([sent, member]): [string, unknown][] => {
    const own = path === "" ? sent : `${path}.${sent}`;
    const twin = known.includes(sent) ? undefined : TWINS.get(sent);
    const name = twin !== undefined && (value[twin] ?? null) === null ? twin : sent;
    if (known.includes(name)) {
      const taken = valueFor(wanted.shape[name], member, own, unknown);
      return isAbsent(wanted.shape[name], taken) ? [] : [[name, taken]];
    }
    if (member === null) return [];
    if (twin === undefined && unknown.isMisspelt(name, known)) return [[name, member]];
    unknown.ignored.add(own);
    return [];
  });
  return Object.fromEntries(members);
}

/** A schema-driven caller has to send something for each argument. */
const isEmpty = (value: unknown): boolean =>
  Array.isArray(value) ? value.length === 0 : isMembers(value) && Object.keys(value).length === 0;

function isAbsent(schema: unknown, value: unknown): boolean {
  if (value === null) return true;
  // What may be null has its own meaning where it is empty.
  if (!(schema instanceof z.ZodOptional) || schema.unwrap() instanceof z.ZodNullable) return false;
  if (value === 0) return !schema.safeParse(0).success;
  return value === "" || isEmpty(value);
}

/**
 * The text of a list of one string, or of the parts of a message: each begins a line, as with vLLM and
 * llama.cpp. `null` where it is neither.
 */
function textOf(parts: readonly unknown[], path: string): string | null {
  const other = parts.map(kindOf).find((kind) => kind !== null && kind !== "text");
  if (other !== undefined && other !== null) {
    throw new FoundryError(
      "INVALID_ARGUMENT",
      `${path} has a part of type ${quoted(other)}, but it is text only.`,
      { action: `Give ${path} as a string, or as parts of type "text", and images in messages.` },
    );
  }
  const texts = parts.map((part) => (isMembers(part) ? part["text"] : part));
  const isText = texts.every((text) => typeof text === "string");
  return isText && (parts.length === 1 || parts.some(isMembers)) ? texts.join("\n") : null;
}

/** The text of parts that are all text, where parts of other kinds may be given. */
const plainText = (parts: readonly unknown[]): string | null =>
  parts.every((part) => [null, "text"].includes(kindOf(part))) ? textOf(parts, "") : null;

function kindOf(part: unknown): string | null {
  const kind = isMembers(part) ? part["type"] : null;
  return typeof kind === "string" ? kind : null;
}

/** Where one of these is wanted, "null" is no value, but what a host made of `null`. */
const NOT_TEXT = [z.ZodNumber, z.ZodBoolean, z.ZodArray, z.ZodObject, z.ZodRecord, z.ZodEnum];

/** What a JSON string stands for where the schema wants another type than a string. */
function fromText(wanted: unknown, text: string): unknown {
  if (text.trim() === "null" && NOT_TEXT.some((type) => wanted instanceof type)) return null;
  if (wanted instanceof z.ZodNumber) {
    const number = text.length > LONGEST_QUOTE ? undefined : jsonFrom(text);
    return typeof number === "number" ? number : text;
  }
  if (wanted instanceof z.ZodBoolean) {
    // Python writes True and False.
    const word = text.length > LONGEST_QUOTE ? "" : text.trim().toLowerCase();
    return word === "true" || word === "false" ? word === "true" : text;
  }
  if (wanted instanceof z.ZodArray) {
    const list = bracketed(text, "[");
    if (Array.isArray(list)) return list;
    // A single string is a list of one, as in other APIs.
    return isOfStrings(wanted) && text !== "" ? [text] : text;
  }
  if (wanted instanceof z.ZodObject || wanted instanceof z.ZodRecord) {
    const object = bracketed(text, "{");
    return isMembers(object) ? object : text;
  }
  // An object or one of some words, listed as a string.
  if (wanted instanceof z.ZodUnion && !wanted.safeParse(text).success) {
    return bracketed(text, "{") ?? text;
  }
  return text;
}

/** Elements that are validated later name their type only in the listed schema. */
const isOfStrings = ({ element }: z.ZodArray): boolean =>
  element instanceof z.ZodString ||
  (element instanceof z.ZodUnknown && element.meta()?.["type"] === "string");

function bracketed(text: string, bracket: "[" | "{"): unknown {
  if (!text.trimStart().startsWith(bracket) || hasMoreValues(text, MOST_VALUES)) return undefined;
  return jsonFrom(text);
}
