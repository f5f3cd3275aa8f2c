import type { PlatformPath } from "node:path";
import { FILE_READ_MS, FoundryError, formatMegabytes } from "../../lib/index.js";
import {
  exists,
  freeDiskMb,
  inPool,
  isDiskExact,
  LATE,
  type Machine,
  type MemoryFigures,
  memoryFigures,
  pathsOf,
} from "../../platform/index.js";
import { mbOfFiles } from "../downloads/index.js";
import type { KnownModel, ModelInfo } from "../models/index.js";
import type { Service } from "../service/index.js";

/** The members of a model that say what it needs. */
type Sized = Pick<ModelInfo, "id" | "sizeMb" | "device">;

/** An error: the model cannot fit. A sentence: it may not fit, or only just. `null`: it fits, as far as that is known. */
type Objection = FoundryError | string | null;

interface DiskFigures {
  readonly freeMb: number;
  /** The part of the model that an interrupted download left there; `null` where it could not be counted. */
  readonly presentMb: number | null;
  /** `false` where the system may be able to free more. */
  readonly isExact: boolean;
}

/** A reserve below this, or below a fifth of the model, is tight. */
const SPARE_MB = 1024;
const SPARE_SHARE = 0.2;

/**
 * Whether a model fits into memory. It needs at least its size on disk. Only a model for the CPU is
 * refused, since another device may have its own memory.
 *
 * @param memory `null` where the service's machine is not this one.
 */
export function memoryCapacity(
  { id, sizeMb, device }: Sized,
  memory: MemoryFigures | null,
): Objection {
  if (memory === null || sizeMb === null || sizeMb <= 0) return null;
  const { totalMb, freeMb, isExact } = memory;
  const takes = `${id} takes ${formatMegabytes(sizeMb)} of memory at least`;
  const free = `${formatMegabytes(freeMb)} of ${formatMegabytes(totalMb)} are free`;
  if (device !== "cpu") {
    if (sizeMb <= freeMb) return null;
    const why = "whether its device has a memory of its own is not known from here";
    return `The model may not fit: ${takes}, and ${free}; ${why}.`;
  }
  if (sizeMb > totalMb) {
    return refuse(
      "INSUFFICIENT_MEMORY",
      `${takes}, and there are ${formatMegabytes(totalMb)} in all.`,
    );
  }
  if (!isExact) {
    // Such a figure is always close to zero; usually, half of the memory can be freed.
    if (sizeMb <= freeMb || sizeMb <= totalMb / 2) return null;
    return `The model may not fit: ${takes}, and ${free}, though the system may be able to free more.`;
  }
  if (sizeMb > freeMb) return refuse("INSUFFICIENT_MEMORY", `${takes}, and ${free}.`);
  return isTight(sizeMb, freeMb) ? `Memory is tight: ${takes}, and ${free}.` : null;
}

/**
 * Whether a download fits onto the disk.
 *
 * @param disk `null` where it is not known which disk it goes to.
 */
export function diskCapacity({ id, sizeMb }: Sized, disk: DiskFigures | null): Objection {
  if (disk === null || sizeMb === null || sizeMb <= 0) return null;
  const presentMb = disk.presentMb ?? 0;
  const missingMb = Math.max(0, sizeMb - presentMb);
  if (missingMb === 0) return null;
  const isPart = presentMb >= 1;
  const needs = isPart
    ? `The rest of ${id} needs ${formatMegabytes(missingMb)} of disk`
    : `${id} needs ${formatMegabytes(missingMb)} of disk`;
  const free = `${formatMegabytes(disk.freeMb)} are free where the models are stored`;
  if (missingMb > disk.freeMb && !disk.isExact) {
    return `The download may not fit: ${needs}, and ${free}, though the system may free more.`;
  }
  if (missingMb > disk.freeMb && disk.presentMb === null) {
    return `The download may not fit: ${needs}, and ${free}, though a part of it may be there already.`;
  }
  if (missingMb > disk.freeMb) return refuse("INSUFFICIENT_DISK", `${needs}, and ${free}.`);
  const words = `Disk space is tight: ${isPart ? `the${needs.slice(3)}` : needs}, and ${free}.`;
  return isTight(missingMb, disk.freeMb) ? words : null;
}

