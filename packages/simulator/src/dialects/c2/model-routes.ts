import type { SimulatedModel } from "../../models/model.js";
import type { Family } from "../../models/store.js";
import { json } from "../answers.js";
import type { DialectContext, DialectRequest } from "../dialect.js";
import { C2Error } from "./errors.js";

/** @param name The variable segment of the path; empty where the route has none. */
export type Handler = (
  context: DialectContext,
  request: DialectRequest,
  family: Family,
  name: string,
) => Promise<void>;

/** File, line and function as the newest build names them; each build has its own. */
const LOAD =
  "genai_model_instance.cc:204 fl::GenAIModelInstance::GenAIModelInstance(std::string, std::string, fl::GenAIConfig, fl::ExecutionProvider, fl::ILogger&)";
const UNLOAD =
  "model_load_manager.cc:286 bool fl::ModelLoadManager::UnloadModel(std::string_view, const std::string*)";

/** `GET /models/loaded`: waits for a running load, and holds the lock of the catalog while it waits. */
export const listLoaded: Handler = async ({ engine }, { reply }, family) => {
  const ids = await engine
    .catalogLock(family)
    .run(() => engine.loadLock.run(() => engine.store.listLoaded(family)));
  reply.whole(json(ids));
};

/** `GET /models/load/{alias}`. A load goes on when its client disconnects. */
export const load: Handler = async (context, { reply }, family, name) => {
  const { engine } = context;
  const model = await byAlias(context, name, family);
  if (!model.downloaded) {
    throw new C2Error(400, "Model not cached: Model must be downloaded before loading");
  }
  const status = await engine.loadLock.run(async () => {
    if (engine.store.isLoaded(model.id)) return "already_loaded";
    const failure = await engine.load(model);
    if (failure !== null) throw new C2Error(500, `Load failed: ${loadFailure(model, failure)}`);
    return "loaded";
  });
  reply.whole(json({ status }));
};

function loadFailure(model: SimulatedModel, failure: string): string {
  const native = /^Load model from|^Protobuf/.test(failure);
  if (!native) return failure;
  return `${LOAD} failed to load model ${model.id}: ${failure}`;
}

/** `GET /models/unload/{alias}`. */
export const unload: Handler = async (context, { reply }, family, name) => {
  const { engine } = context;
  const model = await byAlias(context, name, family);
  const status = await engine.loadLock.run(() => {
    if (!engine.store.isLoaded(model.id)) return "not_loaded";
    const sessions = engine.store.sessions(model.id);
    if (sessions > 0) {
      throw new C2Error(
        500,
        `Unload failed: ${UNLOAD} cannot unload model '${model.id}': ${sessions} session(s) still using it`,
      );
    }
    engine.unload(model);
    return "unloaded";
  });
  reply.whole(json({ status }));
};

function byAlias(
  { engine }: DialectContext,
  name: string,
  family: Family,
): Promise<SimulatedModel> {
  return engine.catalogLock(family).run(() => {
    const model = engine.store.selected(name, family);
    if (model === null) throw notFound(name);
    return model;
  });
}

/** `GET /v1/models`: the whole catalog, downloaded or not. */
export const listModels: Handler = async ({ engine }, { reply }, family) => {
  const models = await engine
    .catalogLock(family)
    .run(() => [...engine.store.aliases(family).values()].flat());
  reply.whole(json({ data: models.map(modelObject), object: "list" }));
};

/** `GET /v1/models/{id}`. */
export const getModel: Handler = async ({ engine }, { reply }, family, name) => {
  const model = await engine.catalogLock(family).run(() => engine.store.byId(name, family));
  if (model === null) throw notFound(name);
  reply.whole(json(modelObject(model)));
};

function modelObject(model: SimulatedModel) {
  return { created: model.created, id: model.id, object: "model", owned_by: model.publisher };
}

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

function notFound(name: string): C2Error {
  return new C2Error(404, `Model not found: No model matching '${name}'`);
}
