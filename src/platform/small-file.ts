import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { inPool, LATE } from "./pool.js";

export interface SmallFileLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
  /** Read only where it belongs to this user, or to the system's; `null` where there are no user ids. */
  readonly ownerUid?: number | null;
}

/** Why a file was not read. `absent` is all that is usual. */
export type FileFault = "absent" | "not_a_file" | "not_ours" | "too_large" | "late" | "unreadable";

export type SmallFile = { readonly text: string } | { readonly fault: FileFault };

/** Windows has none, and its pipes have paths of their own. */
const NONBLOCK = constants.O_NONBLOCK ?? 0;

/**
 * The text of a file that another program wrote: an ordinary file, links followed, of a bounded size,
 * within a bounded time. Without a byte order mark at its beginning. Never rejects.
 */
export async function readSmallFile(path: string, limits: SmallFileLimits): Promise<SmallFile> {
  const read = () => readWhole(path, limits).catch(faultOf);
  const outcome = await inPool(read, limits.timeoutMs);
  return outcome === LATE ? { fault: "late" } : outcome;
}

async function readWhole(path: string, limits: SmallFileLimits): Promise<SmallFile> {
  // Before it is opened: to open a device does something already.
  if (!(await stat(path)).isFile()) return { fault: "not_a_file" };
  // It may have become a pipe since, which would wait for a writer.
  const file = await open(path, constants.O_RDONLY | NONBLOCK);
  try {
    return await readOpen(file, limits);
  } finally {
    await file.close();
  }
}

async function readOpen(
  file: FileHandle,
  { maxBytes, ownerUid = null }: SmallFileLimits,
): Promise<SmallFile> {
  const facts = await file.stat();
  if (!facts.isFile()) return { fault: "not_a_file" };
  if (ownerUid !== null && facts.uid !== ownerUid && facts.uid !== 0) return { fault: "not_ours" };
  if (facts.size > maxBytes) return { fault: "too_large" };
  // Its size says little: that of the files of `/proc` is 0, and one may grow.
  const pieces: Buffer[] = [];
  let length = 0;
  while (length <= maxBytes) {
    const size = Math.min(PIECE, maxBytes + 1 - length);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(size), 0, size, null);
    if (bytesRead === 0) {
      return {
        text: Buffer.concat(pieces)
          .toString("utf8")
          .replace(/^\uFEFF/, ""),
      };
    }
    pieces.push(buffer.subarray(0, bytesRead));
    length += bytesRead;
  }
  return { fault: "too_large" };
}

const PIECE = 64 * 1024;

function faultOf(error: unknown): SmallFile {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return { fault: code === "ENOENT" || code === "ENOTDIR" ? "absent" : "unreadable" };
}
