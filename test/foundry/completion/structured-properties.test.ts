import { it } from "vitest";
import { expectValuesOrMismatch } from "./structured-properties.js";

/** `test/long` has more of them. */
it("the value of any schema is valid, or the error is SCHEMA_MISMATCH", async () => {
  await expectValuesOrMismatch(200, 13);
}, 180_000);
