import { z } from "zod";

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
export const optionsOf = <T extends z.ZodRawShape>(shape: T) =>
  z.strictObject(shape, {
    error: (issue) => (issue.code === "invalid_type" ? "Options are an object" : undefined),
  });

export const signalOption = { signal: signal.optional() };
export const callFields = { ...signalOption, onStatus: listener.optional() };

export const callOptions = optionsOf(callFields);
export const streamOptions = optionsOf({ ...callFields, id: z.string().optional() });

/** What is wished of a load, without whose call it is. */
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
export const unloadOptions = optionsOf({ ...callFields, force: flag.optional() });

const WAIT = "a number of milliseconds, 0 or more";
export const withinMs = z.number(WAIT).min(0, WAIT).optional();
