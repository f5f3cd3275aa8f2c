import { realpath, stat } from "node:fs/promises";
import { insideOf, type Root } from "./opened-file.js";
import { isAbsolutePath, partsInside, pathsOf } from "./paths.js";

/** A path by its parts, inside an allowed folder. */
export interface Target {
  readonly root: Root;
  readonly parts: readonly string[];
}

const { platform } = process;
const { basename, resolve } = pathsOf(platform);

export const nameOf = (folder: string): string => basename(folder);

/** The folder without links; `null` where it does not exist. */
export async function rootOf(folder: string): Promise<Root | null> {
  try {
    const real = await realpath(folder);
    return (await stat(real)).isDirectory() ? { folder, real, name: nameOf(folder) } : null;
  } catch {
    return null;
  }
}

/** Where a path may be, by its text alone. None: outside of all folders. */
export function targetsOf(path: string, roots: readonly Root[]): readonly Target[] {
  const isAbsolute = isAbsolutePath(path, platform);
  if (isAbsolute === null) return [];
  if (!isAbsolute) return roots.flatMap((root) => relativeTargets(root, path, roots));
  const inside = insideOf(resolve(path), roots);
  return inside === null ? [] : [inside];
}

/** A relative path in a folder, also behind the name of the folder where there are several. */
function relativeTargets(root: Root, path: string, { length }: readonly Root[]): Target[] {
  const [first, ...rest] = path.split("/");
  const ways = length > 1 && first === root.name ? [path, `./${rest.join("/")}`] : [path];
  return ways.flatMap((way) => {
    const parts = partsInside(root.real, resolve(root.real, way), platform);
    return parts === null ? [] : [{ root, parts }];
  });
}
