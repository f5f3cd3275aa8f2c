/**
 * Makes and publishes a release: package, bundle, checksums, notes, entry of the MCP registry. With
 * `--dry-run` it makes all files and only prints the commands that would publish them.
 */
import { spawnSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { makeBundle, npm } from "./distribution/bundle.js";
import { BUNDLE_FILE } from "./distribution/bundle-manifest.js";
import { PRODUCT } from "./distribution/description.js";
import { serverJson } from "./distribution/registry.js";
import { publications, releaseNotes, releaseProblems, sha256 } from "./distribution/release.js";

const PAUSE_MS = 30_000;
const root = fileURLToPath(new URL("../", import.meta.url));
const { values } = parseArgs({
  options: {
    "dry-run": { type: "boolean", default: false },
    tag: { type: "string" },
    output: { type: "string", default: join(root, ".release") },
  },
});
const isDryRun = values["dry-run"];
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const changelog = await readFile(join(root, "CHANGELOG.md"), "utf8");
const problems = releaseProblems(changelog, values.tag);
for (const problem of problems) say(`problem: ${problem}`);
if (problems.length > 0 && !isDryRun) process.exit(1);

const { name, version, repository } = PRODUCT;
const tag = `v${version}`;
const folder = resolve(values.output);
const files = {
  tarball: join(folder, `${name}-${version}.tgz`),
  bundle: join(folder, BUNDLE_FILE),
  checksums: join(folder, "SHA256SUMS"),
  notes: join(folder, "notes.md"),
  serverJson: join(folder, "server.json"),
};

await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
await npm(["pack", "--ignore-scripts", "--pack-destination", folder], root);
await makeBundle(join(folder, "bundle"), files.bundle);
const hashes = await Promise.all(
  [files.tarball, files.bundle].map(async (path) => `${await sha256(path)}  ${basename(path)}\n`),
);
await writeFile(files.checksums, hashes.join(""));
await writeFile(files.notes, releaseNotes(changelog, version) ?? "");
const url = `${repository}/releases/download/${tag}/${BUNDLE_FILE}`;
const entry = serverJson({ url, sha256: await sha256(files.bundle) });
await writeFile(files.serverJson, `${JSON.stringify(entry, null, 2)}\n`);
say(`The files of ${tag} are in ${basename(folder)}.`);

for (const { what, command, args, attempts } of publications(tag, files)) {
  const line = [command, ...args].join(" ").replaceAll(folder, basename(folder));
  say(`${isDryRun ? "would publish" : "publishes"} ${what}: ${line}`);
  if (isDryRun) continue;
  for (let attempt = 1; ; attempt += 1) {
    const { status } = spawnSync(command, args, { cwd: folder, stdio: "inherit" });
    if (status === 0) break;
    if (attempt === attempts) process.exit(1);
    await setTimeout(PAUSE_MS);
  }
}
