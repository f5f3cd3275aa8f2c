import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { temporaryFolder } from "../../temporary-folder.js";
import { fromNpm, newerNode } from "../packages.js";

const SUITE = "@modelcontextprotocol/conformance";
const VERSION = "0.2.0-alpha.12";

/** The program of the official suite, ready to run. */
export interface Suite {
  readonly node: string;
  readonly program: string;
}

/** @throws CannotRunHere */
export async function installedSuite(): Promise<Suite> {
  const node = await newerNode();
  const folder = await fromNpm([`${SUITE}@${VERSION}`]);
  return { node, program: join(folder, "node_modules", SUITE, "dist", "index.js") };
}

const checksFile = z.array(z.object({ id: z.string(), status: z.string() }));

export interface SuiteResult {
  /** The scenarios that ran. */
  readonly scenarios: readonly string[];
  /** Those checks that failed or ended with a warning, as `scenario:check`. */
  readonly failures: readonly string[];
}

/** Runs what a revision of the protocol requires of a server, and the scenarios that are not scored. */
export async function runSuite(
  { node, program }: Suite,
  url: string,
  revision: string,
): Promise<SuiteResult> {
  const folder = await temporaryFolder("conformance-");
  const args = [program, "server", "--url", url, "--requirements", revision, "-o", folder];
  // Its exit code is that of any failure; the files have each check.
  await new Promise<void>((resolve) => {
    execFile(node, args, { cwd: folder, maxBuffer: 2 ** 26 }, () => resolve());
  });
  const scenarios: string[] = [];
  const failures: string[] = [];
  for (const name of await readdir(folder)) {
    const [, scenario] = /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(name) ?? [];
    if (scenario === undefined) continue;
    scenarios.push(scenario);
    // Without this file the scenario itself has failed.
    const text = await readFile(join(folder, name, "checks.json"), "utf8").catch(() => null);
    if (text === null) failures.push(`${scenario}:no-result`);
    for (const { id, status } of checksFile.parse(JSON.parse(text ?? "[]"))) {
      if (status === "FAILURE" || status === "WARNING") failures.push(`${scenario}:${id}`);
    }
  }
  return { scenarios, failures };
}
