import { expect, test } from "vitest";
import { startServer } from "../../../src/commands/demo.js";
import { FoundryError } from "../../../src/lib/errors.js";

test("a server that ends before it answers is reported with its reason", async () => {
  const started = startServer(["--eval", "process.exit(1)"], {});

  await expect(started).rejects.toBeInstanceOf(FoundryError);
  await expect(started).rejects.toMatchObject({
    code: "INTERNAL",
    message: "The server that was started here did not answer.",
    action: expect.stringContaining("FOUNDRY_LOG_LEVEL=debug"),
  });
});
