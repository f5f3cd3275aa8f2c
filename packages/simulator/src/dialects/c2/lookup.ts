import type { SimulatedModel } from "../../models/model.js";
import type { Family } from "../../models/store.js";
import type { DialectContext } from "../dialect.js";
import { C2Error } from "./errors.js";

/** By exact id only. @throws {C2Error} unless it is loaded. */
export async function loadedModel(
  context: DialectContext,
  id: string,
  family: Family,
): Promise<SimulatedModel> {
  const { engine } = context;
  const model = await engine.catalogLock(family).run(() => engine.store.byId(id, family));
  if (model === null) throw notFound(id);
  const loaded = await engine.loadLock.run(() => engine.store.isLoaded(id));
  if (loaded) return model;
  throw new C2Error(400, `Model not loaded: Model '${id}' must be loaded before inference`);
}

export function notFound(name: string): C2Error {
  return new C2Error(404, `Model not found: No model matching '${name}'`);
}
