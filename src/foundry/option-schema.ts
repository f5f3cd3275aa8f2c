import * as z from "zod";
import {
  assertObject,
  type Bounds,
  ENDPOINT_ALLOWED,
  endpointFault,
  FoundryError,
  MOST_TEXTS,
  nonEmptyText,
  parseArguments,
  SECONDS,
  WHOLE_NUMBERS,
  wholeNumber,
} from "../lib/index.js";
import type { Logger } from "../log.js";
import { completionFields } from "./completion/index.js";
import type { FoundryClientOptions } from "./options.js";

const milliseconds = ({ min, max }: Bounds) => {
  const allowed = `a number of milliseconds from ${min * 1000} to ${max * 1000}`;
  return z
    .number(allowed)
    .min(min * 1000, allowed)
    .max(max * 1000, allowed)
    .optional();
};

const oneOrMore = (allowed: string) => z.int(allowed).min(1, allowed);

const boolean = z.boolean("true or false");

const LEVELS = ["trace", "debug", "info", "warn", "error"] as const;
const isLogger = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  LEVELS.every((level) => typeof Reflect.get(value, level) === "function");

/** Longest pause or time until a probe, in seconds. */
const PAUSE = { min: 0, max: 3600 };

/** {@link FoundryClientOptions}, with the bounds of the settings of the same meaning. */
export const optionFields = {
  endpoint: z
    .string(ENDPOINT_ALLOWED)
    .refine((text) => endpointFault(text.trim()) !== "not an endpoint", { error: ENDPOINT_ALLOWED })
    .optional(),
  discovery: z.enum(["auto", "declared"], "auto or declared").optional(),
  autostart: boolean.optional(),
  embedded: z.union([boolean, z.literal("auto")], "true, false or auto").optional(),
  cliPath: nonEmptyText("a path").optional(),
  downloadStallMs: milliseconds(SECONDS.downloadStall),
  apiKey: z.string("a string").optional(),
  headers: z
    .record(z.string(), z.string("a string"), 'an object of strings, such as {"X-Team":"research"}')
    .optional(),
  model: completionFields.model.optional(),
  maxTokens: wholeNumber(WHOLE_NUMBERS.maxTokens).optional(),
  timeoutMs: milliseconds(SECONDS.timeout),
  stallTimeoutMs: milliseconds(SECONDS.stallTimeout),
  loadTimeoutMs: milliseconds(SECONDS.loadTimeout),
  retry: z
    .strictObject(
      {
        retries: wholeNumber(WHOLE_NUMBERS.retries).optional(),
        initialPauseMs: milliseconds(PAUSE),
        maxPauseMs: milliseconds(PAUSE),
      },
      "an object such as { retries: 3 }",
    )
    .optional(),
  circuit: z
    .strictObject(
      {
        failures: wholeNumber({ min: 1, max: 1_000_000 }).optional(),
        probeAfterMs: milliseconds(PAUSE),
      },
      "an object such as { failures: 5 }",
    )
    .optional(),
  log: z.custom<Logger>(isLogger, "a pino logger, or an object with its methods").optional(),
} satisfies Record<keyof FoundryClientOptions, z.ZodType>;

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

export const callOptions = z.strictObject(callFields);

/** The options of a load, without those of the call. */
export const loadWishFields = {
  device: z.enum(["cpu", "gpu", "npu"], { error: "cpu, gpu or npu" }).optional(),
  download: boolean.optional(),
  force: boolean.optional(),
  idleSeconds: oneOrMore("a whole number of seconds, 1 or more").optional(),
};

export const loadOptions = z.strictObject({ ...callFields, ...loadWishFields });
export const unloadOptions = z.strictObject({
  ...callFields,
  device: loadWishFields.device,
  force: boolean.optional(),
});

export const embedOptions = z.strictObject({
  ...callFields,
  model: completionFields.model.optional(),
});
export const rankOptions = embedOptions.extend({
  limit: oneOrMore("a whole number, 1 or more").optional(),
});

const TEXTS = `a list of 1 to ${MOST_TEXTS} strings`;
/** Of a blank text some models make no vector, and others one that is near everything. */
const text = nonEmptyText("a string that is not blank");
export const textsArgument = z.object({
  texts: z.array(text, TEXTS).min(1, TEXTS).max(MOST_TEXTS, TEXTS),
});
export const queryArgument = textsArgument.extend({ query: text });

/** A name, and nothing else: callers in JavaScript are not stopped by types. */
export const modelArgument = z.object({ model: completionFields.model });

const WAIT = "a number of milliseconds, 0 or more";
export const withinMs = z.number(WAIT).min(0, WAIT).optional();
