import { constants } from "node:fs";
import { access, type FileHandle, open, stat } from "node:fs/promises";
import { deferred, FILE_READ_MS, TIMED_OUT as LATE, systemCodeOf, waitFor } from "../lib/index.js";

export { LATE };

/**
 * Work with files is done by a few threads (libuv's pool, four of them), and a thread that asks a dead
 * network share, or opens a pipe that has no other end, waits for as long as that stays so. No call of
 * the system ends such a wait. So all work on files that others put there goes through here: it is given
 * up after a time, and so little of it is in flight that two threads are left for all else.
 */
const MOST_IN_FLIGHT = 2;

let inFlight = 0;
/** Work that was given up and whose thread still waits. */
let stuck = 0;
const waiting: (() => void)[] = [];

/**
 * The outcome of work with files, or {@link LATE} when it took longer. The work itself goes on then, and
 * keeps its place until it ends.
 */
export async function inPool<T>(
  work: () => Promise<T>,
  timeoutMs: number,
): Promise<T | typeof LATE> {
  // Nothing that waits here now would have its turn within its time.
  if (stuck >= MOST_IN_FLIGHT) return LATE;
  const begin = performance.now();
  if (inFlight < MOST_IN_FLIGHT) {
    inFlight += 1;
  } else {
    const turn = deferred();
    waiting.push(turn.resolve);
    if ((await waitFor(turn.promise, { withinMs: timeoutMs, isPatient: true })) === LATE) {
      const place = waiting.indexOf(turn.resolve);
      // Its turn came in the same moment: it goes to the next one.
      if (place < 0) leave();
      else waiting.splice(place, 1);
      return LATE;
    }
  }
  let isStuck = false;
  const done = work().finally(() => {
    if (isStuck) stuck -= 1;
    leave();
  });
  const withinMs = Math.max(0, timeoutMs - (performance.now() - begin));
  const outcome = await waitFor(done, { withinMs, isPatient: true });
  if (outcome === LATE) {
    isStuck = true;
    stuck += 1;
  }
  return outcome;
}

/** Hands the place on, or gives it up. */
function leave(): void {
  const next = waiting.shift();
  if (next === undefined) inFlight -= 1;
  else next();
}

/** Whether a path exists. {@link LATE}: that is not known, as on a share that does not respond. */
export function exists(path: string): Promise<boolean | typeof LATE> {
  const isThere = () =>
    access(path).then(
      () => true,
      () => false,
    );
  return inPool(isThere, FILE_READ_MS);
}

interface SmallFileLimits {
  readonly maxBytes: number;
  /** Read only where it belongs to this user, or to the system's; `null` where there are no user ids. */
  readonly ownerUid?: number | null;
}

/** Why a file was not read. `absent` is all that is usual. */
export type FileFault = "absent" | "not_a_file" | "not_ours" | "too_large" | "late" | "unreadable";

type SmallFile = { readonly text: string } | { readonly fault: FileFault };

/** Windows has none, and its pipes have paths of their own. */
const NONBLOCK = constants.O_NONBLOCK ?? 0;

/**
 * The text of a file that another program wrote: an ordinary file, links followed, of a bounded size,
 * within a bounded time. Without a byte order mark at its beginning. Never rejects.
 */
export async function readSmallFile(path: string, limits: SmallFileLimits): Promise<SmallFile> {
  const read = () => readWhole(path, limits).catch(faultOf);
  const outcome = await inPool(read, FILE_READ_MS);
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
  const bytes = await readAtMost(file, maxBytes);
  if (bytes === null) return { fault: "too_large" };
  return { text: bytes.toString("utf8").replace(/^\uFEFF/, "") };
}

const PIECE = 64 * 1024;

/**
 * All that an open file has; `null` where that is more than `maxBytes`. Its size says little: that of the files
 * of `/proc` is 0, and one may grow.
 */
export async function readAtMost(file: FileHandle, maxBytes: number): Promise<Buffer | null> {
  const pieces: Buffer[] = [];
  let length = 0;
  while (length <= maxBytes) {
    const size = Math.min(PIECE, maxBytes + 1 - length);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(size), 0, size, null);
    if (bytesRead === 0) return Buffer.concat(pieces);
    pieces.push(buffer.subarray(0, bytesRead));
    length += bytesRead;
  }
  return null;
}

function faultOf(error: unknown): SmallFile {
  const code = systemCodeOf(error);
  return { fault: code === "ENOENT" || code === "ENOTDIR" ? "absent" : "unreadable" };
}
