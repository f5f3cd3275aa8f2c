import * as z from "zod";
import { MOST_MODELS_NAMED } from "./limits.js";
import { WHOLE_NUMBERS } from "./setting-values.js";

/** What the settings of a request may be: in a request, and in a route that has them. */

export const nonEmptyText = (what: string) =>
  z.string({ error: what }).refine((text) => text.trim() !== "", { error: what });

export const wholeNumber = (minimum: number, maximum: number) => {
  const error = `a whole number from ${minimum} to ${maximum}`;
  return z.number({ error }).int({ error }).min(minimum, { error }).max(maximum, { error });
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
const { min, max } = WHOLE_NUMBERS.maxTokens;

export const requestSettings = {
  system: nonEmptyText("a string that is not blank"),
  model: nonEmptyText(NAME),
  models: z.array(nonEmptyText(NAME), NAMES).min(1, NAMES).max(MOST_MODELS_NAMED, NAMES),
  temperature: numberFrom(0, 2),
  stop: z
    .array(stopString, { error: "a list of strings" })
    .min(1, { error: "at least one text" })
    .max(16, { error: "at most 16 strings" }),
  seed: wholeNumber(0, 2_147_483_647),
  maxTokens: wholeNumber(min, max),
  topP: numberFrom(0, 1),
  reasoning: z.enum(REASONING, { error: `one of ${REASONING.join(", ")}` }),
  reasoningBudget: wholeNumber(min, max),
};
