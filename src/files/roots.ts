import { realpath, stat } from "node:fs/promises";
import { insideOf, type Root } from "./opened-file.js";
import { isAbsolutePath, partsInside, pathsOf } from "./paths.js";

/** A path by its parts, inside an allowed folder. */
export interface Target {
  readonly root: Root;
  readonly parts: readonly string[];
}

const { platform } = process;
const { resolve } = pathsOf(platform);

/** The last parts of each folder, as few as make it different from the others. */
export function namesOf(folders: readonly string[]): string[] {
  const parts = folders.map((folder) => folder.split(/[\\/]/).filter((part) => part !== ""));
  return parts.map((own, at) => {
    const others = parts.filter((_, index) => index !== at);
    const isSame = (count: number): boolean =>
      others.some((other) => endOf(other, count) === endOf(own, count));
    let count = 1;
    while (count < own.length && isSame(count)) count += 1;
    return endOf(own, count);
  });
}

const endOf = (parts: readonly string[], count: number): string => parts.slice(-count).join("/");

/** The folder without links; `null` where it does not exist. */
export async function rootOf(folder: string, name: string | null): Promise<Root | null> {
  try {
    const real = await realpath(folder);
    return (await stat(real)).isDirectory() ? { folder, real, name } : null;
  } catch {
    return null;
  }
}

/** Where a path may be, by its text alone. None: outside of all folders. */
export function targetsOf(path: string, roots: readonly Root[]): readonly Target[] {
  const isAbsolute = isAbsolutePath(path, platform);
  if (isAbsolute === null) return [];
  if (!isAbsolute) {
    // As results show paths, and then in each folder.
    return [
      ...roots.flatMap((root) => namedTargets(root, path)),
      ...roots.flatMap((root) => targetsIn(root, path)),
    ];
  }
  const inside = insideOf(resolve(path), roots);
  return inside === null ? [] : [inside];
}

/** A path that begins with the name of the folder. */
function namedTargets(root: Root, path: string): Target[] {
  const { name } = root;
  if (name === null || !`${path}/`.startsWith(`${name}/`)) return [];
  return targetsIn(root, `./${path.slice(name.length + 1)}`);
}

function targetsIn(root: Root, path: string): Target[] {
  const parts = partsInside(root.real, resolve(root.real, path), platform);
  return parts === null ? [] : [{ root, parts }];
}
