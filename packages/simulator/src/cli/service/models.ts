import type { SimulatedModel } from "../../models/model.js";
import type { Call, Command } from "../call.js";
import { download } from "../download.js";
import {
  aboutModel,
  byAlias,
  columns,
  type ModelCommand,
  type ServiceCommand,
  sizeText,
} from "../models.js";
import { start, unreachable } from "./agent.js";

export const listLoaded = withService((call, simulator) => {
  const { loaded } = simulator;
  if (loaded.length === 0) {
    call.print("No models are currently loaded in the service");
    return 0;
  }
  call.print("Models running in service:", `    ${aliasAndId("Alias", "Model ID")}`);
  for (const model of simulator.models.filter(({ id }) => loaded.includes(id))) {
    call.print(`🟢  ${aliasAndId(model.alias, model.id)}`);
  }
  return 0;
});

export const listCache = withService((call, simulator) => {
  call.print("Models cached on device:", `   ${aliasAndId("Alias", "Model ID")}`);
  for (const model of simulator.models.filter(({ downloaded }) => downloaded)) {
    call.print(`💾 ${aliasAndId(model.alias, model.id)}`);
  }
  return 0;
});

export const list = withService((call, simulator) => {
  printTable(call, simulator.models);
  return 0;
});

export const describe = withModel((call, model, simulator) => {
  const variants = simulator.models.filter(({ alias }) => alias === model.alias);
  printTable(call, variants);
  return 0;
});

export const downloadModel = withModel(async (call, model, simulator, installation) => {
  if (model.downloaded && !call.has("force")) {
    call.print(`Model ${model.id} was found in the local cache.`);
    return 0;
  }
  const end = await download(call, installation, simulator, model, "bar");
  if (end.kind === "downloaded") return 0;
  call.print(`Exception: ${end.text}`);
  return 1;
});

export const load = withModel(async (call, model, simulator, installation) => {
  call.print("🕓 Loading model...");
  if (!model.downloaded || model.loadError !== undefined) {
    const ttl = call.number("ttl") ?? 600;
    call.print(
      `Exception: Failed: Loading model ${model.id} from ${simulator.url}/openai/load/${model.id}?ttl=${ttl}`,
      "Internal Server Error",
      `Failed loading model ${model.id}`,
      ...(model.loadError === undefined ? [] : [model.loadError]),
    );
    return 1;
  }
  simulator.setLoaded(model.id, true);
  call.print(`🟢 Model ${model.alias} loaded successfully`);
  if (installation.switches.loadHangsAfter) await call.forever();
  return 0;
});

export const unload = withModel((call, model, simulator) => {
  simulator.setLoaded(model.id, false);
  call.print(`🟢 Model ${model.alias} unloaded successfully`);
  return 0;
});

/** Most commands start the service first, and print that (#259). */
function withService(act: ServiceCommand): Command {
  return async (call, installation) => {
    const simulator = await installation.simulator();
    if (installation.report().kind !== "ready") {
      const code = await start(call, installation);
      if (code !== 0) return code;
    }
    if (installation.dead || !simulator.listening) return unreachable(call);
    return await act(call, simulator, installation);
  };
}

function withModel(act: ModelCommand): Command {
  return aboutModel(withService, act, (call, name) => {
    call.print(`Exception: Model ${name} was not found in the catalog`);
    return 1;
  });
}

function printTable(call: Call, models: readonly SimulatedModel[]): void {
  const row = (alias: string, device: string, task: string, size: string, rest: string[]) =>
    columns([
      [alias, 31],
      [device, 11],
      [task, 15],
      [size, 13],
      [rest[0] ?? "", 13],
      [rest[1] ?? "", 0],
    ]);
  call.print(row("Alias", "Device", "Task", "File Size", ["License", "Model ID"]), "-".repeat(95));
  for (const { alias, variants } of byAlias(models)) {
    for (const [index, model] of variants.entries()) {
      const shown = index === 0 ? alias : "";
      const rest = [model.license, model.id];
      call.print(row(shown, model.device, task(model), sizeText(model, 2), rest));
    }
    call.print("-".repeat(95));
  }
}

function task(model: SimulatedModel): string {
  const base = model.task === "chat-completion" ? "chat" : model.task;
  return model.toolCalling ? `${base}, tools` : base;
}

const aliasAndId = (alias: string, id: string) =>
  columns([
    [alias, 31],
    [id, 0],
  ]);
