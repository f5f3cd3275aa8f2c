import * as z from "zod";
import { framedWhole } from "../../../documents/index.js";
import type { AllowedFolders, FileText } from "../../../files/index.js";
import { MOST_FILE_PATTERNS } from "../../../lib/index.js";

const ALLOWED = `a list of 1 to ${MOST_FILE_PATTERNS} paths or globs`;

/** Files of the user, which the server reads itself. */
export const filesArgument = z
  .array(z.string("a path or a glob").min(1, "a path or a glob"), ALLOWED)
  .min(1, ALLOWED)
  .max(MOST_FILE_PATTERNS, ALLOWED);

/** Files in a result, and names in a note. */
const MOST_SHOWN = 20;

/** The files of a call, and what its result says of them. */
export class GivenFiles {
  readonly files: readonly FileText[];
  readonly #skipped: readonly string[];

  private constructor(files: readonly FileText[], skipped: readonly string[]) {
    this.files = files;
    this.#skipped = skipped;
  }

  /** @throws FoundryError as `AllowedFolders.read` does. */
  static async read(
    patterns: readonly string[],
    folders: AllowedFolders,
    signal?: AbortSignal,
  ): Promise<GivenFiles> {
    const skipped: string[] = [];
    const onSkipped = (path: string): void => void skipped.push(path);
    return new GivenFiles(await folders.read(patterns, { signal, onSkipped }), skipped);
  }

  /** The files for a model, each in a frame with its path and lines. */
  get framed(): string {
    return framedWhole(this.files);
  }

  /** For the structured result. */
  get listed() {
    return this.files
      .slice(0, MOST_SHOWN)
      .map((file) => ({ path: file.path, lines: linesOf(file) }));
  }

  get notes(): string[] {
    const { length } = this.files;
    const lines = this.files.reduce((sum, file) => sum + countOf(file), 0);
    const read = `Read ${length} ${length === 1 ? "file" : "files"}, ${lines} ${lines === 1 ? "line" : "lines"}: ${named(this.files.map(({ path }) => path))}.`;
    return [read, ...this.skippedNotes];
  }

  /** Where matches of a glob were not read. */
  get skippedNotes(): string[] {
    if (this.#skipped.length === 0) return [];
    return [`Not read, since they are no text, too large or not allowed: ${named(this.#skipped)}.`];
  }
}

export const linesOf = ({ firstLine, lastLine }: FileText): string => `${firstLine}-${lastLine}`;

const countOf = ({ firstLine, lastLine, totalLines }: FileText): number =>
  totalLines === 0 ? 0 : lastLine - firstLine + 1;

function named(paths: readonly string[]): string {
  const more = paths.length - MOST_SHOWN;
  return `${paths.slice(0, MOST_SHOWN).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
