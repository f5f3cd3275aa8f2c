import { describe, expect, it, onTestFinished } from "vitest";
import { untilListed } from "../../../src/foundry/downloads/presence.js";
import { Service } from "../../../src/foundry/service/service.js";
import { simulate } from "../fixtures.js";
import { knownModel } from "../models/known-model.js";
import { MISSING, serviceAt } from "./fixtures.js";

const model = knownModel(MISSING.id);
const never = new AbortController().signal;

describe("waiting for a downloaded model to be listed", () => {
  it("bears with a service that is away for a moment", async () => {
    const simulator = await simulate({ models: [{ ...MISSING, downloaded: true }] });
    await simulator.stop();
    const listed = untilListed(
      serviceAt(simulator.url),
      model,
      { graceMs: 5000, pollMs: 20 },
      never,
    );
    await simulator.start();
    await expect(listed).resolves.toBeUndefined();
  });

  it("is left at once to whoever finds a service again that has moved", async () => {
    const simulator = await simulate({ models: [MISSING] });
    const service = new Service(simulator.url, {}, true);
    onTestFinished(() => service.close());
    await simulator.stop();
    await expect(
      untilListed(service, model, { graceMs: 600_000, pollMs: 20 }, never),
    ).rejects.toMatchObject({ code: "SERVICE_UNREACHABLE" });
  });
});
