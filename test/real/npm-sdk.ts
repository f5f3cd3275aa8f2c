import { cp, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { npmPackages } from "../installed.js";
import { realDirectory } from "./lines.js";
import { findPython, modelsDirectory, pythonWith } from "./python.js";

const SDK = "foundry-local-sdk";
export const SDK_VERSION = "1.2.3";

/** The native libraries that its install script would download, under the names it gives them. */
const LIBRARIES = [
  "Microsoft.AI.Foundry.Local.Core.so",
  "libonnxruntime.so",
  "libonnxruntime-genai.so",
] as const;
export type Library = (typeof LIBRARIES)[number];

/** The parts that Microsoft's npm package needs to run here, not installed yet. */
export interface NpmSdk {
  /** The package without its native libraries. */
  readonly sdkFolder: string;
  /** Where each of them is. */
  readonly libraries: Readonly<Record<Library, string>>;
  /** The tiny models, as a folder of a model cache. */
  readonly models: string;
}

/**
 * Microsoft's npm package, and native libraries for it out of the Python packages of the same line:
 * its install script downloads from a feed that test machines do not reach.
 *
 * @throws CannotRunHere
 */
export async function npmSdk(): Promise<NpmSdk> {
  const python = await findPython();
  const models = await modelsDirectory(python, {
    slowTokenMilliseconds: 100,
    slowLoadSeconds: 3,
  });
  const interpreter = await pythonWith("core-1", python);
  const folder = await npmPackages(join(realDirectory, "npm"), [`${SDK}@${SDK_VERSION}`]);
  return {
    sdkFolder: join(folder, "node_modules", SDK),
    libraries: await librariesOf(dirname(dirname(interpreter))),
    models,
  };
}

async function librariesOf(environment: string): Promise<Record<Library, string>> {
  const [version = ""] = await readdir(join(environment, "lib"));
  const packages = join(environment, "lib", version, "site-packages");
  const runtimes = await readdir(join(packages, "onnxruntime", "capi"));
  const runtime = runtimes.find((file) => file.startsWith("libonnxruntime.so"));
  if (runtime === undefined) throw new Error(`no libonnxruntime.so in ${packages}`);
  return {
    "Microsoft.AI.Foundry.Local.Core.so": join(
      packages,
      "foundry_local_core/bin/Microsoft.AI.Foundry.Local.Core.so",
    ),
    "libonnxruntime.so": join(packages, "onnxruntime/capi", runtime),
    "libonnxruntime-genai.so": join(packages, "onnxruntime_genai/libonnxruntime-genai.so"),
  };
}

/** A folder with the package in its `node_modules`, as npm and its script leave it. */
export async function installInto(
  folder: string,
  { sdkFolder, libraries }: NpmSdk,
  present: readonly Library[] = LIBRARIES,
): Promise<void> {
  const sdk = join(folder, "node_modules", SDK);
  await cp(sdkFolder, sdk, { recursive: true });
  if (present.length === 0) return;
  const core = join(sdk, "foundry-local-core", `${process.platform}-${process.arch}`);
  await mkdir(core, { recursive: true });
  for (const library of present) await symlink(libraries[library], join(core, library));
}

const modelsFile = z.array(
  z.object({
    id: z.string(),
    name: z.string(),
    version: z.int(),
    alias: z.string(),
    publisher: z.string(),
    task: z.string(),
    contextLength: z.int(),
    missing: z.boolean(),
  }),
);

/** The tiny models, and the catalog file out of which the core knows them when it reaches no catalog. */
export async function makeModelCache(cache: string, models: string): Promise<void> {
  await cp(join(models, "cache"), cache, { recursive: true });
  const all = modelsFile.parse(JSON.parse(await readFile(join(models, "models.json"), "utf8")));
  await writeFile(
    join(cache, "foundry.modelinfo.json"),
    JSON.stringify({
      version: 1,
      savedAtUnix: Math.floor(Date.now() / 1000),
      models: all.map(({ missing, ...model }) => ({
        ...model,
        displayName: model.name,
        cached: !missing,
        uri: `azureml://registries/azureml/models/${model.name}/versions/${model.version}`,
        providerType: "AzureFoundry",
        modelType: "ONNX",
        maxOutputTokens: model.contextLength / 2,
        runtime: { deviceType: "CPU", executionProvider: "CPUExecutionProvider" },
        fileSizeMb: 1,
        license: "MIT",
        createdAt: 1_780_000_000,
        supportsToolCalling: false,
        modelSettings: { parameters: [] },
      })),
    }),
  );
}
