import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { removeFolder } from "./temporary-folder.js";

const run = promisify(execFile);
const LIMIT = { timeout: 10 * 60_000, maxBuffer: 2 ** 24 };

/** Thrown where this machine cannot run a test; the message says what is missing. */
export class CannotRunHere extends Error {
  override readonly name = "CannotRunHere";
}

/**
 * Makes a folder once. It is moved into its place only when it is complete: an interrupted installation
 * starts again, and two concurrent runs are safe.
 */
export async function installedOnce(
  folder: string,
  install: (unfinished: string) => Promise<void>,
): Promise<string> {
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.${randomUUID()}`;
  await mkdir(dirname(folder), { recursive: true });
  try {
    await install(unfinished);
    await rename(unfinished, folder);
  } catch (error) {
    // Another run may have been faster.
    if (!existsSync(folder)) throw error;
  } finally {
    await removeFolder(unfinished);
  }
  return folder;
}

/**
 * Packages of npm in the `node_modules` of a folder below `parent`, without their install scripts.
 *
 * @throws CannotRunHere
 */
export function npmPackages(parent: string, packages: readonly string[]): Promise<string> {
  return installedOnce(join(parent, nameOf(packages)), async (unfinished) => {
    await mkdir(unfinished);
    await writeFile(
      join(unfinished, "package.json"),
      JSON.stringify({ private: true, type: "module" }),
    );
    const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
    const flags = ["--ignore-scripts", "--fetch-retries=1", ...quiet];
    const install = ["install", "--prefix", unfinished, ...flags, ...packages];
    await installing(packages.join(", "), "npm", ...install);
  });
}

/**
 * The interpreter of an environment below `parent` with packages of PyPI.
 *
 * @throws CannotRunHere
 */
export async function pythonPackages(parent: string, packages: readonly string[]): Promise<string> {
  const python = await pythonOnPath();
  const folder = await installedOnce(join(parent, nameOf(packages)), (unfinished) =>
    makePythonEnvironment({ python, folder: unfinished, what: packages.join(", "), packages }),
  );
  return interpreterIn(folder);
}

/**
 * Makes an environment of Python with packages, which are what `uv pip install` is given.
 *
 * @param what Names the packages in an error.
 * @throws CannotRunHere
 */
export async function makePythonEnvironment(given: {
  readonly python: string;
  readonly folder: string;
  readonly what: string;
  readonly packages: readonly string[];
}): Promise<void> {
  const { python, folder, what, packages } = given;
  const uv = [await pythonWithUv(join(dirname(folder), "uv"), python), "-m", "uv"] as const;
  const quiet = ["--quiet", "--native-tls", "--python"];
  await installing(what, ...uv, "venv", ...quiet, python, folder);
  await installing(what, ...uv, "pip", "install", ...quiet, interpreterIn(folder), ...packages);
}

/** uv makes an environment in a tenth of the time that venv and pip take. */
async function pythonWithUv(folder: string, python: string): Promise<string> {
  await installedOnce(folder, async (unfinished) => {
    await installing("an environment of Python", python, "-m", "venv", unfinished);
    const quiet = ["--quiet", "--no-input", "--disable-pip-version-check"];
    const pip = ["-m", "pip", "install", ...quiet, "--timeout", "15", "--retries", "1"];
    await installing("uv", interpreterIn(unfinished), ...pip, "uv");
  });
  return interpreterIn(folder);
}

const interpreterIn = (folder: string): string =>
  process.platform === "win32"
    ? join(folder, "Scripts", "python.exe")
    : join(folder, "bin", "python");

/** Python 3.11 to 3.14. */
export async function pythonOnPath(): Promise<string> {
  for (const name of ["python3", "python3.14", "python3.13", "python3.12", "python3.11"]) {
    try {
      const { stdout } = await run(name, ["-c", "import sys; print(sys.version_info[1])"]);
      const minor = Number(stdout);
      if (minor >= 11 && minor <= 14) return name;
    } catch {
      // Not installed, or not a Python that runs: the next one may be.
    }
  }
  throw new CannotRunHere("no Python 3.11 to 3.14 found; install one as python3");
}

/** The last line that a failed program wrote. */
export function lastLineOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const written = "stderr" in error && typeof error.stderr === "string" ? error.stderr : "";
  return (written.trim() || error.message).split("\n").at(-1) ?? "";
}

async function installing(what: string, program: string, ...args: string[]): Promise<void> {
  await run(program, args, LIMIT).catch((error: unknown) => {
    throw new CannotRunHere(`${what} could not be installed: ${lastLineOf(error)}`);
  });
}

/** Readable, and another one for each choice of packages and versions. */
function nameOf(packages: readonly string[]): string {
  const [first = ""] = packages;
  const hash = createHash("sha256").update(packages.join(" ")).digest("hex").slice(0, 8);
  return `${first.replace(/^@/, "").replace(/\W+/g, "-")}-${hash}`;
}
