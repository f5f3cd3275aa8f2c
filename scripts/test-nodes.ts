/**
 * Runs the tests with other versions of Node, which it installs into `.nodes/` from the packages
 * `node-<platform>-<arch>` of the registry.
 *
 *   npm run test:nodes             # the oldest supported version, and the latest of each even one since
 *   npm run test:nodes -- 26       # `e2e` alone, with one of them
 */
import { execFileSync, spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const VERSIONS = ["20.18.1", "22", "24", "26"];

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const isWindows = process.platform === "win32";
const name = `node-${isWindows ? "win" : process.platform}-${process.arch}`;

/** The program of the latest version that fits. */
function programOf(version: string): string {
  // Without the folder of the repository, whose blanks a shell would take for the end of an argument.
  const folder = join(".nodes", version);
  const flags = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
  execFileSync("npm", ["install", ...flags, "--prefix", folder, `${name}@${version}`], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
    shell: isWindows,
  });
  return join(root, folder, "node_modules", name, "bin", isWindows ? "node.exe" : "node");
}

const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const wanted = process.argv.slice(2);
const projects = wanted.length === 0 ? ["unit", "e2e", "long"] : ["e2e"];
const run = ["run", "--retry", "1", ...projects.flatMap((project) => ["--project", project])];
for (const version of wanted.length === 0 ? VERSIONS : wanted) {
  const program = programOf(version);
  const found = execFileSync(program, ["--version"], { encoding: "utf8" }).trim();
  process.stdout.write(`Node ${found}\n`);
  // Once more where a test fails: "npm test" has none of that, and this asks for the version alone.
  const { status } = spawnSync(program, [vitest, ...run], {
    cwd: root,
    stdio: "inherit",
  });
  if (status === 0) continue;
  process.stdout.write(`Node ${found}: some tests failed\n`);
  process.exitCode = 1;
}
