import { HARDWARE, type SimulatedModel, uriOf } from "../../models/model.js";
import { BETALGO, dotnetTime, json } from "../answers.js";
import type { DialectRequest } from "../dialect.js";
import { type Service, ServiceError } from "./service.js";

/** The default output limit is this share of the context: 4096 of 32768, 16384 of 131072. */
const OUTPUT_SHARE = 8;

/** `GET /openai/models`: the downloaded models, also those in no catalog. */
export async function listDownloaded(service: Service, { reply }: DialectRequest): Promise<void> {
  reply.whole(json(service.downloaded.map((model) => service.idOf(model))));
}

/** `GET /openai/loadedmodels`. */
export async function listLoaded(service: Service, { reply }: DialectRequest): Promise<void> {
  reply.whole(json(service.engine.store.loaded.map((model) => service.idOf(model))));
}

/** `GET /v1/models`. */
export async function listForOpenAI(service: Service, { reply }: DialectRequest): Promise<void> {
  const { openaiModels } = service.switches;
  if (openaiModels === "absent") throw new ServiceError(404, "");
  const listed = openaiModels === "downloaded" ? service.downloaded : service.engine.store.loaded;
  const data = listed.map((model) => element(service, model));
  reply.whole(json({ data, ...BETALGO, object: "list" }));
}

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

/** For catalog entries without a limit. */
const DEFAULT_MAX_OUTPUT = 2048;

/** `GET /foundry/list`: the catalog, without the models that users added. */
export async function catalog(service: Service, { reply }: DialectRequest): Promise<void> {
  const { switches, models } = service;
  if (switches.catalog === "fails") throw new ServiceError(500, "");
  const offered =
    switches.catalog === "empty" ? [] : models.filter(({ family }) => family === "public");
  const list = offered.map((model) => catalogEntry(service, model));
  reply.whole(json(switches.catalogForm === "array" ? list : { models: list }));
}

function catalogEntry(service: Service, model: SimulatedModel): object {
  const { name } = model;
  return {
    name: service.idOf(model),
    displayName: model.displayName ?? name,
    providerType: "AzureFoundry",
    uri: uriOf(model),
    // A text only here.
    version: String(model.version),
    modelType: "ONNX",
    promptTemplate: promptTemplate(model),
    publisher: model.publisher,
    task: model.task,
    testModel: false,
    runtime: { deviceType: model.device, executionProvider: model.executionProvider },
    fileSizeMb: model.sizeMb ?? 0,
    modelSettings: { parameters: [] },
    alias: model.alias,
    supportsToolCalling: model.toolCalling,
    license: model.license,
    licenseDescription: `This model is provided under the License Terms: ${model.license}.`,
    parentModelUri: `azureml://registries/azureml/models/${name.replace(HARDWARE, "")}/versions/1`,
    maxOutputTokens: model.maxOutputTokens ?? DEFAULT_MAX_OUTPUT,
    minFLVersion: null,
  };
}

function promptTemplate({ alias, task }: SimulatedModel): object | null {
  if (!/chat|text-generation/.test(task)) return null;
  return alias.startsWith("phi") ? PHI : CHATML;
}

const turn = (role: string) => `<|${role}|>\n{Content}<|im_end|>`;
const PHI = {
  system: turn("system"),
  user: turn("user"),
  assistant: turn("assistant"),
  prompt: `${turn("user")}\n<|assistant|>`,
};
const CHATML = {
  system: "<|im_start|>system\n{Content}<|im_end|>",
  user: "<|im_start|>user\n{Content}<|im_end|>",
  assistant: "<|im_start|>assistant\n{Content}<|im_end|>",
  prompt: "<|im_start|>user\n{Content}<|im_end|>\n<|im_start|>assistant",
};

const BUILT_IN = ["CPUExecutionProvider", "WebGpuExecutionProvider"];
const CUDA = "CUDAExecutionProvider";

/** `GET /openai/status`. Answers while a model loads. */
export async function status(service: Service, { reply }: DialectRequest): Promise<void> {
  const { context, switches } = service;
  const members = {
    endpoints: [context.url()],
    modelDirPath: context.modelCachePath,
    pipeName: null,
    ...registration(service),
  };
  const named = Object.entries(members).map(([name, value]) => [
    switches.statusNames === "camelCase" ? name : name.slice(0, 1).toUpperCase() + name.slice(1),
    value,
  ]);
  reply.whole(json(Object.fromEntries(named)));
}

function registration({ models, switches }: Service): object {
  if (switches.registration === "absent") return {};
  const used = new Set(models.map((model) => model.executionProvider));
  const fetched = [...used].filter((name) => !BUILT_IN.includes(name) && name !== CUDA);
  const valid = [...BUILT_IN, ...fetched, ...(used.has(CUDA) ? [CUDA] : [])];
  const first =
    fetched.length === 0
      ? "No EP bootstrappers configured."
      : `Successfully downloaded and registered the following EPs: ${fetched.join(", ")}.`;
  return {
    isAutoRegistrationResolved: true,
    autoRegistrationStatus: `${first}\r\nValid EPs: ${valid.join(", ")}`,
  };
}
