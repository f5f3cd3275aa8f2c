import fc from "fast-check";
import { z } from "zod";

export const oddText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.constantFrom("", "\u0000", "\ud800", "\udc00x", "\ufeff", "\r\n", "\u2028", "\u001b[2J"),
  fc.constantFrom("tiny-generic-cpu:1", "user", "Hello", "__proto__", "constructor"),
);
const oddNumber = fc.oneof(
  fc.constantFrom(0, -1, 1.5, 1e308, -0, 2 ** 53, -(2 ** 31), Number.MAX_SAFE_INTEGER),
  fc.integer({ max: 100 }),
);
export const leaf = fc.oneof(oddText, oddNumber, fc.boolean(), fc.constant(null));
/** Any JSON, with members that are known somewhere. */
export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 5, arbitrary: leaf },
  { weight: 2, arbitrary: fc.array(leaf, { maxLength: 6 }) },
  { weight: 2, arbitrary: fc.dictionary(fc.constantFrom("role", "content", "prompt"), leaf) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
);

/** As much of JSON Schema as the tools use. */
const schemaSchema = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  enum: z.array(z.unknown()).optional(),
  anyOf: z.array(z.unknown()).optional(),
  items: z.unknown().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
});

/** What fits a JSON schema, or nearly: each part of it is odd now and then. */
export function fitting(given: unknown): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 8, arbitrary: fittingOf(schemaSchema.parse(given)) },
    { weight: 1, arbitrary: oddValue },
  );
}

function fittingOf(schema: z.output<typeof schemaSchema>): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(fitting));
  const types = [schema.type ?? []].flat();
  return fc.oneof(...(types.length === 0 ? [oddValue] : types.map((type) => typed(type, schema))));
}

function typed(type: string, schema: z.output<typeof schemaSchema>): fc.Arbitrary<unknown> {
  const { minimum = 0, maximum = minimum + 60, items, properties = {} } = schema;
  switch (type) {
    case "string":
      return fc.oneof(oddText, fc.constant("tiny-generic-cpu:1"));
    case "integer":
      return fc.integer({ min: Math.ceil(minimum), max: Math.min(Math.floor(maximum), 60) });
    case "number":
      return fc.double({ min: minimum, max: maximum, noNaN: true });
    case "boolean":
      return fc.boolean();
    case "array":
      return fc.array(fitting(items ?? {}), { maxLength: 4 });
    case "object":
      return objectOf(properties);
    default:
      return fc.constant(null);
  }
}

function objectOf(properties: Record<string, unknown>): fc.Arbitrary<unknown> {
  const members = Object.entries(properties).map(([name, schema]) =>
    fc.option(
      fitting(schema).map((value) => [name, value] as const),
      { freq: 2 },
    ),
  );
  const strange = fc.oneof(
    { weight: 9, arbitrary: fc.constant(null) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom("__proto__", "toString", "signal", "x"), leaf),
    },
  );
  return fc
    .tuple(...members, strange)
    .map((all) => Object.fromEntries(all.filter((member) => member !== null)));
}
