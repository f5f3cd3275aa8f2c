import { join } from "node:path";
import * as z from "zod";
import { DAEMON_FILE_BYTES, jsonFrom } from "../../lib/index.js";
import { type FileFault, type Machine, ownUid, readSmallFile } from "../../platform/index.js";
import { NOTHING_THERE } from "./attempt.js";

/** The contents of `~/.foundry/daemon.json`, which the daemon of CLI 0.10 and later writes. */
interface DaemonFile {
  readonly urls: readonly string[];
  readonly pid: number | null;
  /** The daemon's version, such as `0.10.3`. */
  readonly version: string | null;
}

/** The file usually has one or two addresses. Each is probed. */
const MOST_ADDRESSES = 8;

const daemonFileSchema = z.object({
  web_urls: z.array(z.string()).nullish().catch(null),
  urls: z.array(z.string()).nullish().catch(null),
  pid: z.int().positive().nullish().catch(null),
  // It is shown, and anything may have written the file.
  daemon_version: z
    .string()
    .regex(/^\d[\w.+-]{0,39}$/)
    .nullish()
    .catch(null),
});

/**
 * Reads `~/.foundry/daemon.json`. The file remains when the daemon dies, so its addresses are only
 * candidates.
 *
 * @returns the contents, or the reason why there are none, as a clause.
 */
export async function readDaemonFile(
  machine: Machine,
  ownerUid = ownUid(),
): Promise<DaemonFile | string> {
  const file = await readSmallFile(join(machine.home, ".foundry", "daemon.json"), {
    maxBytes: DAEMON_FILE_BYTES,
    ownerUid,
  });
  if ("fault" in file) return FAULTS[file.fault];
  const parsed = daemonFileSchema.safeParse(jsonFrom(file.text));
  if (!parsed.success) return "is damaged";
  const { web_urls, urls, pid, daemon_version } = parsed.data;
  const addresses = [...(web_urls ?? []), ...(urls ?? [])].slice(0, MOST_ADDRESSES);
  if (addresses.length === 0) return "names no address";
  return { urls: addresses, pid: pid ?? null, version: daemon_version ?? null };
}

const FAULTS: Readonly<Record<FileFault, string>> = {
  absent: NOTHING_THERE.daemonFile,
  not_a_file: "cannot be read: it is not a file",
  not_ours: "is ignored: it belongs to another user",
  too_large: "cannot be read: it is too large",
  late: "cannot be read: the disk does not answer",
  unreadable: "cannot be read",
};
