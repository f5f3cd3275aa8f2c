import { join } from "node:path";
import { expect, test } from "vitest";
import { writeBundleFolder } from "../../scripts/distribution/bundle.js";
import { bundleManifest } from "../../scripts/distribution/bundle-manifest.js";
import { temporaryFolder } from "../temporary-folder.js";
import { startBundle } from "./bundle.js";

test.each(["", undefined])(
  "a bundle whose fields are %j starts with the defaults",
  async (value) => {
    const folder = await temporaryFolder("foundry-local-mcp bündle-");
    await writeBundleFolder(folder);
    const fields = Object.keys(bundleManifest().user_config);
    const filled =
      value === undefined ? {} : Object.fromEntries(fields.map((name) => [name, value]));

    const client = await startBundle(folder, bundleManifest().server.mcp_config, filled);

    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("complete");
  },
);

test.each([1, 2])("a bundle takes %i folders of its user", async (count) => {
  const folder = await temporaryFolder("foundry-local-mcp-bundle-");
  await writeBundleFolder(folder);
  const folders = ["one", "two"].slice(0, count).map((name) => join(folder, name));

  const { server } = bundleManifest();
  const client = await startBundle(folder, server.mcp_config, { folders });

  const { tools } = await client.listTools();
  expect(JSON.stringify(tools)).toContain('"write_to"');
});
