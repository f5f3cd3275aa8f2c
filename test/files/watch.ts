import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { onTestFinished } from "vitest";

const WATCHED = [
  "access",
  "lstat",
  "open",
  "opendir",
  "readdir",
  "readFile",
  "readlink",
  "realpath",
  "rename",
  "stat",
  "writeFile",
] as const;

type Before = (call: string, path: string) => void;

/**
 * Records each path that this process accesses, until the test has finished. `before` runs before
 * each call; its own accesses are not recorded.
 */
export function watchedPaths(before: Before = () => {}): string[] {
  const paths: string[] = [];
  let isOwn = false;
  const originals = WATCHED.map((name) => [name, Reflect.get(fs.promises, name)] as const);
  for (const [name, original] of originals) {
    const watched = (path: unknown, ...rest: unknown[]): unknown => {
      if (!isOwn) {
        paths.push(String(path));
        isOwn = true;
        before(name, String(path));
        isOwn = false;
      }
      return Reflect.apply(original, fs.promises, [path, ...rest]);
    };
    Reflect.set(fs.promises, name, watched);
  }
  syncBuiltinESMExports();
  onTestFinished(() => {
    for (const [name, original] of originals) Reflect.set(fs.promises, name, original);
    syncBuiltinESMExports();
  });
  return paths;
}
