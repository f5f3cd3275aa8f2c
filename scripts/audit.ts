/**
 * Known vulnerabilities (`npm audit`) of the packages that the bundles contain. Exit code 1 if there are any. Those
 * of other tools of the development are printed only. Without an answer of the registry nothing is checked.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";

const root = fileURLToPath(new URL("..", import.meta.url));
const TIMEOUT_MS = 60_000;

const reportSchema = z.object({
  vulnerabilities: z.record(
    z.string(),
    z.object({ severity: z.string(), range: z.string().default("") }),
  ),
});

/** The packages that the source imports. */
function imported(): Set<string> {
  const names = new Set<string>();
  for (const folder of ["src", "packages/simulator/src"]) {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true, recursive: true })) {
      if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
      const text = readFileSync(join(entry.parentPath, entry.name), "utf8");
      for (const [, path = ""] of text.matchAll(/(?:from|import\() ?"((?:@[\w.-]+\/)?[\w.-]+)/g)) {
        if (!path.startsWith(".") && !builtinModules.includes(path)) names.add(path);
      }
    }
  }
  return names;
}

/** These packages and all that they depend on. */
function withDependencies(names: Iterable<string>, found = new Set<string>()): Set<string> {
  for (const name of names) {
    const manifest = join(root, "node_modules", name, "package.json");
    if (found.has(name) || !existsSync(manifest)) continue;
    found.add(name);
    const { dependencies } = Object(JSON.parse(readFileSync(manifest, "utf8")));
    withDependencies(Object.keys(Object(dependencies)), found);
  }
  return found;
}

function audited() {
  const npm = process.env["npm_execpath"];
  const given = ["audit", "--json", "--fetch-retries=0", "--fetch-timeout=30000"];
  const [program, args] = npm === undefined ? ["npm", given] : [process.execPath, [npm, ...given]];
  const { stdout } = spawnSync(program, args, { cwd: root, encoding: "utf8", timeout: TIMEOUT_MS });
  try {
    return reportSchema.safeParse(JSON.parse(stdout)).data;
  } catch {
    return undefined;
  }
}

const report = audited();
if (report === undefined) {
  process.stdout.write("The packages are not audited: there is no answer of the registry.\n");
} else {
  const bundled = withDependencies(imported());
  for (const [name, { severity, range }] of Object.entries(report.vulnerabilities)) {
    const where = bundled.has(name) ? "in the bundles" : "in a tool of the development";
    process.stdout.write(`${name} ${range}: ${severity}, ${where}\n`);
    if (bundled.has(name)) process.exitCode = 1;
  }
}
