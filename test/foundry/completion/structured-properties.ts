import fc from "fast-check";
import { DIALECTS } from "foundry-local-simulator";
import { expect } from "vitest";
import { FoundryError } from "../../../src/lib/errors.js";
import { clientOf, simulate } from "../fixtures.js";
import { ANSWERS, answerTo, anyShape } from "./schema-values.js";

/** A schema, and what a model answers to it: at first, and to each correction. */
const cases = anyShape.chain(({ schema, values, fits }) =>
  fc.record({
    schema: fc.constant(schema),
    fits: fc.constant(fits),
    value: values,
    answers: fc.array(
      fc.record({ kind: fc.constantFrom(...ANSWERS), other: fc.jsonValue({ maxDepth: 2 }) }),
      { minLength: 3, maxLength: 3 },
    ),
    maxTokens: fc.option(fc.integer({ min: 1, max: 12 }), { freq: 6, nil: 1000 }),
    dialect: fc.constantFrom(...DIALECTS),
  }),
);

/**
 * For generated schemas and answers, the value of a completion is valid by a check independent of the
 * client, or its error is `SCHEMA_MISMATCH`.
 */
export async function expectValuesOrMismatch(numRuns: number, seed: number): Promise<void> {
  let answers: string[] = [];
  const models = [
    {
      id: "writer-generic-cpu:1",
      loaded: true,
      script: () => ({ text: answers.shift() ?? "no answer" }),
    },
  ];
  const clients = new Map<string, ReturnType<typeof clientOf>>();
  for (const dialect of DIALECTS) {
    clients.set(dialect, clientOf((await simulate({ dialect, models })).url));
  }
  const outcomes = new Set<string>();
  const property = fc.asyncProperty(cases, async ({ schema, fits, value, ...given }) => {
    expect(fits(value)).toBe(true);
    const { maxTokens, dialect } = given;
    answers = given.answers.map(({ kind, other }) => answerTo(kind, value, other));
    const [first] = given.answers;
    const isClean = maxTokens === 1000 && (first?.kind === "valid" || first?.kind === "pretty");
    try {
      const completion = await clients
        .get(dialect)
        ?.complete({ prompt: "Go.", schema, maxTokens, model: "writer-generic-cpu:1" });
      expect(fits(completion?.data)).toBe(true);
      expect(JSON.parse(completion?.text ?? "")).toEqual(completion?.data);
      if (isClean) expect(completion).toMatchObject({ attempts: 1 });
      if (isClean) expect(completion?.data).toEqual(value);
      outcomes.add("value");
    } catch (thrown) {
      if (!(thrown instanceof FoundryError) || thrown.code !== "SCHEMA_MISMATCH") throw thrown;
      expect(isClean).toBe(false);
      outcomes.add(thrown.code);
    }
  });
  await fc.assert(property, { numRuns, seed, endOnFailure: true });
  expect(outcomes).toEqual(new Set(["value", "SCHEMA_MISMATCH"]));
}
