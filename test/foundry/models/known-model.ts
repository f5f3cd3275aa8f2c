import { type KnownModel, parseModelId } from "../../../src/foundry/models/model.js";

/** A model of which only the id is known, and what a test says about it. */
export function knownModel(id: string, facts: Partial<KnownModel> = {}): KnownModel {
  const { name, version, device, executionProvider } = parseModelId(id);
  return {
    id,
    name,
    version,
    device,
    executionProvider,
    family: "public",
    alias: null,
    downloaded: null,
    loaded: null,
    sizeMb: null,
    task: null,
    contextLength: null,
    maxOutputTokens: null,
    toolCalling: null,
    vision: null,
    license: null,
    ...facts,
  };
}
