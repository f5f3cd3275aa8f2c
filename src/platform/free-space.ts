import { statfs } from "node:fs/promises";
import os from "node:os";

const MB = 1024 * 1024;

/** The memory that a program may have here, in MB. */
export interface MemoryFigures {
  /** Of the machine, or of the container that this process is in. */
  readonly totalMb: number;
  readonly freeMb: number;
  /** `false` where the system counts files that it merely keeps ready as used: more may be had. */
  readonly isExact: boolean;
}

/** As the system reports it, in bytes. */
interface ReportedMemory {
  readonly total: number;
  readonly free: number;
  /** What the container allows; 0, or more than there is, where there is none. */
  readonly limit: number;
  /** What is left of that. */
  readonly available: number;
}

/**
 * Linux and Windows report the memory that programs can still get. macOS and the limits of a container
 * count the file cache as used.
 */
export function memoryFiguresFrom(
  platform: NodeJS.Platform,
  { total, free, limit, available }: ReportedMemory,
): MemoryFigures {
  const isLimited = limit > 0 && limit < total;
  return {
    totalMb: Math.round((isLimited ? limit : total) / MB),
    freeMb: Math.round((isLimited ? Math.max(0, Math.min(free, available)) : free) / MB),
    isExact: !isLimited && (platform === "linux" || platform === "win32"),
  };
}

export const memoryFigures = (): MemoryFigures =>
  memoryFiguresFrom(process.platform, {
    total: os.totalmem(),
    free: os.freemem(),
    limit: process.constrainedMemory(),
    available: process.availableMemory(),
  });

/** What `health_check` shows; the same figures as a load is checked with. */
export function machineMemory(): Pick<MemoryFigures, "totalMb" | "freeMb"> {
  const { totalMb, freeMb } = memoryFigures();
  return { totalMb, freeMb };
}

/**
 * Whether free disk space is all that there is: macOS leaves out what it frees when it is needed
 * (purgeable space), so that more may fit.
 */
export const isDiskExact = (platform: NodeJS.Platform): boolean => platform !== "darwin";

/** `null` where the system does not report it. */
export async function freeDiskMb(folder: string): Promise<number | null> {
  return statfs(folder).then(
    ({ bavail, bsize }) => Math.floor((bavail * bsize) / MB),
    () => null,
  );
}
