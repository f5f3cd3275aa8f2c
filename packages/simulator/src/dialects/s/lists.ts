import type { SimulatedModel } from "../../models/model.js";
import type { DialectRequest } from "../dialect.js";
import { dotnetTime, json, ServiceError } from "./answers.js";
import type { Service } from "./service.js";

/** The default output limit is this share of the context: 4096 of 32768, 16384 of 131072. */
const OUTPUT_SHARE = 8;

/** `GET /openai/models`: the downloaded models, also those in no catalog. */
export async function listDownloaded(service: Service, { reply }: DialectRequest): Promise<void> {
  reply.whole(json(service.downloaded.map((model) => service.idOf(model))));
}

/** `GET /openai/loadedmodels`. */
export async function listLoaded(service: Service, { reply }: DialectRequest): Promise<void> {
  reply.whole(json(loaded(service).map((model) => service.idOf(model))));
}

/** `GET /v1/models`. */
export async function listForOpenAI(service: Service, { reply }: DialectRequest): Promise<void> {
  const { openaiModels } = service.switches;
  if (openaiModels === "absent") throw new ServiceError(404, "");
  const listed = openaiModels === "downloaded" ? service.downloaded : loaded(service);
  const data = listed.map((model) => element(service, model));
  reply.whole(json({ data, ...BETALGO, object: "list" }));
}

/** Members that the library behind S and C1 adds to every object of OpenAI's. */
export const BETALGO = { IsDelta: false, Successful: true, HttpStatusCode: 0 };

function element(service: Service, model: SimulatedModel): object {
  const context = model.advertisedContextLength ?? model.contextLength;
  const maxOutputTokens = model.maxOutputTokens ?? Math.floor(context / OUTPUT_SHARE);
  return {
    vision: model.task.includes("vision"),
    toolCalling: model.toolCalling,
    maxInputTokens: context - maxOutputTokens,
    maxOutputTokens,
    id: service.idOf(model),
    owned_by: model.publisher,
    permission: [],
    created: model.created,
    CreatedTime: dotnetTime(model.created),
    ...BETALGO,
    object: "model",
  };
}

function loaded({ models, engine }: Service): readonly SimulatedModel[] {
  return models.filter(({ id }) => engine.store.isLoaded(id));
}
