import type { SimulatedModel } from "../../models/model.js";
import type { Switches } from "../../switches.js";
import { C2Error, LateError } from "./errors.js";
import type { ParsedJson } from "./nlohmann.js";
import { isObject } from "./shape.js";
import { sourceText } from "./source-lines.js";

/** Tokens of an answer for which neither the request nor the catalog names a number. */
export const DEFAULT_MAX_TOKENS = 2048;

/** What a request asks of the generation, as far as it is understood; the rest is ignored. */
export interface Sampling {
  readonly temperature: number | null;
  readonly topP: number | null;
  /** `null`: not given, or not written as a whole number. */
  readonly maxTokens: number | null;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A number of the request; one of another type counts as not given. */
export function numberOf(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

/** A whole number, written without a point: `2.0` counts as not given. */
export function integerOf(body: ParsedJson, key: string): number | null {
  const value = isObject(body.value) ? body.value[key] : null;
  return typeof value === "number" && !body.fractions.has(key) ? value : null;
}

/** The checks that come before the prompt is looked at. */
export function checkSampling(sampling: Sampling, switches: Switches): void {
  const { temperature, topP, metadata } = sampling;
  if (switches.temperatureRange === "checked" && outside(temperature, 2)) {
    throw new LateError(sourceText("temperature", switches), true);
  }
  if (outside(topP, 1)) throw new LateError(sourceText("topP", switches), true);
  for (const key of ["top_k", "random_seed"]) {
    const text = metadata[key];
    if (text !== undefined && !/^\s*[+-]?\d/.test(text)) throw new LateError("stoi", false);
  }
}

function outside(value: number | null, high: number): boolean {
  return value !== null && (value < 0 || value > high);
}

export interface Budget {
  readonly maxTokens: number;
  /** Whether reaching it is what finish_reason calls `length`. */
  readonly saysLength: boolean;
}

/** How long the answer may be. @throws {LateError} when it does not fit the context. */
export function budgetOf(
  sampling: Sampling,
  model: SimulatedModel,
  inputTokens: number,
  switches: Switches,
): Budget {
  const explicit = sampling.maxTokens ?? model.maxOutputTokens;
  if (explicit !== null && explicit < 1) {
    throw new LateError(sourceText("maxTokens", switches), true);
  }
  const maxTokens = explicit ?? DEFAULT_MAX_TOKENS;
  const total = inputTokens + maxTokens;
  if (total > model.contextLength) {
    throw new LateError(
      `${sourceText("overflow", switches)} request requires ${total} total tokens (${inputTokens} input + ${maxTokens} output), which exceeds the model's maximum context length of ${model.contextLength} tokens`,
      true,
    );
  }
  return { maxTokens, saysLength: explicit !== null || switches.defaultBudgetFinish === "length" };
}

/** @throws {C2Error} where the version refuses penalties other than 0. */
export function refusePenalties(body: Record<string, unknown>, switches: Switches): void {
  if (switches.penalties === "passed_on") return;
  const nonzero = ["frequency_penalty", "presence_penalty"].some((key) => numberOf(body[key]));
  if (!nonzero) return;
  throw new C2Error(
    400,
    "Unsupported parameter: nonzero frequency_penalty and presence_penalty are not supported",
  );
}
