import { hash } from "node:crypto";
import { appendFile, mkdir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { LRUCache } from "lru-cache";
import { MOST_VECTOR_BYTES, systemCodeOf } from "../lib/index.js";
import { type Logger, silentLogger } from "../log.js";
import { inPool, LATE, makePrivateFile } from "../platform/index.js";

/** What an entry takes besides its numbers. */
const ENTRY_BYTES = 256;

/** A vector with the hash of its text. */
interface StoredVector {
  readonly hash: Buffer;
  readonly vector: Float32Array;
}

interface VectorsOptions {
  /** Where they are also kept. Default: only in memory. */
  readonly folder?: VectorFolder | null | undefined;
  /** In memory. For tests. */
  readonly mostBytes?: number;
}

/**
 * The vectors of texts by the model that made them and a hash of the text, so that a text that was read before
 * is not embedded again. They hold no text. The least recently used one is evicted first.
 */
export class Vectors {
  readonly #vectors: LRUCache<string, Float32Array>;
  readonly #folder: VectorFolder | null;
  /** Of each model, whether its file was read. */
  readonly #read = new Map<string, Promise<void>>();

  constructor({ folder = null, mostBytes = MOST_VECTOR_BYTES }: VectorsOptions = {}) {
    this.#folder = folder;
    this.#vectors = new LRUCache({
      maxSize: mostBytes,
      sizeCalculation: ({ byteLength }) => byteLength + ENTRY_BYTES,
    });
  }

  /** The vectors of texts; `undefined` where there is none. */
  async get(model: string, texts: readonly string[]): Promise<(Float32Array | undefined)[]> {
    await this.#readOnce(model);
    return texts.map((text) => this.#vectors.get(keyOf(model, hashOf(text))));
  }

  async set(
    model: string,
    texts: readonly string[],
    vectors: readonly (readonly number[])[],
  ): Promise<void> {
    const stored = texts.map((text, index): StoredVector => {
      return { hash: hashOf(text), vector: Float32Array.from(vectors[index] ?? []) };
    });
    for (const { hash, vector } of stored) this.#vectors.set(keyOf(model, hash), vector);
    await this.#folder?.append(model, stored);
  }

  /** Reads the file of a model, at the first call for it. */
  #readOnce(model: string): Promise<void> {
    const reading = this.#read.get(model) ?? this.#readFile(model);
    this.#read.set(model, reading);
    return reading;
  }

  async #readFile(model: string): Promise<void> {
    for (const { hash, vector } of (await this.#folder?.read(model)) ?? []) {
      this.#vectors.set(keyOf(model, hash), vector);
    }
  }
}

const hashOf = (text: string): Buffer => hash("sha256", text, "buffer");

const keyOf = (model: string, hash: Buffer): string => `${hash.toString("base64")} ${model}`;

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
      // Otherwise another server has begun it since.
      if (await makePrivateFile(file, Buffer.concat([headerOf(dimensions), bytes]))) return;
    }
    await appendFile(file, bytes, { mode: 0o600 });
  }

  /** `null` where the disk fails, or does not answer in time. */
  async #onDisk<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      const done = await inPool(work, DISK_MS);
      if (done !== LATE) return done;
      this.#warn("no answer");
    } catch (thrown) {
      const code = systemCodeOf(thrown);
      if (code !== "ENOENT") this.#warn(code ?? "unknown");
    }
    return null;
  }

  #warn(detail: string): void {
    this.#log.warn({ detail }, "vectors on disk cannot be used");
  }

  #fileOf(model: string): string {
    const name = hash("sha256", model, "hex").slice(0, 32);
    return path.join(this.#folder, `vectors-${name}.bin`);
  }
}

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
