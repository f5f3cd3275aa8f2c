/** Makes the bundle that a user of Claude Desktop opens to install the server. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mcpbPacker, writeBundleFolder } from "./distribution/bundle.js";
import { BUNDLE_FILE } from "./distribution/bundle-manifest.js";

const root = fileURLToPath(new URL("../", import.meta.url));
const folder = join(root, ".bundle");
await rm(folder, { recursive: true, force: true });
await writeBundleFolder(folder);
const mcpb = await mcpbPacker();
await mcpb("validate", folder);
await mcpb("pack", folder, join(root, BUNDLE_FILE));
process.stdout.write(`${BUNDLE_FILE} is written.\n`);
