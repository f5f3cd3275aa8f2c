import type { SimulatedModel } from "../../models/model.js";
import type { Core1 } from "./core1.js";
import { Core1Error } from "./errors.js";

/** By id; by name or alias too, which mean the newest version. Case matters. */
export function modelNamed(core: Core1, name: string): SimulatedModel | null {
  const { store } = core.context.engine;
  const exact = store.all.find(({ id }) => id === name);
  if (exact !== undefined || core.switches.shortNames === "refused") return exact ?? null;
  const versions = store.all
    .filter((model) => model.name === name)
    .sort((a, b) => Number(b.downloaded) - Number(a.downloaded) || b.version - a.version);
  return versions[0] ?? store.selected(name, "public") ?? store.selected(name, "local");
}

const CLIENTS = { completion: "a ChatClient", embeddings: "an EmbeddingsClient" } as const;

/** @throws {Core1Error} the same whether it is unknown, not downloaded or not loaded. */
export function loadedModel(
  core: Core1,
  name: string | null,
  doing: keyof typeof CLIENTS,
): SimulatedModel {
  if (name === null) throw refusal(doing, "Value cannot be null. (Parameter 'Model')");
  const model = modelNamed(core, name);
  if (model !== null && core.context.engine.store.isLoaded(model.id)) return model;
  throw refusal(
    doing,
    `Model '${name}' is not loaded. Please load the model before getting ${CLIENTS[doing]}.`,
  );
}

/** A request that was read and cannot be served: the caller's mistake, or the engine's failure. */
export function refusal(
  doing: keyof typeof CLIENTS,
  reason: string,
  status: 400 | 500 = 400,
): Core1Error {
  return new Core1Error(status, `Failed to handle OpenAI ${doing}: ${reason}`);
}
