import type { SimulatedModel } from "../../models/model.js";
import type { DialectRequest } from "../dialect.js";
import { json, ServiceError } from "./answers.js";
import { uriOf } from "./download.js";
import type { Service } from "./service.js";

/** For catalog entries without a limit. */
const DEFAULT_MAX_OUTPUT = 2048;
const HARDWARE = /-(generic|cuda|trtrtx|openvino|qnn|vitis|migraphx)-(cpu|gpu|npu)$/;

/** `GET /foundry/list`: the catalog, without the models that users added. */
export async function catalog(service: Service, { reply }: DialectRequest): Promise<void> {
  const { switches, models } = service;
  if (switches.catalog === "fails") throw new ServiceError(500, "");
  const offered =
    switches.catalog === "empty" ? [] : models.filter(({ family }) => family === "public");
  const list = offered.map((model) => element(service, model));
  reply.whole(json(switches.catalogForm === "array" ? list : { models: list }));
}

function element(service: Service, model: SimulatedModel): object {
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
