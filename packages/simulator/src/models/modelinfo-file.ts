import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type SimulatedModel, uriOf } from "./model.js";

/**
 * Writes the files of a model cache that clients read (`docs/foundry-local.md`, 6): the last catalog,
 * and for each downloaded model the two files that mark its folder as complete.
 *
 * @param properties with `intProperties`, as the versions with a local catalog write them.
 */
export function writeModelCache(
  root: string,
  models: readonly SimulatedModel[],
  properties: boolean,
): void {
  mkdirSync(root, { recursive: true });
  const publicModels = models.filter((model) => model.family === "public");
  const localModels = models.filter((model) => model.family === "local");
  writeJson(join(root, "foundry.modelinfo.json"), {
    version: 1,
    savedAtUnix: Math.floor(Date.now() / 1000),
    models: publicModels.map((model) => modelInfo(model, properties)),
  });
  if (localModels.length > 0) {
    writeJson(join(root, "foundry.local.modelinfo.json"), {
      version: 2,
      catalog_name: "local",
      models: localModels.map((model) => ({
        model_info: modelInfo(model, properties),
        model_path: join(root, model.directory),
      })),
    });
  }
  for (const model of models.filter(({ downloaded }) => downloaded)) {
    writeModelFolder(root, model);
  }
}

/** The two files that mark a folder as a downloaded model. */
export function writeModelFolder(root: string, model: SimulatedModel): void {
  const directory = join(root, model.directory);
  mkdirSync(directory, { recursive: true });
  writeJson(join(directory, "inference_model.json"), { Name: model.id, PromptTemplate: null });
  writeJson(join(directory, "genai_config.json"), {
    model: { context_length: model.contextLength },
    search: { max_length: model.contextLength },
  });
}

export function removeModelFolder(root: string, model: SimulatedModel): void {
  rmSync(join(root, model.directory), { recursive: true, force: true });
}

function modelInfo(model: SimulatedModel, properties: boolean): Record<string, unknown> {
  const { toolMarkers, reasoningMarkers } = model;
  const contextLength = model.advertisedContextLength ?? model.contextLength;
  const local = model.family === "local";
  return {
    alias: model.alias,
    contextLength,
    createdAt: model.created,
    displayName: model.displayName ?? model.name,
    fileSizeMb: model.sizeMb ?? 0,
    id: model.id,
    ...(properties && {
      intProperties: {
        context_length: contextLength,
        created_at_unix: model.created,
        filesize_mb: model.sizeMb ?? 0,
        max_output_tokens: model.maxOutputTokens ?? 2048,
        supports_reasoning: Number(reasoningMarkers !== null),
        supports_tool_calling: Number(model.toolCalling),
      },
    }),
    license: model.license,
    maxOutputTokens: model.maxOutputTokens ?? 2048,
    modelType: "ONNX",
    name: model.name,
    providerType: local ? "LocalRegistration" : "FoundryLocal",
    publisher: model.publisher,
    ...(reasoningMarkers && {
      reasoningStart: reasoningMarkers.start,
      reasoningEnd: reasoningMarkers.end,
    }),
    runtime: { deviceType: model.device, executionProvider: model.executionProvider },
    supportsReasoning: reasoningMarkers !== null,
    supportsToolCalling: model.toolCalling,
    task: model.task,
    ...(toolMarkers && { toolCallStart: toolMarkers.start, toolCallEnd: toolMarkers.end }),
    uri: local ? "" : uriOf(model),
    version: model.version,
  };
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 1)}\n`);
}
