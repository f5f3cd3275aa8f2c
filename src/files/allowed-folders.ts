import { join } from "node:path";
import {
  ALLOWED_FILE_MS,
  FoundryError,
  imageTypeOf,
  LONGEST_FILE_PATTERN,
  LONGEST_IMAGE_BYTES,
  LONGEST_SHOWN_PATH,
  MOST_FILE_BYTES,
  MOST_FILE_PATTERNS,
  MOST_FILES,
  MOST_FILES_BYTES,
  MOST_IMAGES,
  printable,
  throwIfAborted,
} from "../lib/index.js";
import { inPool, LATE } from "../platform/index.js";
import { type FileImage, type FileText, imageIn, namesEndingOf, textIn } from "./content.js";
import { GlobWalk } from "./glob-walk.js";
import { freePlace, type NewFile, writeNew } from "./new-file.js";
import {
  asPathError,
  PathError,
  type PathFault,
  placeOf,
  readInside,
  realFolder,
} from "./opened-file.js";
import { isWritableName, namesOf, type Root, type Target, targetsOf } from "./paths.js";
import { baseOf, isGlob, type LineRange, matcherOf, type Pattern, patternOf } from "./pattern.js";
import * as refusals from "./refusals.js";

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Called for each image that is named by its path, or by a glob for images, such as `*.png`. Default: an image is
   * refused, as all that is no text.
   */
  readonly onImage?: ((image: FileImage) => void) | undefined;
  /**
   * Called for each match of a glob that is not read, such as a picture. Without a glob it is an error.
   *
   * @param hasRange Whether only some of its lines were wanted, which it may not have.
   */
  readonly onSkipped?: ((path: string, why: FoundryError, hasRange: boolean) => void) | undefined;
}

interface Wanted extends Target {
  readonly lines: LineRange | null;
  readonly given: string;
  /** Of a glob, which may match what is not meant. */
  readonly isMatch: boolean;
  /** Whether it is to be seen if it is an image. */
  readonly isImageMeant: boolean;
}

const { platform } = process;

/** The folders that the user allowed this server, and the only way to their files. */
export class AllowedFolders {
  readonly #folders: readonly string[];
  /** As texts show the folders. */
  readonly #names: readonly string[];

  /** @param folders Absolute paths, as `FOUNDRY_FILES` gives them. Default: none. */
  constructor(folders: readonly string[] = []) {
    this.#folders = folders;
    this.#names = namesOf(folders);
  }

  get isEmpty(): boolean {
    return this.#folders.length === 0;
  }

