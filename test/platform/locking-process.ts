import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { FileLocks } from "../../src/platform/file-lock.js";

/** `node --import tsx locking-process.ts <directory> <umask>`: prints the modes of directory and lock. */
const [directory = "", mask = ""] = process.argv.slice(2);
process.umask(Number(mask));
await new FileLocks(directory).tryLock();
const paths = [directory, ...readdirSync(directory).map((name) => join(directory, name))];
process.stdout.write(paths.map((path) => (statSync(path).mode & 0o777).toString(8)).join(" "));
process.exit();
