import { framedWhole } from "../../../documents/index.js";
import type { AllowedFolders, FileImage, FileText } from "../../../files/index.js";
import { counted } from "../../../lib/index.js";

/** Files in a result, and names in a note. */
const MOST_SHOWN = 20;

const IMAGE_ENDING = /\.(?:png|jpe?g|gif|webp)$/i;
const IMAGE_HINT =
  " Images are given to a model by complete and complete_batch, by their own path or by a glob such as *.png.";

/** The files of a call, and what its result says of them. */
export type GivenFiles = Awaited<ReturnType<typeof readFiles>>;

/**
 * Reads texts, and images where they are taken.
 *
 * @throws FoundryError as `AllowedFolders.read` does.
 */
export async function readFiles(
  patterns: readonly string[],
  folders: AllowedFolders,
  {
    signal,
    withImages = false,
  }: { readonly signal?: AbortSignal | undefined; readonly withImages?: boolean },
) {
  const images: FileImage[] = [];
  const skipped: string[] = [];
  let wantsLines = false;
  const files = await folders.read(patterns, {
    signal,
    onImage: withImages ? (image) => void images.push(image) : undefined,
    onSkipped: (path, _why, hasRange) => {
      skipped.push(path);
      wantsLines ||= hasRange;
    },
  });
  const texts = files.map((file) => ({ path: file.path, lines: linesOf(file) }));
  const pictures = images.map(({ path, mimeType }) => ({ path, image: mimeType }));
  /** Where matches of a glob were not read. */
  const skippedNotes = skipped.length === 0 ? [] : [skippedNote(skipped, wantsLines)];
  return {
    /** Those with text. */
    files,
    images,
    /** The texts for a model, each in a frame with its path and lines; empty where there are none. */
    get framed(): string {
      return files.length === 0 ? "" : framedWhole(files);
    },
    /** For the structured result. */
    listed: [...texts, ...pictures].slice(0, MOST_SHOWN),
    notes: [...textNotes(files), ...imageNotes(images), ...skippedNotes],
    skippedNotes,
  };
}

function textNotes(files: readonly FileText[]): string[] {
  if (files.length === 0) return [];
  const lines = files.reduce((sum, file) => sum + countOf(file), 0);
  return [`Read ${counted(files.length, "file")}, ${counted(lines, "line")}: ${namesOf(files)}.`];
}

const imageNotes = (images: readonly FileImage[]): string[] =>
  images.length === 0 ? [] : [`Read ${counted(images.length, "image")}: ${namesOf(images)}.`];

function skippedNote(paths: readonly string[], wantsLines: boolean): string {
  const hint = paths.some((path) => IMAGE_ENDING.test(path)) ? IMAGE_HINT : "";
  const why = wantsLines
    ? "no text, too large, not allowed or without these lines"
    : "no text, too large or not allowed";
  return `Not read, since they are ${why}: ${named(paths)}.${hint}`;
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
