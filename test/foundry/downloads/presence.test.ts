import { describe, expect, it, onTestFinished } from "vitest";
import { untilListed } from "../../../src/foundry/downloads/presence.js";
import { Service } from "../../../src/foundry/service/service.js";
import { simulate } from "../fixtures.js";
import { knownModel } from "../models/known-model.js";
import { MISSING, serviceAt } from "./fixtures.js";

const model = knownModel(MISSING.id);
const never = new AbortController().signal;

describe("waiting for a downloaded model to be listed", () => {
  it("continues while the service is restarting", async () => {
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

  it("ends at once for a service that has moved", async () => {
    const simulator = await simulate({ models: [MISSING] });
    const service = new Service(simulator.url, {}, true);
    onTestFinished(() => service.close());
    await simulator.stop();
    await expect(
      untilListed(service, model, { graceMs: 600_000, pollMs: 20 }, never),
    ).rejects.toMatchObject({ code: "SERVICE_UNREACHABLE" });
  });
});
