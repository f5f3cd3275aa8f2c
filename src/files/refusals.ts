import {
  counted,
  FoundryError,
  formatMegabytes,
  LONGEST_FILE_PATTERN,
  LONGEST_SHOWN_PATH,
  MOST_FILES_BYTES,
  MOST_GLOB_CHOICES,
  MOST_IMAGES,
  MOST_STARS,
  MOST_STARS_IN_PART,
  printable,
} from "../lib/index.js";
import { folderSeparator } from "../platform/index.js";

/**
 * Why a file is not read or written. No text says whether something outside the allowed folders exists: a
 * path that leads outside has the same words, whatever is there.
 */

/** A path of a caller or of the disk, fit to be shown. */
const shown = (path: string): string => `"${printable(path, LONGEST_SHOWN_PATH)}"`;

const wrong = (message: string, action: string): FoundryError =>
  new FoundryError("INVALID_ARGUMENT", message, { action });

const notAllowed = (message: string, action: string): FoundryError =>
  new FoundryError("FILE_NOT_ALLOWED", message, { action });

export function noneAllowed(): FoundryError {
  const { platform } = process;
  const example = platform === "win32" ? "C:\\\\Users\\\\me\\\\notes" : "/home/me/notes";
  return notAllowed(
    "The user has not allowed this server any folder.",
    `Ask the user to allow one: in the entry of this server in the host's configuration, "env": {"FOUNDRY_FILES": "${example}"} (several folders are separated by "${folderSeparator(platform)}"), then restart the server. Until then, put the text into the prompt.`,
  );
}

export const noFolderThere = (): FoundryError =>
  notAllowed(
    "None of the folders in FOUNDRY_FILES exists.",
    "Ask the user to correct FOUNDRY_FILES in the host's configuration, then restart the server.",
  );

/** @param folders Names of the allowed folders. */
export const outside = (given: string, folders: readonly string[]): FoundryError =>
  notAllowed(
    `${shown(given)} is not inside a folder that the user allowed.`,
    `Give a path inside an allowed folder (${namesOf(folders)}), relative to it or absolute. Only the user can allow another folder, with FOUNDRY_FILES.`,
  );

const namesOf = (folders: readonly string[]): string =>
  folders
    .slice(0, 10)
    .map((name) => printable(name, 60))
    .join(", ");

export const notThere = (given: string, folders: readonly string[]): FoundryError =>
  wrong(
    `There is no file ${shown(given)} in the allowed folders (${namesOf(folders)}).`,
    "Give a path relative to an allowed folder, an absolute path, or a glob such as **/*.md.",
  );

export const noMatch = (given: string, folders: readonly string[]): FoundryError =>
  wrong(
    `No file in the allowed folders (${namesOf(folders)}) matches ${shown(given)}.`,
    "Give another glob, such as **/*.md. Names that begin with a dot, and node_modules, match only where the glob has them.",
  );

export const isFolder = (path: string): FoundryError =>
  wrong(`${shown(path)} is a folder.`, "Give a file, or a glob such as folder/**/*.md.");

export const notOrdinary = (path: string): FoundryError =>
  wrong(`${shown(path)} is not an ordinary file.`, "Give a text file.");

export const tooLargeFile = (path: string, bytes: number, most: number): FoundryError =>
  wrong(
    `${shown(path)} has ${megabytes(bytes)}; at most ${megabytes(most)} are read.`,
    "Give a smaller file, or a part of it in a file of its own.",
  );

export const tooMuch = (): FoundryError =>
  wrong(
    `The files have more than ${megabytes(MOST_FILES_BYTES)} together.`,
    "Give fewer files in one call.",
  );

export const tooMany = (most: number): FoundryError =>
  wrong(`These are more than ${most} files.`, "Give fewer files in one call.");

export const binary = (path: string): FoundryError =>
  wrong(
    `${shown(path)} is neither text nor an image in PNG, JPEG, GIF or WebP.`,
    "Convert it first, and give the new file.",
  );

/** @param mayTake Whether the tool takes images that are named as such. */
export const isImage = (path: string, mayTake: boolean): FoundryError =>
  mayTake
    ? wrong(
        `${shown(path)} is an image.`,
        "Give an image by its own path or by a glob with its ending, such as *.png, and without lines.",
      )
    : wrong(
        `${shown(path)} is an image, and this tool reads text.`,
        "Give images to complete or complete_batch.",
      );

export const tooManyImages = (): FoundryError =>
  wrong(`These are more than ${MOST_IMAGES} images.`, "Give fewer images in one call.");

export const needsConversion = (path: string, kind: string): FoundryError =>
  wrong(
    `${shown(path)} is ${kind}, which this server does not read.`,
    "Convert it to text first, for example with pdftotext or pandoc, and give the text file.",
  );

export const changed = (path: string): FoundryError =>
  new FoundryError("FILE_NOT_ALLOWED", `${shown(path)} was replaced while it was opened.`, {
    action: "Repeat the call when nothing replaces the file any more.",
    retryable: true,
  });

export const unreadable = (path: string, isForbidden: boolean): FoundryError =>
  wrong(
    `${shown(path)} ${isForbidden ? "may not be read by this user" : "cannot be read"}.`,
    "Give another file, or ask the user to check it.",
  );

export const isTaken = (path: string): FoundryError =>
  wrong(`${shown(path)} exists already.`, "Give another name: no file is replaced.");

export const noParent = (path: string): FoundryError =>
  wrong(`The folder of ${shown(path)} does not exist.`, "Give a path in a folder that exists.");

export const notWritable = (path: string): FoundryError =>
  notAllowed(
    `This server does not write to ${shown(path)}: a part of it begins with a dot, or is not the name of a file.`,
    "Give a path in an allowed folder whose parts do not begin with a dot and are names of files on this system.",
  );

export const cannotWrite = (path: string): FoundryError =>
  wrong(
    `${shown(path)} could not be written.`,
    "Give another path, or ask the user whether this user may write there and the disk has room.",
  );

export const lateDisk = (given: string): FoundryError =>
  new FoundryError("TIMEOUT", `The disk did not answer in time for ${shown(given)}.`, {
    action: "Try again, or give a narrower path. A share in the network may be away.",
    retryable: true,
    phase: "whole",
  });

export const badRange = (given: string): FoundryError =>
  wrong(
    `${shown(given)} has a range without lines.`,
    "Lines count from 1: notes.md:10-40, notes.md:10- or notes.md:10.",
  );

export const pastTheEnd = (path: string, lines: number): FoundryError =>
  wrong(`${shown(path)} has only ${counted(lines, "line")}.`, "Give a range of lines that it has.");

export const tooLongPattern = (given: string): FoundryError =>
  wrong(
    `The path ${shown(given)} is too long.`,
    `Give at most ${LONGEST_FILE_PATTERN} characters.`,
  );

export const tooComplex = (given: string): FoundryError =>
  wrong(
    `The glob ${shown(given)} has too many stars or alternatives.`,
    `Use at most ${MOST_STARS} stars, ${MOST_STARS_IN_PART} of them between two slashes, and {a,b} with at most ${MOST_GLOB_CHOICES} combinations.`,
  );

export const tooWide = (given: string): FoundryError =>
  wrong(
    `The glob ${shown(given)} would look at too many names.`,
    "Begin it with a subfolder, such as docs/**/*.md.",
  );

const megabytes = (bytes: number): string =>
  bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KB` : formatMegabytes(bytes / 1024 / 1024);
