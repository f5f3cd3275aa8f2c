import type { SimulatedModel } from "../../models/model.js";
import type { Simulator } from "../../simulator.js";
import type { Call, Command } from "../call.js";
import { download } from "../download.js";
import {
  aboutModel,
  byAlias,
  columns,
  findModel,
  type ModelCommand,
  type ServiceCommand,
  sizeText,
} from "../models.js";
import { refused } from "./daemon.js";

export const list = withDaemon((call, simulator) => {
  const models = simulator.models.filter(
    (model) =>
      (!call.has("cached") || model.downloaded) &&
      (!call.has("loaded") || simulator.loaded.includes(model.id)),
  );
  if (call.has("variants")) printVariants(call, models);
  else printAliases(call, simulator, models);
  return 0;
});

export const listCache = withDaemon((call, simulator) => {
  const cached = simulator.models.filter(({ downloaded }) => downloaded);
  if (call.json) call.printJson({ models: cached.map((model) => modelJson(model, simulator)) });
  else call.print(...cached.map(({ id }) => id));
  return 0;
});

export const describe = withModel((call, model, simulator) => {
  const found = modelJson(model, simulator);
  if (call.json) call.printJson({ model: found });
  else call.print(...Object.entries(found).map(([name, value]) => `${name.padEnd(20)} ${value}`));
  return 0;
});

export const downloadModel = withModel(async (call, model, simulator, installation) => {
  if (!model.downloaded) {
    const style = call.json ? "silent" : "spinner";
    const end = await download(call, installation, simulator, model, style);
    if (end.kind === "failed") return refused(call, end.text);
  }
  if (call.json) call.printJson({ model: { id: model.id, cached: true } });
  else call.print(`● ${model.id} is ${model.downloaded ? "already cached" : "downloaded"}.`);
  return 0;
});

export const load = withModel(async (call, model, simulator, installation) => {
  if (!model.downloaded) return refused(call, `Model '${model.id}' is not cached.`);
  if (model.loadError !== undefined) return refused(call, model.loadError);
  simulator.setLoaded(model.id, true);
  if (call.json) call.printJson({ model: { id: model.id, loaded: true } });
  else call.print(`● ${model.id} is loaded.`);
  if (installation.switches.loadHangsAfter) await call.forever();
  return 0;
});

export const unload = withModel((call, model, simulator) => {
  simulator.setLoaded(model.id, false);
  if (call.json) call.printJson({ model: { id: model.id, loaded: false } });
  else call.print(`● ${model.id} is unloaded.`);
  return 0;
});

/** Most commands start the daemon first, silently. */
function withDaemon(act: ServiceCommand): Command {
  return async (call, installation) => {
    const simulator = await installation.simulator();
    const { kind } = await installation.start();
    const up = kind === "started" || kind === "already";
    if (!up || installation.dead || installation.switches.status === "broken_ipc") {
      return refused(call, "The daemon could not be reached.");
    }
    return await act(call, simulator, installation);
  };
}

function withModel(act: ModelCommand): Command {
  return aboutModel(withDaemon, act, (call, name) =>
    refused(call, `Model '${name}' was not found in the catalog.`),
  );
}

function printVariants(call: Call, models: readonly SimulatedModel[]): void {
  if (call.json) {
    const variants = models.map((model) => ({
      alias: model.alias,
      variantId: model.id,
      type: type(model),
      device: model.device,
      executionProvider: model.executionProvider,
      fileSizeMb: model.sizeMb,
      cached: model.downloaded,
    }));
    call.printJson({ variants });
    return;
  }
  const row = (cells: readonly string[]) =>
    `| ${cells.map((cell, index) => cell.padEnd(VARIANT_WIDTHS[index] ?? 0)).join(" | ")} |`;
  const titles = [
    "Model Name",
    "Variant",
    "Type",
    "Device",
    "Execution Provider",
    "Size",
    "Cached",
  ];
  call.print(
    row(titles),
    ...models.map((model) =>
      row([
        model.alias,
        model.name,
        type(model),
        model.device,
        model.executionProvider,
        sizeText(model, 1),
        model.downloaded ? "●" : "○",
      ]),
    ),
  );
}

const VARIANT_WIDTHS = [33, 48, 10, 6, 28, 7, 6];

function printAliases(call: Call, simulator: Simulator, models: readonly SimulatedModel[]): void {
  const groups = byAlias(models).map(({ alias, variants }) => {
    const selected = findModel(simulator, alias);
    return { alias, model: variants.find(({ id }) => id === selected?.id) ?? variants[0] };
  });
  if (call.json) {
    const listed = groups.flatMap(({ model }) =>
      model === undefined ? [] : [modelJson(model, simulator)],
    );
    call.printJson({ models: listed });
    return;
  }
  for (const { alias, model } of groups) {
    if (model === undefined) continue;
    call.print(
      columns([
        [alias, 33],
        [type(model), 12],
        [model.device, 8],
        [sizeText(model, 1), 0],
      ]),
    );
  }
}

function modelJson(model: SimulatedModel, simulator: Simulator) {
  return {
    alias: model.alias,
    id: model.id,
    type: type(model),
    device: model.device,
    executionProvider: model.executionProvider,
    fileSizeMb: model.sizeMb,
    contextLength: model.advertisedContextLength ?? model.contextLength,
    supportsToolCalling: model.toolCalling,
    license: model.license,
    cached: model.downloaded,
    loaded: simulator.loaded.includes(model.id),
  };
}

function type({ task }: SimulatedModel): string {
  if (task.startsWith("vision")) return "Multimodal";
  if (task.startsWith("embedding")) return "Embedding";
  if (task.startsWith("automatic-speech")) return "Audio";
  return "Chat";
}
