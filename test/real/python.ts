import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { removeFolder } from "../temporary-folder.js";
import { ownFile, realDirectory } from "./lines.js";

const run = promisify(execFile);
const installMinutes = 5;

/** Thrown where this machine cannot run a line; the message says what is missing. */
export class CannotRunHere extends Error {
  override readonly name = "CannotRunHere";
}

/** The Python to build environments with: 3.11 to 3.14, which all lines accept. */
export async function findPython(): Promise<string> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new CannotRunHere(
      `the real services are run on Linux x64 only; this is ${process.platform} ${process.arch}`,
    );
  }
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

/**
 * The interpreter of a private environment with the packages of `requirements-<name>.txt`.
 *
 * Named by what is in that file, and moved into its place only when complete: an interrupted
 * installation is made anew, and two runs at once do no harm.
 */
export async function pythonWith(name: string, python: string): Promise<string> {
  const requirements = ownFile(`requirements-${name}.txt`);
  const parent = join(realDirectory, "python");
  const directory = join(parent, `${name}-${await hashOf([requirements], python)}`);
  const interpreter = join(directory, "bin", "python");
  if (existsSync(interpreter)) return interpreter;
  await mkdir(parent, { recursive: true });
  const unfinished = `${directory}.${randomUUID()}`;
  try {
    await install(python, unfinished, requirements);
    await linkRuntime(unfinished);
    await moveInto(unfinished, directory);
  } finally {
    await removeFolder(unfinished);
  }
  return interpreter;
}

async function install(python: string, directory: string, requirements: string): Promise<void> {
  const limit = { timeout: installMinutes * 60_000, maxBuffer: 2 ** 24 };
  const quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-warn-conflicts"];
  const patience = ["--timeout", "15", "--retries", "1"];
  try {
    await run(python, ["-m", "venv", directory], limit);
    await run(
      join(directory, "bin", "python"),
      ["-m", "pip", "install", ...quiet, ...patience, "--no-deps", "-r", requirements],
      limit,
    );
  } catch (error) {
    const text = errorOutput(error).trim().split("\n").at(-1) ?? "";
    throw new CannotRunHere(`its Python packages could not be installed: ${text}`);
  }
}

function errorOutput(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "stderr" in error && typeof error.stderr === "string" && error.stderr !== ""
    ? error.stderr
    : error.message;
}

/**
 * The links the 1.x SDK would make at its first start, when two services may start at once.
 * Its core and its GenAI library look for ONNX Runtime under these names beside themselves.
 */
async function linkRuntime(directory: string): Promise<void> {
  const library = join(directory, "lib");
  const [version] = await readdir(library);
  const packages = join(library, version ?? "", "site-packages");
  if (!existsSync(join(packages, "foundry_local_core"))) return;
  const runtime = (await readdir(join(packages, "onnxruntime", "capi"))).find((file) =>
    file.startsWith("libonnxruntime.so"),
  );
  if (runtime === undefined) throw new Error(`no libonnxruntime.so in ${packages}`);
  const core = join(packages, "foundry_local_core", "bin");
  const genai = "onnxruntime_genai";
  await symlink(`../../onnxruntime/capi/${runtime}`, join(core, "onnxruntime.so"));
  await symlink(`../../${genai}/libonnxruntime-genai.so`, join(core, "onnxruntime-genai.so"));
  await symlink(`../onnxruntime/capi/${runtime}`, join(packages, genai, runtime));
}

export interface ModelSpeed {
  readonly slowTokenMilliseconds: number;
  readonly slowLoadSeconds: number;
}

/** The directory with the tiny models, made here if it is not there yet. */
export async function modelsDirectory(python: string, speed: ModelSpeed): Promise<string> {
  const generator = ownFile("make_models.py");
  const files = [generator, ownFile("onnx_graphs.py"), ownFile("requirements-models.txt")];
  const directory = join(realDirectory, "models", await hashOf(files, JSON.stringify(speed)));
  if (existsSync(directory)) return directory;
  const interpreter = await pythonWith("models", python);
  const unfinished = `${directory}.${randomUUID()}`;
  try {
    await run(interpreter, [
      generator,
      unfinished,
      "--slow-token-ms",
      String(speed.slowTokenMilliseconds),
      "--slow-load-seconds",
      String(speed.slowLoadSeconds),
    ]);
    await moveInto(unfinished, directory);
  } finally {
    await removeFolder(unfinished);
  }
  return directory;
}

/** Renames; where another run was faster, that run's directory is as good. */
async function moveInto(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}

async function hashOf(files: readonly string[], parameters: string): Promise<string> {
  const hash = createHash("sha256").update(parameters);
  for (const file of files) hash.update(await readFile(file));
  return hash.digest("hex").slice(0, 12);
}
