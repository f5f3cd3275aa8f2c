import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { releaseNotes, releaseProblems } from "../../scripts/distribution/release.js";

const CHANGELOG =
  "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n### Added\n\n- New.\n\n## [0.1.0]\n\nOld.\n";

describe("the notes of a release", () => {
  test.each([
    ["0.2.0", "### Added\n\n- New.\n"],
    ["0.1.0", "Old.\n"],
    ["Unreleased", null],
    ["0.2", null],
    ["0.3.0", null],
  ])("of %s are its part of the changelog", (version, notes) => {
    expect(releaseNotes(CHANGELOG, version)).toBe(notes);
    expect(releaseNotes(CHANGELOG.replaceAll("\n", "\r\n"), version)).toBe(notes);
  });
});

describe("a release", () => {
  const product = {
    version: "0.2.0",
    author: "Ada",
    registryName: "io.github.ada/foundry-local-mcp",
  };

  test.each<[string, string | undefined, Partial<typeof product>, string[]]>([
    ["a version with its tag and its notes", "v0.2.0", {}, []],
    ["no tag, in a rehearsal", undefined, {}, []],
    ["the tag of another version", "v0.1.0", {}, [expect.stringContaining("v0.1.0")]],
    [
      "a version without notes",
      undefined,
      { version: "0.3.0" },
      [expect.stringContaining("CHANGELOG")],
    ],
    [
      "an author that is not filled in",
      undefined,
      { author: "OWNER" },
      [expect.stringContaining("OWNER")],
    ],
  ])("of %s has the right problems", (_, tag, changes, problems) => {
    expect(releaseProblems(CHANGELOG, tag, { ...product, ...changes })).toEqual(problems);
  });
});

describe("the workflow of a release", () => {
  const workflow = (name: string): string =>
    readFileSync(new URL(`../../.github/workflows/${name}.yml`, import.meta.url), "utf8");
  const matrix = (text: string): string => /matrix:\n(?: {8}.*\n)+/.exec(text)?.[0] ?? "none";

  test("tests the same systems and versions of Node as each push", () => {
    expect(matrix(workflow("release"))).toBe(matrix(workflow("ci")));
  });

  test("runs only scripts of package.json", () => {
    const commands = [...workflow("release").matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name);

    expect(commands.toSorted()).toEqual(["check", "release", "release"]);
    expect(Object.keys(manifest.scripts)).toEqual(expect.arrayContaining(commands));
  });

  test("is rehearsed on each push", () => {
    expect(workflow("ci")).toContain("npm run release -- --dry-run");
  });
});
