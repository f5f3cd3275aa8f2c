import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { PRODUCT } from "./description.js";

/**
 * The part of the changelog about a version, without its heading; `null` where there is none.
 *
 * @example
 * releaseNotes("## [0.2.0]\n\nNew.\n\n## [0.1.0]\n", "0.2.0"); // "New.\n"
 */
export function releaseNotes(changelog: string, version: string): string | null {
  const parts = changelog.replaceAll("\r\n", "\n").split(/^## /m);
  const part = parts.find((each) => each.startsWith(`[${version}]`));
  const text = part?.slice(part.indexOf("\n") + 1).trim() ?? "";
  return text === "" ? null : `${text}\n`;
}

/** What has to be changed before this version can be released; empty where it can. */
export function releaseProblems(
  changelog: string,
  tag: string | undefined,
  {
    version,
    author,
    registryName,
  }: Pick<typeof PRODUCT, "version" | "author" | "registryName"> = PRODUCT,
): string[] {
  return [
    ...(tag === undefined || tag === `v${version}`
      ? []
      : [`The tag is ${tag}, but package.json has the version ${version}.`]),
    ...(releaseNotes(changelog, version) === null
      ? [`CHANGELOG.md has no text about the version ${version}.`]
      : []),
    ...([author, registryName].some((text) => text.includes("OWNER"))
      ? ["package.json still contains OWNER: see CONTRIBUTING.md, Releasing."]
      : []),
  ];
}

export const sha256 = async (path: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

/** A command that publishes something. */
export interface Publication {
  readonly what: string;
  readonly command: string;
  readonly args: readonly string[];
  /** How often it is tried. */
  readonly attempts: number;
}

/** A fixed version of the registry's own program; Go checks it against its public list of hashes. */
const PUBLISHER = "github.com/modelcontextprotocol/registry/cmd/publisher@v1.8.9";

export interface ReleaseFiles {
  readonly tarball: string;
  readonly bundle: string;
  readonly checksums: string;
  readonly notes: string;
  readonly serverJson: string;
}

/** In this order: the registry looks at the package and at the bundle of the release. */
export const publications = (tag: string, files: ReleaseFiles): Publication[] => [
  {
    what: "the package, with provenance",
    command: "npm",
    args: ["publish", files.tarball, "--provenance", "--access", "public"],
    attempts: 1,
  },
  {
    what: "the release, with the bundle and the checksums",
    command: "gh",
    args: [
      ...["release", "create", tag, files.tarball, files.bundle, files.checksums],
      ...["--verify-tag", "--title", tag, "--notes-file", files.notes],
    ],
    attempts: 1,
  },
  {
    what: "the login at the MCP registry",
    command: "go",
    args: ["run", PUBLISHER, "login", "github-oidc"],
    attempts: 1,
  },
  {
    what: "the entry in the MCP registry",
    command: "go",
    args: ["run", PUBLISHER, "publish", files.serverJson],
    // The registry looks for the package, which npm shows some time after its publication.
    attempts: 10,
  },
];
