import { expect, it } from "vitest";
import { loadReader } from "../../../src/foundry/structured/index.js";

it.each([
  ["a pattern that backtracks", { pattern: "^(a+)+$" }, `"${"a".repeat(60)}!"`],
  [
    "a pattern for names",
    { patternProperties: { "^(x+x+)+y$": true } },
    `{"${"x".repeat(60)}": 1}`,
  ],
  [
    "references that double at each step",
    {
      $defs: Object.fromEntries(
        Array.from({ length: 60 }, (_, step) => [
          `s${step}`,
          step === 59
            ? { type: "object" }
            : { allOf: [{ $ref: `#/$defs/s${step + 1}` }, { $ref: `#/$defs/s${step + 1}` }] },
        ]),
      ),
      $ref: "#/$defs/s0",
    },
    "{}",
  ],
  [
    "unique items of a long list",
    { uniqueItems: true },
    JSON.stringify(Array.from({ length: 20_000 }, (_, at) => ({ at }))),
  ],
])(
  "a schema that is expensive to check does not block the process: %s",
  async (_what, schema, answer) => {
    const read = await loadReader(schema);

    expect(() => read(answer, true)).toThrow("could not be checked by the schema within 1 s");
  },
);
