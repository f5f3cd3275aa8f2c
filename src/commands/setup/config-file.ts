import { randomUUID } from "node:crypto";
import { lstat, mkdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { HOST_FILE_BYTES, systemCodeOf } from "../../lib/index.js";

/** A file of a host that cannot be used, in words that follow its name. */
export class Unusable extends Error {}

/** A configuration file as it is now. */
export interface ConfigFile {
  /** Behind links. */
  readonly path: string;
  /** `null`: there is none yet. */
  readonly bytes: Buffer | null;
  readonly text: string;
  readonly mode: number;
}

const OWNER_CAN_WRITE = 0o200;
const PRIVATE = 0o600;

/** @throws Unusable */
export async function readConfigFile(file: string): Promise<ConfigFile> {
  const target = await targetOf(file);
  const facts = await stat(target).catch(ifAbsent);
  if (facts === null) return { path: target, bytes: null, text: "", mode: PRIVATE };
  if (!facts.isFile()) throw new Unusable("is not a file");
  if (facts.size > HOST_FILE_BYTES) throw new Unusable("is too large");
  const bytes = await readFile(target).catch((error: unknown) => {
    throw new Unusable(`cannot be read (${codeOf(error)})`);
  });
  return { path: target, bytes, text: textOf(bytes), mode: facts.mode & 0o777 };
}

/** Where a link leads, so that the link stays one. */
async function targetOf(file: string): Promise<string> {
  const facts = await lstat(file).catch(ifAbsent);
  if (facts?.isSymbolicLink() !== true) return file;
  return realpath(file).catch(() => {
    throw new Unusable("is a link to a file that does not exist");
  });
}

function textOf(bytes: Buffer): string {
  const isUtf16 =
    (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (isUtf16)
    throw new Unusable("is in UTF-16, which the host may not read either: save it as UTF-8");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Unusable("is not a text in UTF-8");
  }
}

/** Where the file as it was before stays. */
export const backupOf = (file: string): string => `${file}.before-foundry-local-mcp`;

/**
 * Writes a text in place of the file that was read, whole or not at all, after a copy of that file was
 * made beside it.
 *
 * @throws Unusable also where the file has changed since it was read.
 */
export async function replaceConfigFile(before: ConfigFile, text: string): Promise<void> {
  const { path: file, bytes, mode } = before;
  if ((mode & OWNER_CAN_WRITE) === 0) throw new Unusable("is read-only");
  const temporary = `${file}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    if (bytes === null) await mkdir(path.dirname(file), { recursive: true });
    await writeFile(temporary, text, { flag: "wx", mode, flush: true });
    if (bytes !== null) await writeFile(backupOf(file), bytes, { mode });
    await assertUnchanged(before);
    await renameOver(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    if (error instanceof Unusable) throw error;
    throw new Unusable(`cannot be written (${codeOf(error)})`);
  }
}

/** Removes a file that has nothing in it but what was written by {@link replaceConfigFile}. */
export async function removeConfigFile(before: ConfigFile): Promise<void> {
  await assertUnchanged(before);
  await rm(before.path, { force: true }).catch((error: unknown) => {
    throw new Unusable(`cannot be removed (${codeOf(error)})`);
  });
}

/** The text before the first change, where a copy of it is there. */
export async function readBackup(file: string): Promise<string | null> {
  try {
    const { bytes, text } = await readConfigFile(backupOf(file));
    return bytes === null ? null : text;
  } catch {
    return null;
  }
}

export const removeBackup = (file: string): Promise<void> =>
  rm(backupOf(file), { force: true }).catch(() => {});

async function assertUnchanged({ path: file, bytes }: ConfigFile): Promise<void> {
  const now = await readFile(file).catch(ifAbsent);
  const isSame = now === null || bytes === null ? now === bytes : now.equals(bytes);
  if (!isSame) throw new Unusable("was changed by another program just now: try again");
}

const RENAME_TRIES = 5;
const RENAME_PAUSE_MS = 100;

/** On Windows a virus scanner or the host may hold the file for a moment. */
async function renameOver(from: string, to: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await rename(from, to);
    } catch (error) {
      const isHeld = ["EPERM", "EACCES", "EBUSY"].includes(codeOf(error));
      if (!isHeld || tries === RENAME_TRIES) throw error;
      await setTimeout(RENAME_PAUSE_MS);
    }
  }
}

function ifAbsent(error: unknown): null {
  const code = codeOf(error);
  if (code === "ENOENT" || code === "ENOTDIR") return null;
  throw new Unusable(`cannot be read (${code})`);
}

const codeOf = (error: unknown): string => systemCodeOf(error) ?? "unknown error";
