/**
 * Runs the tests of the built executable with other versions of Node, which it installs into `.nodes/` from
 * the packages `node-<platform>-<arch>` of the registry.
 *
 *   npm run test:nodes             # the oldest supported version, and each major version since
 *   npm run test:nodes -- 26       # one of them
 */
import { execFileSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const VERSIONS = ["20.18.1", "22", "24", "26"];

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const isWindows = process.platform === "win32";
const name = `node-${isWindows ? "win" : process.platform}-${process.arch}`;

/** The program of a version, installed where it is missing. */
function programOf(version: string): string {
  const folder = join(root, ".nodes", version);
  const program = join(folder, "node_modules", name, "bin", isWindows ? "node.exe" : "node");
  if (existsSync(program)) return program;
  rmSync(folder, { recursive: true, force: true });
  const flags = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
  execFileSync("npm", ["install", ...flags, "--prefix", folder, `${name}@${version}`], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
    shell: isWindows,
  });
  return program;
}

const wanted = process.argv.slice(2);
for (const version of wanted.length === 0 ? VERSIONS : wanted) {
  const program = programOf(version);
  const found = execFileSync(program, ["--version"], { encoding: "utf8" }).trim();
  process.stdout.write(`Node ${found}\n`);
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  // Once more where a test fails: "npm test" has none of that, and this asks for the version alone.
  execFileSync(program, [vitest, "run", "--project", "e2e", "--retry", "1"], {
    cwd: root,
    stdio: "inherit",
  });
}
