/** Makes the bundle that a user of Claude Desktop opens to install the server. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeBundle } from "./distribution/bundle.js";
import { BUNDLE_FILE } from "./distribution/bundle-manifest.js";

const root = fileURLToPath(new URL("../", import.meta.url));
const folder = join(root, ".bundle");
await rm(folder, { recursive: true, force: true });
await makeBundle(folder, join(root, BUNDLE_FILE));
process.stdout.write(`${BUNDLE_FILE} is written.\n`);
