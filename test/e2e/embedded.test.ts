import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type EmbeddedInstallation,
  installEmbedded,
  watchedService,
} from "../foundry/discovery/embedded-installation.js";

let installation: EmbeddedInstallation;
beforeAll(async () => {
  installation = await installEmbedded();
});
afterAll(() => installation?.remove());

test("the built program of the embedded service hosts the SDK", async () => {
  const childFile = fileURLToPath(new URL("../../dist/embedded.js", import.meta.url));
  const { service } = watchedService({ ...installation, childFile });

  const { endpoint } = await service.start();
  const { status } = await fetch(`${endpoint}/v1/models`);
  await service.close();

  expect(status).toBe(200);
});
