import fc from "fast-check";

/** A schema, its values, and a check of values that knows nothing of JSON Schema. */
export interface Shape {
  readonly schema: Readonly<Record<string, unknown>>;
  readonly values: fc.Arbitrary<unknown>;
  readonly fits: (value: unknown) => boolean;
}

/** Names of members: of several scripts, with blanks, and inherited ones such as `toString`. */
const KEYS = [
  "name",
  "ключ",
  "名前",
  "a b",
  "größe",
  "💡",
  "constructor",
  "toString",
  "a/b~c",
  '"',
];
const WORDS = ["Åsa", "", "null", "5", "so } so", "a, b", "it's", "líne\nbreak", "模型", "{}"];

const isText = (value: unknown): value is string => typeof value === "string";
const isMembers = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const texts: fc.Arbitrary<Shape> = fc
  .record({ least: fc.nat(2), longest: fc.integer({ min: 4, max: 12 }) })
  .map(({ least, longest }) => ({
    schema: { type: "string", minLength: least, maxLength: longest },
    values: fc.oneof(
      fc.constantFrom(...WORDS.filter(({ length }) => length >= least && length <= longest)),
      fc.string({ minLength: least, maxLength: 4 }),
    ),
    fits: (value) => isText(value) && [...value].length >= least && [...value].length <= longest,
  }));

const integers: fc.Arbitrary<Shape> = fc
  .record({ from: fc.integer({ min: -50, max: 0 }), to: fc.integer({ min: 1, max: 1000 }) })
  .map(({ from, to }) => ({
    schema: { type: "integer", minimum: from, maximum: to },
    values: fc.integer({ min: from, max: to }),
    fits: (value) =>
      typeof value === "number" && Number.isInteger(value) && value >= from && value <= to,
  }));

const flags: fc.Arbitrary<Shape> = fc.constant({
  schema: { type: "boolean" },
  values: fc.boolean(),
  fits: (value) => typeof value === "boolean",
});

const nothing: fc.Arbitrary<Shape> = fc.constant({
  schema: { type: "null" },
  values: fc.constant(null),
  fits: (value) => value === null,
});

const enums: fc.Arbitrary<Shape> = fc
  .uniqueArray(fc.oneof(fc.constantFrom(...WORDS), fc.integer(), fc.constant(null)), {
    minLength: 1,
    maxLength: 4,
  })
  .map((allowed) => ({
    schema: allowed.length === 1 ? { const: allowed[0] } : { enum: allowed },
    values: fc.constantFrom(...allowed),
    fits: (value) => allowed.some((each) => each === value),
  }));

/** Each with a condition that all its values meet. */
const FORMATS = [
  ["date", ["2026-11-28", "2024-02-29"], /^\d{4}-\d\d-\d\d$/],
  ["email", ["a@example.com", "b.c@example.org"], /^[^\s@]+@[^\s@]+$/],
  ["ipv4", ["127.0.0.1", "10.0.0.255"], /^\d{1,3}(?:\.\d{1,3}){3}$/],
  ["uuid", ["123e4567-e89b-12d3-a456-426614174000"], /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i],
] as const;
const formats: fc.Arbitrary<Shape> = fc
  .constantFrom(...FORMATS)
  .map(([format, examples, condition]) => ({
    schema: { type: "string", format },
    values: fc.constantFrom(...examples),
    fits: (value) => isText(value) && condition.test(value),
  }));

const listOf = (item: Shape, least: number, most: number): Shape => ({
  schema: { type: "array", items: item.schema, minItems: least, maxItems: most },
  values: fc.array(item.values, { minLength: least, maxLength: most }),
  fits: (value) =>
    Array.isArray(value) &&
    value.length >= least &&
    value.length <= most &&
    value.every((each) => item.fits(each)),
});

interface Member {
  readonly shape: Shape;
  readonly isRequired: boolean;
}

