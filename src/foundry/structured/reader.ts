import { FoundryError, formatDuration, LONGEST_CHECK_MS, withinTime } from "../../lib/index.js";
import type { Extracted } from "./extract.js";
import { invalidSchema, type JsonSchema } from "./json-schema.js";
import type { SchemaCheck } from "./schema.js";

/**
 * Reads the value out of the text of an answer.
 *
 * @param isWhole `false`: the answer was cut off, so that its end is not known.
 * @throws FoundryError `SCHEMA_MISMATCH` where the check takes too long; `INVALID_ARGUMENT` where the
 *   schema turns out to be none.
 */
export type ValueReader = (text: string, isWhole: boolean) => Extracted;

/**
 * The reader of answers to requests with this schema. The validator is loaded with the first one: few
 * calls have a schema, and it is large.
 *
 * @throws FoundryError `INVALID_ARGUMENT` where it is no valid schema.
 */
export async function loadReader(schema: JsonSchema): Promise<ValueReader> {
  const [check, { extracted }] = await Promise.all([compiled(schema), import("./extract.js")]);
  return (text, isWhole) => inTime(() => extracted(text, check, isWhole));
}

/**
 * The check of values by this schema. It throws as {@link ValueReader} does.
 *
 * @throws FoundryError `INVALID_ARGUMENT` where it is no valid schema.
 */
export async function loadCheck(schema: JsonSchema): Promise<SchemaCheck> {
  const check = await compiled(schema);
  return (value) => inTime(() => check(value));
}

/**
 * Makes values of what is nearly JSON, for the calls of one answer; `undefined` where a text is none, or the
 * repairs have taken too long.
 */
export async function loadRepair(): Promise<(text: string) => unknown> {
  const { repaired } = await import("./extract.js");
  // An answer may have many broken calls: the limit is for all of them together.
  let leftMs = LONGEST_CHECK_MS;
  return (text) => {
    if (leftMs < 1) return undefined;
    const before = process.cpuUsage();
    const found = withinTime(Math.ceil(leftMs), () => repaired(text));
    const { user, system } = process.cpuUsage(before);
    leftMs -= (user + system) / 1000;
    return found?.value;
  };
}

async function compiled(schema: JsonSchema): Promise<SchemaCheck> {
  const { prepareCheck, schemaCheck } = await import("./schema.js");
  // Without a limit, which a busy machine would exceed: it is the same for all schemas.
  prepareCheck(schema);
  const found = withinTime(LONGEST_CHECK_MS, () => schemaCheck(schema));
  if (found !== null) return found.value;
  const limit = formatDuration(LONGEST_CHECK_MS);
  throw invalidSchema(`it is so large that it cannot be compiled within ${limit}`);
}

function inTime<T>(work: () => T): T {
  const found = withinTime(LONGEST_CHECK_MS, work);
  if (found !== null) return found.value;
  throw new FoundryError(
    "SCHEMA_MISMATCH",
    `The answer could not be checked by the schema within ${formatDuration(LONGEST_CHECK_MS)}.`,
    {
      action:
        'Simplify each "pattern" of the schema that repeats a repetition, such as "(a+)+", and leave out "uniqueItems".',
    },
  );
}

/** A note where a value has a whole number that JavaScript may have rounded, such as an id of 19 digits. */
export const roundedNotes = (value: unknown): string[] => (mayBeRounded(value) ? [ROUNDED] : []);

const ROUNDED = `The model gave a whole number beyond ±${Number.MAX_SAFE_INTEGER}, whose last digits may be wrong here. If they count, make it a string in the schema.`;

/** From here on, JavaScript writes a number with an exponent. */
const LARGEST = 1e21;
/** A number with so many zeros at its end is a measure, and no id. */
const MEASURE = /0{6}$/;

function mayBeRounded(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.values(value).some(mayBeRounded);
  if (typeof value !== "number" || Number.isSafeInteger(value)) return false;
  return Number.isInteger(value) && Math.abs(value) < LARGEST && !MEASURE.test(String(value));
}
