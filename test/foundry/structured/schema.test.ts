import { expect, it } from "vitest";
import { schemaCheck } from "../../../src/foundry/structured/schema.js";
import { withinTime } from "../../../src/lib/index.js";

it("compiles a schema after time limits ended earlier compilations", () => {
  for (const limitMs of [1, 2, 4, 8, 16, 32]) {
    withinTime(limitMs, () => schemaCheck({ type: "object" }));
  }
  expect(schemaCheck({ type: "integer" })("one")).toEqual(["the value must be integer"]);
});
