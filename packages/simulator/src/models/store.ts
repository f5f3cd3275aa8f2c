import type { SimulatedModel } from "./model.js";

export type Family = "public" | "local";

const VENDOR = /-(trtrtx|openvino|qnn|vitis|migraphx)-/;

/** The order in which the service prefers the variants of an alias (`docs/foundry-local.md`, section 2). */
function rank(model: SimulatedModel): number {
  if (model.device === "NPU") return 0;
  const generic = model.name.includes("-generic-");
  if (model.device === "GPU") {
    if (VENDOR.test(model.name)) return 1;
    if (model.name.includes("-cuda-")) return 2;
    return generic ? 3 : 6;
  }
  if (VENDOR.test(model.name)) return 4;
  return generic ? 5 : 6;
}

export function bestFirst(a: SimulatedModel, b: SimulatedModel): number {
  return (
    rank(a) - rank(b) ||
    b.version - a.version ||
    b.created - a.created ||
    (a.id < b.id ? -1 : Number(a.id > b.id))
  );
}

/** The models, and which of them are loaded. */
export class ModelStore {
  readonly #byId = new Map<string, SimulatedModel>();
  readonly #loaded = new Set<string>();
  readonly #sessions = new Map<string, number>();

  constructor(models: readonly SimulatedModel[]) {
    for (const model of models) {
      if (this.#byId.has(model.id)) throw new Error(`model ${model.id} is given twice`);
      this.#byId.set(model.id, model);
      if (model.loaded) this.#loaded.add(model.id);
    }
  }

  get all(): readonly SimulatedModel[] {
    return [...this.#byId.values()];
  }

  byId(id: string, family: Family): SimulatedModel | null {
    const model = this.#byId.get(id);
    return model?.family === family ? model : null;
  }

  /** The variants of a family by alias: the public catalog sorts them, the local one does not. */
  aliases(family: Family): Map<string, SimulatedModel[]> {
    const groups = new Map<string, SimulatedModel[]>();
    for (const model of this.#byId.values()) {
      if (model.family !== family) continue;
      groups.set(model.alias, [...(groups.get(model.alias) ?? []), model].sort(bestFirst));
    }
    if (family === "local") return groups;
    return new Map([...groups].sort(([a], [b]) => (a < b ? -1 : Number(a > b))));
  }

  /** The variant that an alias stands for: the best that is downloaded, or else the best. */
  selected(alias: string, family: Family): SimulatedModel | null {
    const variants = this.aliases(family).get(alias);
    return variants?.find((model) => model.downloaded) ?? variants?.[0] ?? null;
  }

  /** Ids that are loaded, as the service lists them: of each alias the selected variant only. */
  listLoaded(family: Family): string[] {
    return [...this.aliases(family).keys()].flatMap((alias) => {
      const id = this.selected(alias, family)?.id;
      return id !== undefined && this.#loaded.has(id) ? [id] : [];
    });
  }

  get loaded(): readonly SimulatedModel[] {
    return this.all.filter(({ id }) => this.#loaded.has(id));
  }

  isLoaded(id: string): boolean {
    return this.#loaded.has(id);
  }

  setLoaded(id: string, loaded: boolean): void {
    if (!this.#byId.has(id)) throw new Error(`there is no model with the id ${id}`);
    if (loaded) this.#loaded.add(id);
    else this.#loaded.delete(id);
  }

  /** Returns the model as it is now. */
  setDownloaded(id: string, downloaded: boolean): SimulatedModel {
    const model = this.#byId.get(id);
    if (model === undefined) throw new Error(`there is no model with the id ${id}`);
    const changed = { ...model, downloaded };
    this.#byId.set(id, changed);
    return changed;
  }

  /** The number of generations that use a model. */
  sessions(id: string): number {
    return this.#sessions.get(id) ?? 0;
  }

  hold(id: string): void {
    this.#sessions.set(id, this.sessions(id) + 1);
  }

  release(id: string): void {
    this.#sessions.set(id, this.sessions(id) - 1);
  }
}
