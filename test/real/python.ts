import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { CannotRunHere, installedOnce, makePythonEnvironment, pythonOnPath } from "../installed.js";
import { ownFile, realDirectory } from "./lines.js";

const run = promisify(execFile);

/** The Python to build environments with: 3.11 to 3.14, which all lines accept. */
export async function findPython(): Promise<string> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new CannotRunHere(
      `the real services are run on Linux x64 only; this is ${process.platform} ${process.arch}`,
    );
  }
  return pythonOnPath();
}

/**
 * The interpreter of a private environment with the packages of `requirements-<name>.txt`.
 *
 * Named by what is in that file.
 */
export async function pythonWith(name: string, python: string): Promise<string> {
  const requirements = ownFile(`requirements-${name}.txt`);
  const parent = join(realDirectory, "python");
  const directory = join(parent, `${name}-${await hashOf([requirements], python)}`);
  const interpreter = join(directory, "bin", "python");
  await installedOnce(directory, async (unfinished) => {
    const packages = ["--no-deps", "-r", requirements];
    const what = "its Python packages";
    await makePythonEnvironment({ python, folder: unfinished, what, packages });
    await linkRuntime(unfinished);
  });
  return interpreter;
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
  return installedOnce(directory, async (unfinished) => {
    await run(interpreter, [
      generator,
      unfinished,
      "--slow-token-ms",
      String(speed.slowTokenMilliseconds),
      "--slow-load-seconds",
      String(speed.slowLoadSeconds),
    ]);
  });
}

async function hashOf(files: readonly string[], parameters: string): Promise<string> {
  const hash = createHash("sha256").update(parameters);
  for (const file of files) hash.update(await readFile(file));
  return hash.digest("hex").slice(0, 12);
}