function objectOf(members: ReadonlyMap<string, Member>, isClosed: boolean): Shape {
  const names = [...members.keys()];
  const required = names.filter((name) => members.get(name)?.isRequired === true);
  const properties = Object.fromEntries(
    [...members].map(([name, { shape }]) => [name, shape.schema]),
  );
  const optional = names.filter((name) => !required.includes(name));
  const fields = Object.fromEntries([...members].map(([name, { shape }]) => [name, shape.values]));
  return {
    schema: {
      type: "object",
      properties,
      required,
      ...(isClosed ? { additionalProperties: false } : {}),
    },
    values: fc
      .tuple(fc.record(fields), fc.subarray(optional))
      .map(([whole, kept]) =>
        Object.fromEntries(
          Object.entries(whole).filter(([name]) => required.includes(name) || kept.includes(name)),
        ),
      ),
    fits: (value) =>
      isMembers(value) &&
      required.every((name) => Object.hasOwn(value, name)) &&
      Object.entries(value).every(
        ([name, each]) => members.get(name)?.shape.fits(each) ?? !isClosed,
      ),
  };
}

const choiceOf = (keyword: "oneOf" | "anyOf", shapes: readonly Shape[]): Shape => {
  const fitting = (value: unknown) => shapes.filter(({ fits }) => fits(value)).length;
  const fits = (value: unknown): boolean =>
    keyword === "anyOf" ? fitting(value) > 0 : fitting(value) === 1;
  return {
    schema: { [keyword]: shapes.map(({ schema }) => schema) },
    values: fc.oneof(...shapes.map(({ values }) => values)).filter(fits),
    fits,
  };
};

const DEFINITION = "a/b";

function shapes(depth: number, shared: Shape): fc.Arbitrary<Shape> {
  const reference = { ...shared, schema: { $ref: "#/$defs/a~1b" } };
  const leaves = fc.oneof(texts, integers, flags, nothing, enums, formats, fc.constant(reference));
  if (depth === 0) return leaves;
  const inner = shapes(depth - 1, shared);
  const lists = fc
    .record({ item: inner, least: fc.nat(1), more: fc.nat(2) })
    .map(({ item, least, more }) => listOf(item, least, least + more));
  const objects = fc
    .record({
      entries: fc.uniqueArray(
        fc.tuple(fc.constantFrom(...KEYS), fc.record({ shape: inner, isRequired: fc.boolean() })),
        { maxLength: 4, selector: ([name]) => name },
      ),
      isClosed: fc.boolean(),
    })
    .map(({ entries, isClosed }) => objectOf(new Map(entries), isClosed));
  // Different types, so that no value fits two of them.
  const choices = fc
    .tuple(fc.constantFrom("oneOf", "anyOf"), fc.tuple(texts, integers, lists))
    .map(([keyword, all]) => choiceOf(keyword, all));
  return fc.oneof(
    { weight: 1, arbitrary: leaves },
    { weight: 2, arbitrary: lists },
    { weight: 4, arbitrary: objects },
    { weight: 1, arbitrary: choices },
  );
}

/** Nested objects, lists, enums, choices, references and formats. */
export const anyShape: fc.Arbitrary<Shape> = fc.oneof(texts, integers, enums).chain((shared) =>
  shapes(2, shared).map((shape) => ({
    ...shape,
    schema: { ...shape.schema, $defs: { [DEFINITION]: shared.schema } },
  })),
);

/** A value as a small model would write it. */
export const ANSWERS = [
  "valid",
  "pretty",
  "nearly valid",
  "of a wrong type",
  "fenced",
  "chatty",
  "truncated",
  "never valid",
] as const;
export type AnswerKind = (typeof ANSWERS)[number];

/** @param other Any value. */
export function answerTo(kind: AnswerKind, value: unknown, other: unknown): string {
  const json = JSON.stringify(value);
  switch (kind) {
    case "valid":
      return json;
    case "pretty":
      return `\n${JSON.stringify(value, null, 2)}\n`;
    case "nearly valid":
      return json.replace(/([}\]])$/, ",$1").replace(/"(\w+)":/g, "$1:");
    case "of a wrong type":
      return JSON.stringify(other);
    case "fenced":
      return `Here:\n\`\`\`json\n${json}\n\`\`\`\n`;
    case "chatty":
      return `Sure! ${json} That is it.`;
    case "truncated":
      return json.slice(0, Math.ceil(json.length / 2));
    case "never valid":
      return "I am sorry, but { I cannot do that.";
  }
}
