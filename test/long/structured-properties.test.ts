import { it } from "vitest";
import { expectValuesOrMismatch } from "../foundry/completion/structured-properties.js";

it("the value of each of 1000 schemas is valid, or the error is SCHEMA_MISMATCH", async () => {
  await expectValuesOrMismatch(1000, 20_261_128);
}, 600_000);
