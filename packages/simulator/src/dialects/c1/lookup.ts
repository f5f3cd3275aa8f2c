import type { SimulatedModel } from "../../models/model.js";
import type { Core1 } from "./core1.js";
import { refusal } from "./errors.js";

/** By id, or by name or alias, which mean the newest version. Case matters. */
export function modelNamed(core: Core1, name: string): SimulatedModel | null {
  const { store } = core.context.engine;
  const exact = store.all.find(({ id }) => id === name);
  const versions = store.all
    .filter((model) => model.name === name)
    .sort((a, b) => Number(b.downloaded) - Number(a.downloaded) || b.version - a.version);
  return exact ?? versions[0] ?? store.selected(name, "public") ?? store.selected(name, "local");
}

/** @throws {Core1Error} the same whether it is unknown, not downloaded or not loaded. */
export function loadedModel(core: Core1, name: string): SimulatedModel {
  if (name === "") throw refusal("Value cannot be null. (Parameter 'Model')");
  const model = modelNamed(core, name);
  if (model !== null && core.context.engine.store.isLoaded(model.id)) return model;
  throw refusal(
    `Model '${name}' is not loaded. Please load the model before getting a ChatClient.`,
  );
}