  /**
   * Reads text files. Each pattern is a path, relative to an allowed folder or absolute, or a glob, with
   * lines where it ends like `notes.md:10-40`. The files come in the order of the patterns, those of a glob
   * sorted by their paths, each once for the same lines.
   *
   * @throws FoundryError `FILE_NOT_ALLOWED` for a path outside the folders, `INVALID_ARGUMENT` for a file
   *   that is absent, too large or no text, `TIMEOUT`, `CANCELLED`.
   */
  async read(
    patterns: readonly string[],
    { signal, onImage, onSkipped }: ReadOptions = {},
  ): Promise<FileText[]> {
    if (this.isEmpty) throw refusals.noneAllowed();
    if (patterns.length > MOST_FILE_PATTERNS) throw refusals.tooMany(MOST_FILE_PATTERNS);
    const roots = await this.#roots();
    const walk = new GlobWalk(roots, signal);
    const wanted = new Map<string, Wanted>();
    for (const pattern of patterns.map((given) => patternOf(given, platform))) {
      for (const file of await this.#wantedBy(pattern, roots, walk)) {
        // One allowed folder may lie in another.
        const key = JSON.stringify([join(file.root.real, ...file.parts), file.lines]);
        wanted.set(key, clearerOf(file, wanted.get(key)));
        if (wanted.size > MOST_FILES) throw refusals.tooMany(MOST_FILES);
      }
    }
    const files: FileText[] = [];
    let bytes = 0;
    let images = 0;
    let firstSkipped: FoundryError | null = null;
    for (const each of wanted.values()) {
      throwIfAborted(signal);
      try {
        const takesImage = onImage !== undefined && each.isImageMeant;
        const read = await this.#read(each, roots, takesImage);
        const image = imageIn(read);
        if (image === null) {
          files.push(textIn(read));
        } else {
          if (!takesImage) throw refusals.isImage(read.given, onImage !== undefined);
          images += 1;
          onImage(image);
        }
        bytes += read.bytes.length;
      } catch (thrown) {
        if (!each.isMatch || !(thrown instanceof FoundryError)) throw thrown;
        firstSkipped ??= thrown;
        onSkipped?.(this.#shownPath(each), thrown, each.lines !== null);
      }
      if (bytes > MOST_FILES_BYTES) throw refusals.tooMuch();
      if (images > MOST_IMAGES) throw refusals.tooManyImages();
    }
    if (files.length + images === 0 && firstSkipped !== null) throw firstSkipped;
    return files;
  }

  /**
   * Checks where a new file is to be written, before the work for its text begins.
   *
   * @throws FoundryError `FILE_NOT_ALLOWED`, `INVALID_ARGUMENT` for a name that is taken and a folder that is
   *   absent.
   */
  async newFile(given: string): Promise<NewFile> {
    if (this.isEmpty) throw refusals.noneAllowed();
    if (given.length > LONGEST_FILE_PATTERN) throw refusals.tooLongPattern(given);
    const roots = await this.#roots();
    const path = platform === "win32" ? given.replaceAll("\\", "/") : given;
    const files = this.#placesOf(path, given, roots)
      .filter(
        ({ parts }) => parts.length > 0 && parts.every((part) => isWritableName(part, platform)),
      )
      .map(({ root, parts }) => ({
        folder: { root, parts: parts.slice(0, -1) },
        name: parts.at(-1) ?? "",
      }));
    if (files.length === 0) throw refusals.notWritable(given);
    let refusal: FoundryError | null = null;
    for (const file of files) {
      const fault = await this.#faultOf(() => freePlace(file, roots), given);
      if (fault === null) return file;
      // A name that is taken is not looked for elsewhere: the repeated call would write a second file.
      if (fault === "exists") throw this.#writeRefusal(fault, given);
      refusal ??= this.#writeRefusal(fault, given);
    }
    throw refusal ?? refusals.outside(given, this.#names);
  }

  /**
   * Writes a text to a new file, which only this user may read. It has its name only when it is whole.
   *
   * @throws FoundryError as {@link newFile}
   */
  async write(file: NewFile, text: string): Promise<{ readonly path: string }> {
    const { root, parts } = file.folder;
    const path = this.#shownPath({ root, parts: [...parts, file.name] });
    const roots = await this.#roots();
    const fault = await this.#faultOf(() => writeNew(file, text, roots), path);
    if (fault !== null) throw this.#writeRefusal(fault, path);
    return { path };
  }

  async #onDisk<T>(work: () => Promise<T>, given: string): Promise<T> {
    const outcome = await inPool(() => work().catch(asPathError), ALLOWED_FILE_MS);
    if (outcome === LATE) throw refusals.lateDisk(given);
    return outcome;
  }

  /** Why work on the disk was not done; `null` where it was. */
  async #faultOf(work: () => Promise<unknown>, given: string): Promise<PathFault | null> {
    try {
      await this.#onDisk(work, given);
      return null;
    } catch (thrown) {
      if (thrown instanceof PathError) return thrown.fault;
      throw thrown;
    }
  }

  #writeRefusal(fault: PathFault, path: string): FoundryError {
    switch (fault) {
      case "outside":
        return refusals.outside(path, this.#names);
      case "exists":
        return refusals.isTaken(path);
      case "no_folder":
      case "absent":
        return refusals.noParent(path);
      case "changed":
        return refusals.changed(path);
      default:
        return refusals.cannotWrite(path);
    }
  }

