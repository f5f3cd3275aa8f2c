import { Lazy, SecretMask } from "../../src/lib/index.js";
import { silentLogger } from "../../src/log.js";
import type { Backend } from "../../src/mcp/backend.js";

/** What a server works with, where the test says no more than the client. */
export const backendOf = (given: Pick<Backend, "client"> & Partial<Backend>): Lazy<Backend> =>
  new Lazy(async () => ({
    log: silentLogger,
    policy: { onCancel: "auto" },
    secrets: new SecretMask([]),
    ...given,
  }));
