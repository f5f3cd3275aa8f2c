import { Vectors } from "../../src/documents/index.js";
import { AllowedFolders } from "../../src/files/index.js";
import { NOTHING_KEPT } from "../../src/keeper/index.js";
import { Lazy, SecretMask } from "../../src/lib/index.js";
import { silentLogger } from "../../src/log.js";
import type { Backend } from "../../src/mcp/backend.js";

/** The backend of a server, with defaults for everything but the client. */
export const backendOf = (given: Pick<Backend, "client"> & Partial<Backend>): Lazy<Backend> =>
  new Lazy(async () => ({
    log: silentLogger,
    policy: { onCancel: "auto" },
    secrets: new SecretMask([]),
    kept: NOTHING_KEPT,
    files: new AllowedFolders(),
    vectors: new Vectors(),
    ...given,
  }));
