import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { jsonFrom } from "../../json.js";
import type { Machine } from "../../platform/machine.js";
import { NOTHING_THERE } from "./found.js";

/** What the daemon of the newer command line leaves in its file about itself. */
export interface DaemonFile {
  readonly urls: readonly string[];
  readonly pid: number | null;
  /** Of the daemon, such as `0.10.3`. */
  readonly version: string | null;
}

const daemonFileSchema = z.object({
  web_urls: z.array(z.string()).nullish().catch(null),
  urls: z.array(z.string()).nullish().catch(null),
  pid: z.int().positive().nullish().catch(null),
  daemon_version: z.string().nullish().catch(null),
});

/**
 * Reads `~/.foundry/daemon.json`. It stays behind when the daemon dies, so it is a hint and no more.
 *
 * @returns Why there is nothing in it, as a clause, where that is so.
 */
export async function readDaemonFile(machine: Machine): Promise<DaemonFile | string> {
  let text: string;
  try {
    text = await readFile(join(machine.home, ".foundry", "daemon.json"), "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    return code === "ENOENT" || code === "ENOTDIR" ? NOTHING_THERE.daemonFile : "cannot be read";
  }
  const parsed = daemonFileSchema.safeParse(jsonFrom(text.replace(/^\uFEFF/, "")));
  if (!parsed.success) return "is damaged";
  const { web_urls, urls, pid, daemon_version } = parsed.data;
  const told = [...(web_urls ?? []), ...(urls ?? [])];
  if (told.length === 0) return "names no address";
  return { urls: told, pid: pid ?? null, version: daemon_version ?? null };
}
