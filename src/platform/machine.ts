import os from "node:os";
import type { MemoryFigures } from "./free-space.js";

/**
 * What of a machine decides where things are and how programs are started. Handed on rather than
 * asked for, so that each decision is a function that can be tested for every platform.
 */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  /** The system's variables, such as PATH; settings of ours are config.ts's. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Default: asked of the system. */
  readonly memory?: (() => MemoryFigures) | undefined;
  /** Free space of the disk that a folder lies on, in MB. Default: asked of the system. */
  readonly freeDiskMb?: ((folder: string) => Promise<number | null>) | undefined;
}

export const thisMachine = (): Machine => ({
  platform: process.platform,
  arch: process.arch,
  environment: process.env,
  home: os.homedir(),
});
