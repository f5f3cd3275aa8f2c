import * as z from "zod";
import { MOST_MODELS_NAMED } from "./limits.js";
import { type Bounds, WHOLE_NUMBERS } from "./setting-values.js";

/** What the settings of a request may be: in a request, and in a route that has them. */

export const nonEmptyText = (what: string) =>
  z.string({ error: what }).refine((text) => text.trim() !== "", { error: what });

/** @param or What else is allowed, in words. */
export const wholeNumber = ({ min, max }: Bounds, or = "") => {
  const error = `a whole number from ${min} to ${max}${or}`;
  return z.int(error).min(min, error).max(max, error);
};

const numberFrom = (minimum: number, maximum: number) => {
  const error = `a number from ${minimum} to ${maximum}`;
  return z.number({ error }).min(minimum, { error }).max(maximum, { error });
};

const stopString = z.string({ error: "strings" }).min(1, { error: "strings that are not empty" });

/** What becomes of the thinking of a model. */
const REASONING = ["omit", "include", "off"] as const;

const NAME = "an alias, a name or an id";
const NAMES = `a list of 1 to ${MOST_MODELS_NAMED} names of models`;

export const requestSettings = {
  system: nonEmptyText("a string that is not blank"),
  model: nonEmptyText(NAME),
  models: z.array(nonEmptyText(NAME), NAMES).min(1, NAMES).max(MOST_MODELS_NAMED, NAMES),
  temperature: numberFrom(0, 2),
  stop: z
    .array(stopString, { error: "a list of strings" })
    .min(1, { error: "at least one text" })
    .max(16, { error: "at most 16 strings" }),
  seed: wholeNumber({ min: 0, max: 2_147_483_647 }),
  maxTokens: wholeNumber(WHOLE_NUMBERS.maxTokens),
  topP: numberFrom(0, 1),
  reasoning: z.enum(REASONING, { error: `one of ${REASONING.join(", ")}` }),
  reasoningBudget: wholeNumber(WHOLE_NUMBERS.maxTokens),
};
