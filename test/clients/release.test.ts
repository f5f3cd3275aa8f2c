import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { mcpbPacker } from "../../scripts/distribution/bundle.js";
import { serverJson } from "../../scripts/distribution/registry.js";
import { releaseNotes, sha256 } from "../../scripts/distribution/release.js";
import { lastLineOf } from "../installed.js";
import { temporaryFolder } from "../temporary-folder.js";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));

test("a dry run of the release makes all its files, and publishes nothing", async ({ skip }) => {
  const missing = await mcpbPacker().then(() => null, lastLineOf);
  if (missing !== null) return skip(`@anthropic-ai/mcpb could not be installed: ${missing}`);
  const output = join(await temporaryFolder("foundry-local-mcp-release-"), "files");
  const script = join(root, "scripts", "release.ts");
  const tsx = join(root, "node_modules", "tsx", "dist", "cli.mjs");
  const { version, name } = manifest;

  const { stdout } = await run(
    process.execPath,
    [tsx, script, "--dry-run", "--tag", "v99.0.0", "--output", output],
    { cwd: root, env: { ...process.env, NODE_AUTH_TOKEN: "", GH_TOKEN: "" } },
  );

  const bundle = `${name}-${version}.mcpb`;
  const lines = stdout.trim().split("\n");
  expect(lines[0]).toBe(
    `problem: The tag is v99.0.0, but package.json has the version ${version}.`,
  );
  expect(lines.filter((line) => line.startsWith("would publish"))).toEqual([
    `would publish the package, with provenance: npm publish files/${name}-${version}.tgz --provenance --access public`,
    `would publish the release, with the bundle and the checksums: gh release create v${version} files/${name}-${version}.tgz files/${bundle} files/SHA256SUMS --verify-tag --title v${version} --notes-file files/notes.md`,
    expect.stringMatching(/^would publish the login at the MCP registry: go run /),
    expect.stringMatching(/^would publish the entry in the MCP registry: go run .* publish files/),
  ]);
  const sums = (await readFile(join(output, "SHA256SUMS"), "utf8")).trim().split("\n");
  const hashes = await Promise.all(
    [`${name}-${version}.tgz`, bundle].map(
      async (file) => `${await sha256(join(output, file))}  ${file}`,
    ),
  );
  expect(sums).toEqual(hashes);
  expect(JSON.parse(await readFile(join(output, "server.json"), "utf8"))).toEqual(
    serverJson({
      url: expect.stringMatching(`/releases/download/v${version}/${bundle}$`),
      sha256: hashes[1]?.slice(0, 64) ?? "",
    }),
  );
  const changelog = await readFile(join(root, "CHANGELOG.md"), "utf8");
  expect(await readFile(join(output, "notes.md"), "utf8")).toBe(releaseNotes(changelog, version));
});
