import type { SimulatedModel } from "../../models/model.js";
import { BETALGO, dotnetTime, empty, json } from "../answers.js";
import { type Call, type Core1, Core1Error, modelNamed } from "./core1.js";

/** `GET /status`: no process id. */
export async function status({ core, request }: Call): Promise<void> {
  const { url, modelCachePath } = core.context;
  request.reply.whole(
    json({
      endpoints: [url()],
      modelDirPath: modelCachePath,
      pipeName: null,
      isAutoRegistrationResolved: true,
      autoRegistrationStatus: "No EP bootstrappers configured.",
    }),
  );
}

/** `GET /models/loaded`: the one answer without a length. */
export async function listLoaded({ core, request }: Call): Promise<void> {
  const ids = core.context.engine.store.loaded.map(({ id }) => id);
  const contentType = "application/json; charset=utf-8";
  request.reply.whole({ status: 200, body: JSON.stringify(ids), contentType, framing: "chunked" });
}

/** `GET /models/load/{x}`: every failure is the same empty 500. */
export async function load({ core, request, name }: Call): Promise<void> {
  const model = isOffline(core) ? null : modelNamed(core, name);
  const loaded = model !== null && (await core.memory.load(model));
  request.reply.whole(empty(loaded ? 200 : 500));
}

/** `GET /models/unload/{x}`: a success, loaded or not, known or not. */
export async function unload({ core, request, name }: Call): Promise<void> {
  if (isOffline(core)) {
    request.reply.whole(empty(500));
    return;
  }
  const model = modelNamed(core, name);
  request.reply.whole(empty(200));
  if (model !== null) core.memory.unload(model);
}

/** `GET /v1/models`: what is downloaded, each version by its bare name. */
export async function listModels({ core, request }: Call): Promise<void> {
  const data = listedModels(core).map(modelObject);
  request.reply.whole(json({ data, ...BETALGO, object: "list" }));
}

/** `GET /v1/models/{name}`: by bare name alone. */
export async function getModel({ core, request, name }: Call): Promise<void> {
  const found = listedModels(core).find((model) => model.name === name);
  if (found === undefined) {
    throw new Core1Error(404, `The model '${name}' does not exist`, "model_not_found");
  }
  request.reply.whole(json(modelObject(found)));
}

function listedModels(core: Core1): readonly SimulatedModel[] {
  if (isOffline(core)) {
    throw new Core1Error(
      500,
      "Failed to retrieve model list: Catalog request failed across 7 region(s): the catalog cannot be reached",
    );
  }
  return core.context.engine.store.all.filter(({ downloaded }) => downloaded);
}

const isOffline = ({ switches }: Core1): boolean => switches.catalogAccess === "unreachable";

function modelObject(model: SimulatedModel) {
  return {
    id: model.name,
    owned_by: model.publisher,
    permission: [],
    created: model.created,
    CreatedTime: dotnetTime(model.created),
    parent: model.alias,
    ...BETALGO,
    object: "model",
  };
}
