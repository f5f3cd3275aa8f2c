import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import * as z from "zod";
import { requestAfter, requestWithImages } from "../../../documents/index.js";
import { AllowedFolders, type FileText } from "../../../files/index.js";
import type { CompletionRequest } from "../../../foundry/index.js";
import type { BatchEntry } from "../../../jobs/index.js";
import { FoundryError, MOST_FILES_BYTES, membersKey, toFoundryError } from "../../../lib/index.js";
import { hostArguments } from "../../host-arguments.js";
import { completionArguments, needsPrompt, requestOf, type sharedSettings } from "./arguments.js";
import { type GivenFiles, readFiles } from "./given-files.js";

type Settings = z.output<z.ZodObject<typeof sharedSettings>>;

const OBJECT = 'A request is an object such as {"prompt":"…"}';

const requestSchema = z
  .strictObject(completionArguments, { error: OBJECT })
  .superRefine(needsPrompt);

interface GivenItems {
  readonly prompts?: readonly unknown[] | undefined;
  readonly requests?: readonly unknown[] | undefined;
  readonly settings: Settings;
  /** What answers a request about files, in parts where they are long. */
  readonly aboutFiles: (request: CompletionRequest, files: readonly FileText[]) => BatchEntry;
  /** Default: none. */
  readonly folders?: AllowedFolders | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Different warnings about items; the later ones are left out. */
const MOST_WARNINGS = 10;

/** Yield to the event loop after this many milliseconds. */
const PAUSE_AFTER_MS = 10;

/**
 * One entry for each item. An invalid item becomes an error of its own.
 *
 * @returns with the entries a key that is equal for identical batches, a hash, so that the prompts need not be kept,
 *   and as warnings what was ignored in the items, and what was read, each once.
 */
export async function batchInputOf({
  prompts,
  requests,
  settings,
  aboutFiles,
  folders,
  signal,
}: GivenItems) {
  const hash = createHash("sha256");
  hash.update(`${prompts === undefined ? "requests" : "prompts"} ${membersKey(settings)}`);
  const entries: BatchEntry[] = [];
  const warnings = new Set<string>();
  const files = new BatchFiles(folders, signal, (text) => hash.update(text));
  // Shared files that cannot be read fail the call, and not each item.
  if (settings.files !== undefined) await files.read(settings.files);
  let pausedAt = performance.now();
  for (const item of prompts ?? requests ?? []) {
    hash.update(`,${jsonOf(item)}`);
    const given = prompts === undefined ? item : { prompt: item };
    entries.push(await entryOf(given, { settings, aboutFiles, files, warnings }));
    if (performance.now() - pausedAt < PAUSE_AFTER_MS) continue;
    await setImmediate();
    pausedAt = performance.now();
  }
  const said = [...warnings, ...files.notes].slice(0, MOST_WARNINGS);
  return { entries, key: hash.digest("base64"), warnings: said };
}

type FramedFiles = Pick<GivenFiles, "files" | "images" | "framed">;

/** The files of the items of a batch. Equal lists are read once. */
class BatchFiles {
  readonly #folders: AllowedFolders;
  readonly #signal: AbortSignal | undefined;
  readonly #onText: (text: string) => void;
  readonly notes: string[] = [];
  readonly #read = new Map<string, FramedFiles>();
  /** Lists whose texts were too long; they are not kept. */
  readonly #refused = new Set<string>();
  #length = 0;

  /** @param onText Called with the content of each list that was read, since files may change. */
  constructor(
    folders = new AllowedFolders(),
    signal: AbortSignal | undefined,
    onText: (text: string) => void,
  ) {
    this.#folders = folders;
    this.#signal = signal;
    this.#onText = onText;
  }

  async read(patterns: readonly string[]): Promise<FramedFiles> {
    const key = JSON.stringify(patterns);
    const known = this.#read.get(key);
    if (known !== undefined) return known;
    const options = { signal: this.#signal, withImages: true };
    const { files, images, notes, framed } = await readFiles(patterns, this.#folders, options);
    const read = { files, images, framed };
    this.#read.set(key, read);
    this.notes.push(...notes);
    // All requests share the content of one image.
    this.#length += bytesOf(images);
    for (const text of [framed, ...images.map(({ data }) => data)]) this.#onText(text);
    return read;
  }

  /** The files for one more item. A request with them has its own copy of their texts. */
  async filesFor(patterns: readonly string[]): Promise<FramedFiles> {
    const key = JSON.stringify(patterns);
    if (this.#refused.has(key)) throw tooLong();
    const read = await this.read(patterns);
    if (this.#length + read.framed.length > MOST_FILES_BYTES) {
      this.#refused.add(key);
      this.#read.delete(key);
      this.#length -= bytesOf(read.images);
      throw tooLong();
    }
    this.#length += read.framed.length;
    return read;
  }
}

/** Four characters of base64 are three bytes. */
const bytesOf = (images: FramedFiles["images"]): number =>
  images.reduce((sum, { data }) => sum + (data.length * 3) / 4, 0);

const tooLong = (): FoundryError =>
  new FoundryError("INVALID_ARGUMENT", "The files of this batch are too long together.", {
    action: `Give files with at most ${MOST_FILES_BYTES / 1024 / 1024} MB in all items of a batch.`,
  });

/** A value that is nested too deep for JSON is no request. All of those count as equal. */
function jsonOf(item: unknown): string {
  try {
    return JSON.stringify(item) ?? "";
  } catch {
    return "";
  }
}

async function entryOf(
  item: unknown,
  shared: Pick<GivenItems, "settings" | "aboutFiles"> & {
    readonly files: BatchFiles;
    readonly warnings: Set<string>;
  },
): Promise<BatchEntry> {
  const { settings, aboutFiles, files, warnings } = shared;
  try {
    const { given, warnings: own } = hostArguments(requestSchema, item);
    for (const warning of own) warnings.add(warning);
    // Its own order of models replaces the shared model.
    const model = given.models === undefined ? settings.model : undefined;
    const all = { ...settings, model, ...given };
    const request = requestOf(all);
    if (all.files === undefined) return request;
    const read = await files.filesFor(all.files);
    const asked = requestWithImages(read.images, request);
    if (read.files.length === 0) return asked;
    // Refused here where it cannot have files.
    const whole = requestAfter(read.framed, asked);
    return all.whole === true ? whole : aboutFiles(asked, read.files);
  } catch (thrown) {
    return toFoundryError(thrown);
  }
}
