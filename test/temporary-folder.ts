import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A new empty folder, removed when the test that made it has finished. Its name begins so. */
export async function temporaryFolder(name: string): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), name));
  onTestFinished(() => removeFolder(path));
  return path;
}

/**
 * Removes a folder and what is in it. Tries again for some seconds, because a process that is about
 * to end can still write into the folder, and on Windows still holds its files.
 */
export function removeFolder(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 10 });
}
