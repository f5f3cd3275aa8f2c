import { expect, it } from "vitest";
import { schemaCheck } from "../../../src/foundry/structured/schema.js";
import { withinTime } from "../../../src/lib/index.js";

it("compiles a schema after time limits ended earlier compilations", () => {
  for (const limitMs of [1, 2, 4, 8, 16, 32]) {
    withinTime(limitMs, () => schemaCheck({ type: "object" }));
  }
  expect(schemaCheck({ type: "integer" })("one")).toEqual(["the value must be integer"]);
});

it("checks the elements of a tuple that is written as in draft-07, without its name", () => {
  const check = schemaCheck({ items: [{ type: "string" }], additionalItems: false });
  expect(check(["a"])).toEqual([]);
  expect(check([1, 2])).toEqual([
    "the value must NOT have more than 1 items",
    "[0] must be string",
  ]);
});

it("takes a list in a value for no tuple of draft-07", () => {
  const check = schemaCheck({ prefixItems: [{ type: "string" }], default: { items: [] } });
  expect(check([1])).toEqual(["[0] must be string"]);
});

it.each([
  [0.29, 0.01, true],
  [19.99, 0.01, true],
  [123456.78, 0.01, true],
  [19.995, 0.01, false],
  [100_001, 1000, false],
  [7_160_491.52, 0.01, true],
  [99_999_999.99, 0.01, true],
  [1, 16_777_216, false],
  [10_000_000_001, 1_000_000_000, false],
  [3.000_000_01, 1, false],
])("says whether %d is a multiple of %d, as people count", (value, multipleOf, fits) => {
  expect(schemaCheck({ multipleOf })(value)).toEqual(
    fits ? [] : [`the value must be multiple of ${multipleOf}`],
  );
});
