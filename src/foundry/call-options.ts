import * as z from "zod";
import { FoundryError, MOST_TEXTS, parseArguments } from "../lib/index.js";
import { completionFields } from "./completion/index.js";

/** The options that a call takes besides its arguments, each with what is allowed. */

const isSignal = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  typeof Reflect.get(value, "aborted") === "boolean" &&
  typeof Reflect.get(value, "addEventListener") === "function";

/** By what it can do, not by its class: that of another realm or a polyfill is as good. */
const signal = z.custom<AbortSignal>(isSignal, "an AbortSignal");

/** A function, for options that are listeners. */
export const listener = z.custom<(news: never) => void>(
  (value) => typeof value === "function",
  "a function",
);

const flag = z.boolean("true or false");

/** A schema of options: those that there are and no others. */
export const optionsOf = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape);

/** What other clients call the options of a call. */
const CALL_NAMES = { timeout: "signal", timeoutMs: "signal", abortSignal: "signal" };

interface OptionWords {
  /** Of options that are none, the advice shows this. Default: `{ signal }`. */
  readonly example?: string;
  readonly secrets?: ReadonlySet<string>;
  readonly otherNames?: Readonly<Record<string, string>>;
}

/** @throws FoundryError `INVALID_ARGUMENT` for options that `schema` does not allow. */
export function checkOptions(
  schema: z.ZodType,
  options: unknown,
  { example = "{ signal }", ...words }: OptionWords = {},
): void {
  assertObject("The options are", options, `Give the options as an object such as ${example}.`);
  // A signal has no enumerable members, so the schema would accept it as empty options.
  if (isSignal(options)) {
    throw new FoundryError("INVALID_ARGUMENT", "The options are an AbortSignal.", {
      action: "Give the signal as an option: { signal }.",
    });
  }
  parseArguments(schema, options, { noun: "option", otherNames: CALL_NAMES, ...words });
}

/**
 * Refuses a value that is not an object. The message of a schema would be the text of a parser.
 *
 * @param what Begins the sentence: "The request is".
 */
export function assertObject(what: string, value: unknown, action: string): void {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  const kind = Array.isArray(value) ? "a list" : value === null ? "null" : KINDS[typeof value];
  const problem = value === undefined ? "missing" : `${kind} and not an object`;
  throw new FoundryError("INVALID_ARGUMENT", `${what} ${problem}.`, { action });
}

const KINDS = {
  undefined: "undefined",
  object: "an object",
  function: "a function",
  boolean: "a boolean",
  number: "a number",
  bigint: "a bigint",
  string: "a string",
  symbol: "a symbol",
} as const;

export const signalOption = { signal: signal.optional() };
const traceMember = z.string("a string").optional();
export const traceOption = {
  trace: z
    .object(
      { id: traceMember, traceparent: traceMember, tracestate: traceMember },
      "an object such as { traceparent }",
    )
    .optional(),
};
const callFields = { ...signalOption, ...traceOption, onStatus: listener.optional() };

export const callOptions = optionsOf(callFields);
export const streamOptions = optionsOf({ ...callFields, id: z.string("a string").optional() });

/** The options of a load, without those of the call. */
export const loadWishFields = {
  device: z.enum(["cpu", "gpu", "npu"], { error: "cpu, gpu or npu" }).optional(),
  download: flag.optional(),
  force: flag.optional(),
  idleSeconds: z
    .int("a whole number of seconds, 1 or more")
    .min(1, "a whole number of seconds, 1 or more")
    .optional(),
};

export const loadOptions = optionsOf({ ...callFields, ...loadWishFields });
export const unloadOptions = optionsOf({
  ...callFields,
  device: loadWishFields.device,
  force: flag.optional(),
});

export const embedOptions = optionsOf({ ...callFields, model: completionFields.model.optional() });
const TOP = "a whole number, 1 or more";
export const rankOptions = embedOptions.extend({ limit: z.int(TOP).min(1, TOP).optional() });

const TEXTS = `a list of 1 to ${MOST_TEXTS} strings`;
/** Of a blank text some models make no vector, and others one that is near everything. */
const text = z.string("a string that is not blank").refine((each) => each.trim() !== "", {
  error: "a string that is not blank",
});
export const textsArgument = z.object({
  texts: z.array(text, TEXTS).min(1, TEXTS).max(MOST_TEXTS, TEXTS),
});
export const queryArgument = textsArgument.extend({ query: text });

/** A name, and nothing else: callers in JavaScript are not stopped by types. */
export const modelArgument = z.object({ model: completionFields.model });

const WAIT = "a number of milliseconds, 0 or more";
export const withinMs = z.number(WAIT).min(0, WAIT).optional();
