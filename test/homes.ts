import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A folder for the homes of the processes that tests start, removed after the run. A worker cannot
 * remove its own: vitest kills it.
 */
export default function setup(): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "foundry-local-mcp-homes-"));
  process.env["TEST_HOMES"] = folder;
  // A process that is about to end can still write into it.
  return () => rm(folder, { recursive: true, force: true, maxRetries: 10 });
}
