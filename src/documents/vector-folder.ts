import { createHash } from "node:crypto";
import { appendFile, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { MOST_VECTOR_BYTES } from "../lib/index.js";
import { type Logger, silentLogger } from "../log.js";
import { inPool, LATE } from "../platform/index.js";

/** A vector with the hash of its text. */
export interface StoredVector {
  readonly hash: Buffer;
  readonly vector: Float32Array;
}

const HEADER_BYTES = 16;
const MAGIC = "flmcpvec";
const VERSION = 1;
const HASH_BYTES = 32;
const NUMBER_BYTES = 4;
/** For a read or a write, on a disk that may not answer. */
const DISK_MS = 10_000;
/** No embedding model has more. */
const MOST_DIMENSIONS = 65_536;

/**
 * The vectors of each model in one file, which a process reads once and appends to. A file has hashes and
 * numbers, and no text. What cannot be read or written is only embedded again: nothing here throws.
 */
export class VectorFolder {
  readonly #folder: string;
  readonly #mostBytes: number;
  readonly #log: Logger;
  /** One write after the other: each looks at the size first. */
  #writes: Promise<void> = Promise.resolve();

  /** @param mostBytes Of one file; a full one is begun again. For tests. */
  constructor(folder: string, log: Logger = silentLogger, mostBytes = MOST_VECTOR_BYTES) {
    this.#folder = folder;
    this.#log = log;
    this.#mostBytes = mostBytes;
  }

  async read(model: string): Promise<StoredVector[]> {
    return (await this.#onDisk(() => this.#read(this.#fileOf(model)))) ?? [];
  }

  append(model: string, vectors: readonly StoredVector[]): Promise<void> {
    this.#writes = this.#writes.then(async () => {
      await this.#onDisk(() => this.#append(this.#fileOf(model), vectors));
    });
    return this.#writes;
  }

  async #read(file: string): Promise<StoredVector[]> {
    const facts = await stat(file);
    return facts.isFile() && facts.size <= this.#mostBytes ? vectorsIn(await readFile(file)) : [];
  }

  async #append(file: string, vectors: readonly StoredVector[]): Promise<void> {
    const dimensions = vectors[0]?.vector.length ?? 0;
    if (dimensions === 0) return;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const size = await stat(file).then(
      (facts) => facts.size,
      () => 0,
    );
    const record = HASH_BYTES + NUMBER_BYTES * dimensions;
    const bytes = Buffer.concat(vectors.flatMap(({ hash, vector }) => [hash, bytesOf(vector)]));
    const isFull = size + bytes.length > this.#mostBytes;
    const isWhole = size === 0 || (size - HEADER_BYTES) % record === 0;
    // In one write, so that another server's record does not come in between.
    if (size === 0 || isFull || !isWhole) {
      await rm(file, { force: true });
      const all = Buffer.concat([headerOf(dimensions), bytes]);
      const isMade = await writeFile(file, all, { mode: 0o600, flag: "wx" }).then(
        () => true,
        (error: unknown) => {
          if (codeOf(error) === "EEXIST") return false;
          throw error;
        },
      );
      // Another server has begun it since.
      if (isMade) return;
    }
    await appendFile(file, bytes, { mode: 0o600 });
  }

  /** `null` where the disk fails, or does not answer in time. */
  async #onDisk<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      const done = await inPool(work, DISK_MS);
      if (done !== LATE) return done;
      this.#log.warn({ detail: "no answer" }, "vectors on disk cannot be used");
    } catch (thrown) {
      this.#note(thrown);
    }
    return null;
  }

  #fileOf(model: string): string {
    const name = createHash("sha256").update(model).digest("hex").slice(0, 32);
    return path.join(this.#folder, `vectors-${name}.bin`);
  }

  #note(thrown: unknown): void {
    const code = codeOf(thrown);
    if (code === "ENOENT") return;
    this.#log.warn({ detail: String(code) }, "vectors on disk cannot be used");
  }
}

const codeOf = (thrown: unknown): unknown =>
  thrown instanceof Error ? Reflect.get(thrown, "code") : null;

function headerOf(dimensions: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, "latin1");
  header.writeUInt32LE(VERSION, 8);
  header.writeUInt32LE(dimensions, 12);
  return header;
}

/** A record that is cut off, at the end, is left out, and one whose numbers are none. */
function vectorsIn(bytes: Buffer): StoredVector[] {
  if (bytes.length < HEADER_BYTES || bytes.toString("latin1", 0, MAGIC.length) !== MAGIC) return [];
  const dimensions = bytes.readUInt32LE(12);
  if (bytes.readUInt32LE(8) !== VERSION || dimensions < 1 || dimensions > MOST_DIMENSIONS)
    return [];
  const record = HASH_BYTES + NUMBER_BYTES * dimensions;
  const vectors: StoredVector[] = [];
  for (let at = HEADER_BYTES; at + record <= bytes.length; at += record) {
    const vector = new Float32Array(dimensions);
    for (let index = 0; index < dimensions; index += 1) {
      vector[index] = bytes.readFloatLE(at + HASH_BYTES + NUMBER_BYTES * index);
    }
    if (vector.every(Number.isFinite)) {
      vectors.push({ hash: Buffer.from(bytes.subarray(at, at + HASH_BYTES)), vector });
    }
  }
  return vectors;
}

function bytesOf(vector: Float32Array): Buffer {
  const bytes = Buffer.alloc(NUMBER_BYTES * vector.length);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, NUMBER_BYTES * index);
  return bytes;
}
