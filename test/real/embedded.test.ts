import { cp, mkdtemp, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { EmbeddedService } from "../../src/foundry/embedded/index.js";
import { FoundryClient } from "../../src/jobs/index.js";
import { CannotRunHere } from "../installed.js";
import { removeFolder } from "../temporary-folder.js";
import {
  installInto,
  type Library,
  makeModelCache,
  type NpmSdk,
  npmSdk,
  SDK_VERSION,
} from "./npm-sdk.js";

const root = await mkdtemp(join(tmpdir(), "foundry-local-mcp-real-embedded-"));
const real = await npmSdk().catch((error: unknown) => {
  if (error instanceof CannotRunHere) return error.message;
  throw error;
});
const services: EmbeddedService[] = [];

afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.close()));
});
afterAll(() => removeFolder(root));

/** The environment keeps the SDK from the user's files, and from any host but loopback. */
function embedded(folder: string): EmbeddedService {
  const nowhere = "http://127.0.0.1:1";
  const { platform, arch } = process;
  const home = join(root, "home");
  const environment = {
    PATH: process.env["PATH"],
    HOME: home,
    LANG: "C.UTF-8",
    HTTP_PROXY: nowhere,
    HTTPS_PROXY: nowhere,
    NO_PROXY: "127.0.0.1,localhost",
  };
  const machine = { platform, arch, home, environment };
  const service = new EmbeddedService({ machine, directories: [folder] });
  services.push(service);
  return service;
}

const title = `foundry-local-sdk ${SDK_VERSION} of npm, embedded`;
if (typeof real === "string") {
  process.stderr.write(`Skipped: ${title}: ${real}\n`);
  describe(title, () => {
    test.skip(`needs what this machine does not have: ${real}`, () => {});
  });
} else {
  describe(title, () => describeEmbedded(real));
}

function describeEmbedded(sdk: NpmSdk): void {
  test("serves the models of the command line's cache, loads one and chats", async () => {
    const folder = join(root, "complete");
    await installInto(folder, sdk);
    await makeModelCache(join(root, "home", ".foundry", "cache", "models"), sdk.models);
    const service = embedded(folder);

    const { endpoint } = await service.start();
    const models = await (await fetch(`${endpoint}/v1/models`)).text();
    const client = new FoundryClient({ endpoint });
    const answer = await client.complete({ model: "tiny-talk", prompt: "Hello", maxTokens: 8 });
    await client.close();
    await service.close();

    expect(models).toContain("tiny-talk-generic-cpu");
    expect(answer).toMatchObject({ status: "completed", model: "tiny-talk-generic-cpu:1" });
    expect(answer.text).not.toBe("");
    await expect(fetch(endpoint)).rejects.toThrow();
  });

  test("reports for a download that the registry is unreachable", async () => {
    const service = embedded(join(root, "complete"));

    const download = service.download({ id: "not-here-generic-cpu:2" });

    await expect(download).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringContaining("the network or the model registry failed"),
    });
  });

  test.each<[string, Library[], string]>([
    ["without its libraries", [], "its install script has not run"],
    ["without ONNX Runtime", ["Microsoft.AI.Foundry.Local.Core.so"], "ONNX Runtime is missing"],
  ])("says what is wrong where it is installed %s", async (name, present, sentence) => {
    const folder = join(root, name);
    await installInto(folder, sdk, present);

    const start = embedded(folder).start();

    await expect(start).rejects.toMatchObject({
      code: "EMBEDDED_FAILED",
      message: expect.stringContaining(sentence),
    });
  });

  test.each([
    ["a part", 100_000, "ended while it started (signal SIGBUS)"],
    ["hardly anything", 10, "is there but does not load"],
  ])("reports the cause where %s of its core was written", async (name, bytes, sentence) => {
    const folder = join(root, name);
    await installInto(folder, sdk, []);
    const core = join(
      folder,
      "node_modules/foundry-local-sdk/foundry-local-core/linux-x64/Microsoft.AI.Foundry.Local.Core.so",
    );
    await cp(sdk.libraries["Microsoft.AI.Foundry.Local.Core.so"], core);
    await truncate(core, bytes);

    const start = embedded(folder).start();

    await expect(start).rejects.toMatchObject({
      code: "EMBEDDED_FAILED",
      message: expect.stringContaining(sentence),
    });
  });
}
