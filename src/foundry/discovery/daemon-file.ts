import { join } from "node:path";
import { z } from "zod";
import { DAEMON_FILE_BYTES, FILE_READ_MS, jsonFrom } from "../../lib/index.js";
import { type FileFault, type Machine, ownUid, readSmallFile } from "../../platform/index.js";
import { NOTHING_THERE } from "./found.js";

/** What the daemon of the newer command line leaves in its file about itself. */
export interface DaemonFile {
  readonly urls: readonly string[];
  readonly pid: number | null;
  /** Of the daemon, such as `0.10.3`. */
  readonly version: string | null;
}

/** It names one or two; each is asked. */
const MOST_ADDRESSES = 8;

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
export async function readDaemonFile(
  machine: Machine,
  ownerUid = ownUid(),
): Promise<DaemonFile | string> {
  const file = await readSmallFile(join(machine.home, ".foundry", "daemon.json"), {
    maxBytes: DAEMON_FILE_BYTES,
    timeoutMs: FILE_READ_MS,
    ownerUid,
  });
  if ("fault" in file) return FAULTS[file.fault];
  const parsed = daemonFileSchema.safeParse(jsonFrom(file.text));
  if (!parsed.success) return "is damaged";
  const { web_urls, urls, pid, daemon_version } = parsed.data;
  const told = [...(web_urls ?? []), ...(urls ?? [])].slice(0, MOST_ADDRESSES);
  if (told.length === 0) return "names no address";
  return { urls: told, pid: pid ?? null, version: daemon_version ?? null };
}

const FAULTS: Readonly<Record<FileFault, string>> = {
  absent: NOTHING_THERE.daemonFile,
  not_a_file: "cannot be read: it is not a file",
  not_ours: "is not believed: it belongs to another user",
  too_large: "cannot be read: it is too large",
  late: "cannot be read: the disk does not answer",
  unreadable: "cannot be read",
};