const isTight = (needsMb: number, freeMb: number): boolean =>
  freeMb - needsMb < Math.max(SPARE_MB, needsMb * SPARE_SHARE);

const ADVICE = {
  INSUFFICIENT_MEMORY: "Unload another model, close programs, or choose a smaller model or variant",
  INSUFFICIENT_DISK: "Free disk space, or choose a smaller model or variant",
} as const;

const refuse = (code: keyof typeof ADVICE, message: string): FoundryError =>
  new FoundryError(code, message, {
    action: `${ADVICE[code]}; \`loadModel\` with force: true tries it anyway.`,
  });

/** Checks the memory and disk of a service's machine, where that is this machine. */
export class CapacityCheck {
  readonly #service: Service;
  readonly #machine: Machine;

  constructor(service: Service, machine: Machine) {
    this.#service = service;
    this.#machine = machine;
  }

  async forLoad(model: KnownModel): Promise<Objection> {
    const { memory = memoryFigures } = this.#machine;
    return memoryCapacity(model, (await this.#service.isOnThisDisk()) === true ? memory() : null);
  }

  /**
   * For a download that is loaded afterwards: a model that cannot be loaded is not downloaded.
   *
   * @returns what is tight.
   * @throws FoundryError `INSUFFICIENT_MEMORY`, `INSUFFICIENT_DISK`, unless it is forced.
   */
  async assertDownloadable(model: KnownModel, isForced: boolean): Promise<string[]> {
    const disk = diskCapacity(model, await this.#diskFor(model));
    return [...warningsOf(disk, isForced), ...warningsOf(await this.forLoad(model), isForced)];
  }

  async #diskFor(model: KnownModel): Promise<DiskFigures | null> {
    const cache = await this.#service.modelCachePath();
    const folder = cache === null ? null : await this.#nearest(cache);
    if (cache === null || folder === null) return null;
    const free = this.#machine.freeDiskMb ?? freeDiskMb;
    const freeMb = await inPool(() => free(folder), FILE_READ_MS);
    if (freeMb === null || freeMb === LATE) return null;
    const isExact = isDiskExact(this.#machine.platform);
    return { freeMb, presentMb: await mbOfFiles(cache, model), isExact };
  }

  /**
   * The folder itself, or before the first download its nearest existing parent. Only below this
   * user's home: elsewhere a missing folder may be one of another machine, behind a tunnel.
   */
  async #nearest(path: string): Promise<string | null> {
    const { home, platform } = this.#machine;
    for (const folder of foldersFrom(path, home, pathsOf(platform))) {
      const isThere = await exists(folder);
      // It may be there, on another disk than its parent.
      if (isThere === LATE) return null;
      if (isThere) return folder;
    }
    return null;
  }
}

/**
 * @returns the warnings for a caller that continues.
 * @throws FoundryError the refusal, unless the caller forces it.
 */
export function warningsOf(objection: Objection, isForced: boolean): string[] {
  if (objection === null) return [];
  if (typeof objection === "string") return [objection];
  if (!isForced) throw objection;
  return [objection.message];
}

/** An absolute path, and its parents as far as they are within the home, which may be a root itself. */
export function* foldersFrom(path: string, home: string, paths: PlatformPath): Generator<string> {
  if (!paths.isAbsolute(path)) return;
  yield path;
  const above = paths.dirname(path);
  const fromHome = paths.relative(home, above);
  const isWithinHome = !fromHome.startsWith("..") && !paths.isAbsolute(fromHome);
  if (above !== path && isWithinHome) yield* foldersFrom(above, home, paths);
}
