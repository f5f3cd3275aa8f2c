import { Ajv, type ErrorObject, type FuncKeywordDefinition, type Options, str } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { FoundryError, MOST_COMPLAINTS, printable } from "../../lib/index.js";
import { invalidSchema, type JsonSchema } from "./json-schema.js";

/** What is wrong with a value by a schema, each a line in words; empty where it fits. */
export type SchemaCheck = (value: unknown) => string[];

/**
 * The standard has patterns read as Unicode. Many are written for other engines, with escapes that
 * JavaScript knows only without it, such as `\\-`.
 */
function patternOf(pattern: string, flags: string): RegExp {
  try {
    return new RegExp(pattern, flags);
  } catch {
    return new RegExp(pattern);
  }
}

const OPTIONS: Options = {
  allErrors: true,
  // Schemas of other tools have members of their own.
  strict: false,
  // A member may be called as one that each object inherits, such as `constructor`.
  ownProperties: true,
  logger: false,
  // A definition that is referred to many times would be compiled as often.
  inlineRefs: false,
  code: { regExp: Object.assign(patternOf, { code: "new RegExp" }) },
};

/**
 * Whether it may be draft-07, which differs in `items` and `$ref`, the likeliest first. It is used where the schema says
 * so, and where only draft-07 allows it: some libraries write the `items` of a tuple as a list, and do not name a draft.
 */
function draftsOf(schema: JsonSchema): readonly boolean[] {
  const { $schema } = schema;
  if (typeof $schema === "string" && /draft-0[67]/.test($schema)) return [true];
  return JSON.stringify(schema).includes('"items":[') ? [false, true] : [false];
}

/** In binary fractions 19.99 is no multiple of 0.01; such a quotient misses the whole number by its last digits. */
const MULTIPLE: FuncKeywordDefinition = {
  keyword: "multipleOf",
  type: "number",
  schemaType: "number",
  validate: (step: number, value: number) => {
    const quotient = value / step;
    return Math.abs(Math.round(quotient) - quotient) <= 4 * Number.EPSILON * Math.abs(quotient);
  },
  error: { message: ({ schemaCode }) => str`must be multiple of ${schemaCode}` },
};

/** With a schema of its own: an instance keeps each schema that it compiled. */
const validatorOf = (isOld: boolean, options: Options) => {
  const ajv = isOld ? new Ajv(options) : new Ajv2020(options);
  formats.default(ajv);
  ajv.removeKeyword(MULTIPLE.keyword.toString()).addKeyword(MULTIPLE);
  return ajv;
};

type Validator = ReturnType<typeof validatorOf>;

/** They compile the schema of schemas once, which takes longer than most schemas, and keep no other. */
const schemaValidators = new Map<boolean, Validator>();

function schemaValidatorOf(isOld: boolean): Validator {
  const known = schemaValidators.get(isOld);
  if (known !== undefined) return known;
  const made = validatorOf(isOld, OPTIONS);
  // Kept only when that is done: one whose compilation a time limit ended could never be used again.
  void made.validateSchema({});
  schemaValidators.set(isOld, made);
  return made;
}

/** Compiles what {@link schemaCheck} of a schema needs besides that schema. */
export const prepareCheck = (schema: JsonSchema): void => {
  for (const isOld of draftsOf(schema)) schemaValidatorOf(isOld);
};

/**
 * The check of values by a schema.
 *
 * @throws FoundryError `INVALID_ARGUMENT` where it is no valid schema, or refers to another document.
 */
export function schemaCheck(schema: JsonSchema): SchemaCheck {
  try {
    // With `$async` the result of a check would be a promise.
    const { $schema: _draft, $async: _async, ...rest } = schema;
    const drafts = draftsOf(schema);
    const isOld = drafts.find((draft) => schemaValidatorOf(draft).validateSchema(rest) === true);
    if (isOld === undefined) {
      const errors = drafts.slice(0, 1).flatMap((draft) => schemaValidatorOf(draft).errors ?? []);
      throw invalidSchema(complaintsOf(errors).join("; "));
    }
    const validate = validatorOf(isOld, { ...OPTIONS, validateSchema: false }).compile(rest);
    return (value) => (isValid(validate, value) ? [] : complaintsOf(validate.errors ?? []));
  } catch (thrown) {
    if (thrown instanceof FoundryError) throw thrown;
    if (thrown instanceof RangeError) throw invalidSchema("it is too large or nested too deeply");
    const reason = thrown instanceof Error ? thrown.message : "";
    throw invalidSchema(printable(reason, 300));
  }
}

/** Values are not deep, so only the schema can exhaust the stack. */
function isValid(validate: (value: unknown) => boolean, value: unknown): boolean {
  try {
    return validate(value);
  } catch (thrown) {
    if (thrown instanceof RangeError) {
      throw invalidSchema("it refers to itself without an end, or is nested too deeply");
    }
    throw thrown;
  }
}

function complaintsOf(errors: readonly ErrorObject[]): string[] {
  const lines = new Set(errors.map(complaintOf));
  const first = [...lines].slice(0, MOST_COMPLAINTS);
  const more = lines.size - first.length;
  return more > 0 ? [...first, `and ${more} more`] : first;
}

function complaintOf({ instancePath, message = "does not fit", params, keyword }: ErrorObject) {
  const where = instancePath === "" ? "the value" : pathOf(instancePath);
  const name = "additionalProperty" in params ? ` (${String(params["additionalProperty"])})` : "";
  const allowed =
    keyword === "enum"
      ? `: ${JSON.stringify(params["allowedValues"])}`
      : keyword === "const"
        ? `: ${JSON.stringify(params["allowedValue"])}`
        : "";
  return printable(`${where} ${message}${name}${allowed}`, 200);
}

/** `/items/0/name` as `items[0].name`. */
const pathOf = (pointer: string): string =>
  pointer
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part, index) => (/^\d+$/.test(part) ? `[${part}]` : index === 0 ? part : `.${part}`))
    .join("");
