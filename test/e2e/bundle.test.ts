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
