import * as z from "zod";
import { framedWhole } from "../../../documents/index.js";
import type { AllowedFolders, FileImage, FileText, ReadOptions } from "../../../files/index.js";
import { MOST_FILE_PATTERNS } from "../../../lib/index.js";
import { listOf } from "../../tool.js";

/** Files of the user, which the server reads itself. */
export const filesArgument = listOf(
  z.string("a path or a glob").min(1, "a path or a glob"),
  MOST_FILE_PATTERNS,
  `a list of 1 to ${MOST_FILE_PATTERNS} paths or globs`,
);

/** Files in a result, and names in a note. */
const MOST_SHOWN = 20;

const IMAGE_ENDING = /\.(?:png|jpe?g|gif|webp)$/i;
const IMAGE_HINT =
  " Images are given to a model by complete and complete_batch, by their own path or by a glob such as *.png.";

interface ReadFiles {
  readonly files: readonly FileText[];
  readonly images: readonly FileImage[];
  readonly skipped: readonly string[];
}

/** The files of a call, and what its result says of them. */
export class GivenFiles {
  /** Those with text. */
  readonly files: readonly FileText[];
  readonly images: readonly FileImage[];
  readonly #skipped: readonly string[];

  private constructor({ files, images, skipped }: ReadFiles) {
    this.files = files;
    this.images = images;
    this.#skipped = skipped;
  }

  /**
   * Reads texts alone.
   *
   * @throws FoundryError as `AllowedFolders.read` does.
   */
  static async readTexts(
    patterns: readonly string[],
    folders: AllowedFolders,
    signal?: AbortSignal,
  ): Promise<GivenFiles> {
    return GivenFiles.#read(patterns, folders, { signal });
  }

  /**
   * Reads texts and images.
   *
   * @throws FoundryError as `AllowedFolders.read` does.
   */
  static async read(
    patterns: readonly string[],
    folders: AllowedFolders,
    signal?: AbortSignal,
  ): Promise<GivenFiles> {
    const images: FileImage[] = [];
    const onImage = (image: FileImage): void => void images.push(image);
    return GivenFiles.#read(patterns, folders, { signal, onImage }, images);
  }

  static async #read(
    patterns: readonly string[],
    folders: AllowedFolders,
    options: ReadOptions,
    images: readonly FileImage[] = [],
  ): Promise<GivenFiles> {
    const skipped: string[] = [];
    const onSkipped = (path: string): void => void skipped.push(path);
    const files = await folders.read(patterns, { ...options, onSkipped });
    return new GivenFiles({ files, images, skipped });
  }

  /** The texts for a model, each in a frame with its path and lines; empty where there are none. */
  get framed(): string {
    return this.files.length === 0 ? "" : framedWhole(this.files);
  }

  /** For the structured result. */
  get listed() {
    const texts = this.files.map((file) => ({ path: file.path, lines: linesOf(file) }));
    const images = this.images.map(({ path, mimeType }) => ({ path, image: mimeType }));
    return [...texts, ...images].slice(0, MOST_SHOWN);
  }

  get notes(): string[] {
    return [...this.#textNotes, ...this.#imageNotes, ...this.skippedNotes];
  }

  get #textNotes(): string[] {
    const { length } = this.files;
    if (length === 0) return [];
    const lines = this.files.reduce((sum, file) => sum + countOf(file), 0);
    return [
      `Read ${length} ${length === 1 ? "file" : "files"}, ${lines} ${lines === 1 ? "line" : "lines"}: ${namesOf(this.files)}.`,
    ];
  }

  get #imageNotes(): string[] {
    const { length } = this.images;
    if (length === 0) return [];
    return [`Read ${length} ${length === 1 ? "image" : "images"}: ${namesOf(this.images)}.`];
  }

  /** Where matches of a glob were not read. */
  get skippedNotes(): string[] {
    if (this.#skipped.length === 0) return [];
    const hint = this.#skipped.some((path) => IMAGE_ENDING.test(path)) ? IMAGE_HINT : "";
    return [
      `Not read, since they are no text, too large or not allowed: ${named(this.#skipped)}.${hint}`,
    ];
  }
}

export const linesOf = ({ firstLine, lastLine }: FileText): string => `${firstLine}-${lastLine}`;

const countOf = ({ firstLine, lastLine, totalLines }: FileText): number =>
  totalLines === 0 ? 0 : lastLine - firstLine + 1;

const namesOf = (files: readonly { readonly path: string }[]): string =>
  named(files.map(({ path }) => path));

function named(paths: readonly string[]): string {
  const more = paths.length - MOST_SHOWN;
  return `${paths.slice(0, MOST_SHOWN).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
