import { startSimulator } from "foundry-local-simulator";
import { expect, it, onTestFinished } from "vitest";
import { clientOptions } from "../../src/commands/client-options.js";
import { FoundryClient } from "../../src/jobs/index.js";
import { silentLogger } from "../../src/log.js";
import { readSettings } from "../../src/settings.js";

it("a client takes time limits of any number of seconds", async () => {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  // 16.1 * 1000 is 16100.000000000002, which is no whole number.
  const settings = readSettings(["--endpoint", simulator.url, "--timeout", "16.1"], {});
  const client = new FoundryClient(clientOptions(settings, silentLogger));
  onTestFinished(() => client.close());

  await expect(client.listModels()).resolves.toMatchObject({ warning: null });
});
