import { execFile } from "node:child_process";
import { cp } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type EmbeddedInstallation,
  installEmbedded,
  watchedService,
} from "../foundry/discovery/embedded-installation.js";
import { environmentWith, MAIN } from "./executable.js";

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

test("the command load says that a model in the embedded service leaves the memory with it", async () => {
  const { folder } = installation;
  // As installed beside the SDK, whatever is installed beside the real one.
  const dist = dirname(MAIN);
  await cp(dist, join(folder, "dist"), { recursive: true });
  await cp(join(dist, "..", "package.json"), join(folder, "package.json"));
  const main = join(folder, "dist", "main.js");
  const env = environmentWith({ FOUNDRY_EMBEDDED: "true" });

  const { stdout, stderr } = await promisify(execFile)(process.execPath, [main, "load", "tiny"], {
    cwd: folder,
    env,
  });

  expect(stdout).toMatch(/^Loaded tiny:2 in /);
  expect(stderr.replace(/\s+/g, " ")).toContain("the model is not in memory any more");
});
