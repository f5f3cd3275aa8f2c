import { hash, randomUUID } from "node:crypto";
import { lstat, readdir, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { FILE_READ_MS, systemCodeOf } from "../lib/index.js";
import { inPool, LATE, readSmallFile } from "./file-reads.js";
import { makePrivateDirectory, ownUid, replaceFile } from "./own-directory.js";

export interface FileCacheOptions {
  /** Made private to this user (0700). Only files of the cache are removed from it. */
  readonly folder: string;
  /** Files that are kept, 1 or more. */
  readonly entries: number;
  /** The size of all files together. */
  readonly mostBytes: number;
  /** The clock of the system in milliseconds. For tests. */
  readonly now?: (() => number) | undefined;
  /** Called with the code of the error when an entry cannot be written, once until one is written again. */
  readonly onFault?: ((code: string) => void) | undefined;
}

interface Entry {
  readonly name: string;
  readonly bytes: number;
  readonly usedAt: number;
}

const ENTRY = /^[0-9a-f]{64}\.entry$/;
const TEMPORARY = /^[0-9a-f-]{36}\.tmp$/;
/** A temporary file that is older was left by a process that ended. */
const ABANDONED_MS = 60_000;
/** Entries that wait to be written, on a disk that is slow. Further ones are not kept. */
const MOST_WAITING = 100;

/**
 * Texts by key in one file each (0600). Several processes may share the folder: a file is written under a
 * temporary name and renamed. A damaged file is a miss. The least recently used file is evicted first; the time
 * of its last use is its modification time.
 */
export class FileCache {
  readonly #options: FileCacheOptions;
  readonly #now: () => number;
  /** Writes of this process, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #waiting = new Map<string, string>();
  #lastUse = 0;
  #isFaulty = false;

  constructor(options: FileCacheOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** `null` also for a file that is damaged or cannot be read. */
  async get(key: string): Promise<string | null> {
    const text = this.#waiting.get(key) ?? (await this.#read(key));
    if (text !== null) {
      const path = this.#pathOf(key);
      const used = this.#use();
      void this.#next(() => utimes(path, used, used).catch(() => {}));
    }
    return text;
  }

  /** Resolves when the text is written, or cannot be. */
  async set(key: string, text: string): Promise<void> {
    if (this.#waiting.size >= MOST_WAITING) return;
    this.#waiting.set(key, text);
    const used = this.#use();
    const write = () =>
      this.#write(key, text, used).catch((error: unknown) => systemCodeOf(error) ?? "unknown");
    const outcome = await this.#next(write);
    if (this.#waiting.get(key) === text) this.#waiting.delete(key);
    const fault = outcome === LATE ? "ETIMEDOUT" : outcome;
    if (typeof fault === "string" && !this.#isFaulty) this.#options.onFault?.(fault);
    this.#isFaulty = typeof fault === "string";
  }

  /** The files that are there now. */
  async size(): Promise<{ readonly entries: number; readonly bytes: number }> {
    const found = await this.#next(() => this.#entries());
    const entries = found === LATE ? [] : found;
    return { entries: entries.length, bytes: bytesOf(entries) };
  }

  async #read(key: string): Promise<string | null> {
    const { mostBytes: maxBytes } = this.#options;
    const limits = { maxBytes, ownerUid: ownUid() };
    const file = await readSmallFile(this.#pathOf(key), limits);
    return "text" in file ? textIn(file.text, key) : null;
  }

  #next<T>(work: () => Promise<T>): Promise<T | typeof LATE> {
    const turn = this.#turn.then(() => inPool(work, FILE_READ_MS));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #write(key: string, text: string, used: Date): Promise<void> {
    const { folder, mostBytes } = this.#options;
    const content = contentOf(key, text);
    if (Buffer.byteLength(content) > mostBytes) return;
    await makePrivateDirectory(folder);
    const temporary = join(folder, `${randomUUID()}.tmp`);
    await replaceFile(this.#pathOf(key), temporary, content, used);
    await this.#evict();
  }

  async #evict(): Promise<void> {
    const { folder, entries: most, mostBytes } = this.#options;
    const entries = [...(await this.#entries())].sort((one, other) => one.usedAt - other.usedAt);
    let [count, bytes] = [entries.length, bytesOf(entries)];
    for (const entry of entries) {
      if (count <= most && bytes <= mostBytes) return;
      if (!(await isRemoved(join(folder, entry.name)))) continue;
      count -= 1;
      bytes -= entry.bytes;
    }
  }

  /** Also removes temporary files that were left behind. */
  async #entries(): Promise<readonly Entry[]> {
    const { folder } = this.#options;
    const names = await readdir(folder).catch(() => []);
    const found = await Promise.all(
      names
        .filter((name) => ENTRY.test(name) || TEMPORARY.test(name))
        .map(async (name) => {
          const path = join(folder, name);
          const facts = await lstat(path).catch(() => null);
          if (facts?.isFile() !== true) return [];
          if (ENTRY.test(name)) return [{ name, bytes: facts.size, usedAt: facts.mtimeMs }];
          if (Math.abs(this.#now() - facts.mtimeMs) > ABANDONED_MS) await isRemoved(path);
          return [];
        }),
    );
    return found.flat();
  }

  /** The time of a use: later than the one before, so that the order of uses is known. */
  #use(): Date {
    this.#lastUse = Math.max(Math.round(this.#now()), this.#lastUse + 1);
    return new Date(this.#lastUse);
  }

  #pathOf(key: string): string {
    return join(this.#options.folder, `${sha256(key)}.entry`);
  }
}

/** A file may be held open by another process, or its folder be read-only. */
const isRemoved = (path: string): Promise<boolean> =>
  rm(path, { force: true }).then(
    () => true,
    () => false,
  );

const sha256 = (text: string): string => hash("sha256", text, "hex");
const bytesOf = (entries: readonly Entry[]): number =>
  entries.reduce((sum, { bytes }) => sum + bytes, 0);

/** A checksum of the rest, the key, the text. */
function contentOf(key: string, text: string): string {
  const rest = `${JSON.stringify(key)}\n${text}`;
  return `${sha256(rest)}\n${rest}`;
}

function textIn(content: string, key: string): string | null {
  const head = `${JSON.stringify(key)}\n`;
  const rest = content.slice(content.indexOf("\n") + 1);
  const isWhole = rest.startsWith(head) && content.startsWith(`${sha256(rest)}\n`);
  return isWhole ? rest.slice(head.length) : null;
}
