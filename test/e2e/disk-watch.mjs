// Preloaded into a server: writes each path that the server accesses on the disk into a file.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const log = process.env.DISK_WATCH_LOG;
const { appendFileSync } = fs;
/** The recording itself uses watched functions, too. */
let isLogging = false;

function watch(object) {
  for (const name of Object.keys(object)) {
    const original = object[name];
    const isWatched =
      /^(access|chmod|copyFile|cp|exists|link|lstat|mkdir|open|opendir|read|readdir|readFile|readlink|realpath|rename|rm|stat|symlink|truncate|unlink|writeFile)(Sync)?$/;
    if (typeof original !== "function" || !isWatched.test(name)) continue;
    object[name] = Object.assign((...args) => {
      const paths = args.slice(0, 2).filter((arg) => typeof arg === "string" || arg instanceof URL);
      if (paths.length > 0 && !isLogging) {
        isLogging = true;
        appendFileSync(log, `${name} ${paths.join(" ")}\n`);
        isLogging = false;
      }
      return original.apply(object, args);
    }, original);
  }
}

if (log !== undefined) {
  watch(fs.promises);
  watch(fs);
  syncBuiltinESMExports();
}