  /** The allowed folders that exist. */
  async #roots(): Promise<readonly Root[]> {
    const roots: Root[] = [];
    for (const [at, folder] of this.#folders.entries()) {
      const name = this.#names[at] ?? "";
      let hasBegun = false;
      const look = () => {
        hasBegun = true;
        return realFolder(folder);
      };
      const real = await inPool(look, ALLOWED_FILE_MS);
      // Where it has not begun, other work holds it up.
      if (real === LATE) throw refusals.lateDisk(hasBegun ? name : "FOUNDRY_FILES");
      if (real !== null) {
        roots.push({ folder, real, name: this.#folders.length === 1 ? null : name });
      }
    }
    if (roots.length === 0) throw refusals.noFolderThere();
    return roots;
  }

  async #wantedBy(
    { given, path, lines }: Pattern,
    roots: readonly Root[],
    walk: GlobWalk,
  ): Promise<readonly Wanted[]> {
    const asWritten = await this.#pathAsWritten(path, given, roots);
    if (asWritten !== null) {
      return [{ ...asWritten, lines, given, isMatch: false, isImageMeant: lines === null }];
    }
    const { base, rest } = baseOf(path);
    if (rest.split("/").includes("..")) throw refusals.outside(given, this.#names);
    const matcher = matcherOf(rest, given, platform);
    const matches: Wanted[] = [];
    for (const folder of this.#placesOf(base, given, roots)) {
      // In a single folder, its own name is only another way to it.
      if (folder.root.name === null && matches.length > 0) break;
      for (const match of await walk.matches(folder, matcher, given)) {
        const isImageMeant = lines === null && namesEndingOf(match.parts.at(-1) ?? "", rest);
        matches.push({ ...match, lines, given, isMatch: true, isImageMeant });
      }
    }
    if (matches.length === 0) throw refusals.noMatch(given, this.#names);
    return matches;
  }

  /** The place that a path names by itself; `null` for a glob. The name of a file may have brackets. */
  async #pathAsWritten(
    path: string,
    given: string,
    roots: readonly Root[],
  ): Promise<Target | null> {
    const targets = isGlob(path) && path.includes("*") ? [] : this.#placesOf(path, given, roots);
    for (const target of targets) {
      const fault = await this.#faultOf(() => placeOf(target, roots), given);
      if (isGlob(path) ? fault === null : fault !== "absent") return target;
    }
    return isGlob(path) ? null : (targets[0] ?? null);
  }

  #placesOf(path: string, given: string, roots: readonly Root[]): readonly Target[] {
    const targets = targetsOf(path, roots);
    if (targets.length === 0) throw refusals.outside(given, this.#names);
    return targets;
  }

  async #read(wanted: Wanted, roots: readonly Root[], takesImage: boolean) {
    const { lines, isMatch } = wanted;
    const path = this.#shownPath(wanted);
    const given = isMatch ? path : wanted.given;
    const most = takesImage ? Math.max(MOST_FILE_BYTES, LONGEST_IMAGE_BYTES) : MOST_FILE_BYTES;
    const read = () => readInside(wanted, roots, most);
    const bytes = await this.#onDisk(read, given).catch((thrown: unknown) => {
      throw thrown instanceof PathError ? this.#refusal(thrown, given, most) : thrown;
    });
    if (bytes.length > MOST_FILE_BYTES && imageTypeOf(bytes) === null) {
      throw refusals.tooLargeFile(given, bytes.length, MOST_FILE_BYTES);
    }
    return { bytes, path, given, lines };
  }

  #refusal({ fault, size }: PathError, path: string, maxBytes: number): FoundryError {
    switch (fault) {
      case "outside":
        return refusals.outside(path, this.#names);
      case "absent":
        return refusals.notThere(path, this.#names);
      case "folder":
        return refusals.isFolder(path);
      case "not_ordinary":
        return refusals.notOrdinary(path);
      case "changed":
        return refusals.changed(path);
      case "too_large":
        return refusals.tooLargeFile(path, size, maxBytes);
      default:
        return refusals.unreadable(path, fault === "forbidden");
    }
  }

  #shownPath({ root, parts }: Target): string {
    const named = [root.name ?? "", ...parts];
    return printable(named.filter((part) => part !== "").join("/"), LONGEST_SHOWN_PATH);
  }
}

/** One file may be wanted by its path and by globs. What says most clearly that it is meant counts. */
function clearerOf(one: Wanted, other: Wanted | undefined): Wanted {
  if (other === undefined) return one;
  const rank = ({ isMatch, isImageMeant }: Wanted): number => (isMatch ? Number(isImageMeant) : 2);
  return rank(one) > rank(other) ? one : other;
}
