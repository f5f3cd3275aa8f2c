import type { SimulatedModel } from "../models/model.js";
import { bestFirst } from "../models/store.js";
import type { Simulator } from "../simulator.js";
import type { Call, Command } from "./call.js";
import type { Installation } from "./installation.js";

/** A command that needs the service. */
export type ServiceCommand = (
  call: Call,
  simulator: Simulator,
  installation: Installation,
) => Promise<number> | number;

/** A command about the model that its third word names. */
export type ModelCommand = (
  call: Call,
  model: SimulatedModel,
  simulator: Simulator,
  installation: Installation,
) => Promise<number> | number;

/** @param unknown says that there is no model of this name, and returns the exit code. */
export function aboutModel(
  withService: (act: ServiceCommand) => Command,
  act: ModelCommand,
  unknown: (call: Call, name: string) => number,
): Command {
  return withService((call, simulator, installation) => {
    const name = call.words[2] ?? "";
    const model = findModel(simulator, name);
    return model === null ? unknown(call, name) : act(call, model, simulator, installation);
  });
}

/** By id, with or without its version, or the variant that an alias stands for. */
export function findModel(simulator: Simulator, name: string): SimulatedModel | null {
  const wanted = name.toLowerCase();
  const { models } = simulator;
  const byId = models.find((model) => model.id.toLowerCase() === wanted);
  const byName = models.find((model) => model.name.toLowerCase() === wanted);
  if (byId ?? byName) return byId ?? byName ?? null;
  const variants = models.filter((model) => model.alias.toLowerCase() === wanted).sort(bestFirst);
  return variants.find((model) => model.downloaded) ?? variants[0] ?? null;
}

interface AliasGroup {
  readonly alias: string;
  readonly variants: readonly SimulatedModel[];
}

/** In the order of the catalog, as the command lines list them. */
export function byAlias(models: readonly SimulatedModel[]): AliasGroup[] {
  const groups = new Map<string, SimulatedModel[]>();
  for (const model of models) groups.set(model.alias, [...(groups.get(model.alias) ?? []), model]);
  return [...groups].map(([alias, variants]) => ({ alias, variants }));
}

export const sizeText = ({ sizeMb }: SimulatedModel, digits: number): string =>
  sizeMb === null ? "" : `${(sizeMb / 1024).toFixed(digits)} GB`;

/** Cells under one another, each as wide as its column says. */
export const columns = (cells: readonly (readonly [text: string, width: number])[]): string =>
  cells
    .map(([text, width]) => text.padEnd(width))
    .join("")
    .trimEnd();
