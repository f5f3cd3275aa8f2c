import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { jsonFrom } from "../../json.js";

/**
 * Which models are downloaded, and the context each really gets, read from the folders of the model
 * cache: no route of C2 says either (docs/foundry-local.md, section 6).
 */
export interface ModelFolder {
  /** The id that the folder gives itself. */
  readonly id: string;
  /** `search.max_length` and `model.context_length` of its genai_config.json. */
  readonly maxLength: number | null;
  readonly contextLength: number | null;
}

/** `<cache>/<publisher>/<name>-<version>/v<version>/`, and one level to spare. */
const DEEPEST = 4;

const inferenceModelSchema = z.object({ Name: z.string().min(1) });
const length = z.number().int().positive().optional().catch(undefined);
const genaiConfigSchema = z.object({
  model: z.object({ context_length: length }).optional().catch(undefined),
  search: z.object({ max_length: length }).optional().catch(undefined),
});

/**
 * The complete models under `directory`. One whose download has not ended, marked by `download.tmp`,
 * does not count. `null` when the directory is not on this machine: then nothing is known.
 */
export async function readModelFolders(directory: string): Promise<ModelFolder[] | null> {
  const found: ModelFolder[] = [];
  const walk = async (folder: string, depth: number): Promise<boolean> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => null);
    if (entries === null) return false;
    const names = new Set(entries.map((entry) => entry.name));
    if (names.has("download.tmp")) return true;
    if (names.has("inference_model.json")) {
      const model = await readModelFolder(folder, names.has("genai_config.json"));
      if (model !== null) found.push(model);
    } else if (depth < DEEPEST) {
      const folders = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink());
      await Promise.all(folders.map((entry) => walk(join(folder, entry.name), depth + 1)));
    }
    return true;
  };
  return (await walk(directory, 0)) ? found : null;
}

async function readModelFolder(folder: string, isComplete: boolean): Promise<ModelFolder | null> {
  const named = inferenceModelSchema.safeParse(
    await readJson(join(folder, "inference_model.json")),
  );
  if (!named.success) return null;
  // genai_config.json lies beside it or one level below, depending on who wrote the folder.
  const configFolder = isComplete ? folder : await folderWithConfig(folder);
  if (configFolder === null) return null;
  return { id: named.data.Name, ...(await readContextLimits(configFolder)) };
}

async function folderWithConfig(folder: string): Promise<string | null> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  const path = entries.find((entry) => /(^|[\\/])genai_config\.json$/.test(entry));
  return path === undefined ? null : dirname(join(folder, path));
}

/** The limits in the genai_config.json of one model's folder. */
export async function readContextLimits(
  folder: string,
): Promise<Pick<ModelFolder, "maxLength" | "contextLength">> {
  const config = genaiConfigSchema.safeParse(await readJson(join(folder, "genai_config.json")));
  return {
    maxLength: config.data?.search?.max_length ?? null,
    contextLength: config.data?.model?.context_length ?? null,
  };
}

async function readJson(path: string): Promise<unknown> {
  return readFile(path, "utf8")
    .then(jsonFrom)
    .catch(() => null);
}
