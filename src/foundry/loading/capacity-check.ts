import { access } from "node:fs/promises";
import { dirname, isAbsolute, relative } from "node:path";
import {
  freeDiskMb,
  isDiskExact,
  type Machine,
  memoryFigures,
  thisMachine,
} from "../../platform/index.js";
import { mbOfFiles } from "../downloads/index.js";
import type { KnownModel } from "../models/index.js";
import type { Service } from "../service/index.js";
import { type Capacity, diskCapacity, memoryCapacity } from "./capacity.js";

/** Checks the memory and disk of a service's machine, where that is this machine. */
export class CapacityCheck {
  readonly #service: Service;
  readonly #machine: Machine;

  constructor(service: Service, machine: Machine = thisMachine()) {
    this.#service = service;
    this.#machine = machine;
  }

  async forLoad(model: KnownModel): Promise<Capacity> {
    const { memory = memoryFigures } = this.#machine;
    return memoryCapacity(model, (await this.#service.isOnThisDisk()) ? memory() : null);
  }

  /**
   * For a download that is loaded afterwards: a model that cannot be loaded is not downloaded.
   *
   * @returns what is tight.
   * @throws FoundryError `INSUFFICIENT_MEMORY`, `INSUFFICIENT_DISK`, unless it is forced.
   */
  async assertDownloadable(model: KnownModel, isForced: boolean): Promise<string[]> {
    const capacities = [await this.#forDownload(model), await this.forLoad(model)];
    return capacities.flatMap((capacity) => warningsOf(capacity, isForced));
  }

  async #forDownload(model: KnownModel): Promise<Capacity> {
    const cache = await this.#service.modelCachePath();
    const folder = cache === null ? null : await this.#nearest(cache);
    if (cache === null || folder === null) return diskCapacity(model, null);
    const free = await (this.#machine.freeDiskMb ?? freeDiskMb)(folder);
    if (free === null) return diskCapacity(model, null);
    return diskCapacity(model, {
      freeMb: free,
      presentMb: await mbOfFiles(cache, model),
      isExact: isDiskExact(this.#machine.platform),
    });
  }

  /**
   * The folder itself, or before the first download its nearest existing parent. Only below this
   * user's home: elsewhere a missing folder may be one of another machine, behind a tunnel.
   */
  async #nearest(path: string): Promise<string | null> {
    if (!isAbsolute(path)) return null;
    if (await exists(path)) return path;
    const { home } = this.#machine;
    for (let folder = dirname(path); isWithin(home, folder); folder = dirname(folder)) {
      if (await exists(folder)) return folder;
    }
    return null;
  }
}

/**
 * @returns the warnings for a caller that continues.
 * @throws FoundryError the refusal, unless the caller forces it.
 */
export function warningsOf({ refusal, warning }: Capacity, isForced: boolean): string[] {
  if (refusal !== null && !isForced) throw refusal;
  const message = refusal?.message ?? warning;
  return message === null ? [] : [message];
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

function isWithin(home: string, folder: string): boolean {
  const path = relative(home, folder);
  return !path.startsWith("..") && !isAbsolute(path);
}
