import * as z from "zod";
import {
  type Bounds,
  ENDPOINT_ALLOWED,
  endpointFault,
  SECONDS,
  WHOLE_NUMBERS,
} from "../lib/index.js";
import type { Logger } from "../log.js";
import type { FoundryClientOptions } from "./options.js";

const nonEmpty = (what: string) =>
  z.string(what).refine((text) => text.trim() !== "", { error: what });

const milliseconds = ({ min, max }: Bounds) => {
  const allowed = `a number of milliseconds from ${min * 1000} to ${max * 1000}`;
  return z
    .number(allowed)
    .min(min * 1000, allowed)
    .max(max * 1000, allowed)
    .optional();
};

/** @param or What else is allowed, in words. */
export const wholeNumber = ({ min, max }: Bounds, or = "") => {
  const allowed = `a whole number from ${min} to ${max}${or}`;
  return z.int(allowed).min(min, allowed).max(max, allowed);
};

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
  cliPath: nonEmpty("a path").optional(),
  downloadStallMs: milliseconds(SECONDS.downloadStall),
  apiKey: z.string("a string").optional(),
  headers: z
    .record(z.string(), z.string("a string"), 'an object of strings, such as {"X-Team":"research"}')
    .optional(),
  model: nonEmpty("an alias, a name or an id").optional(),
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
