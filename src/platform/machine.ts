import os from "node:os";
import path from "node:path";
import type { MemoryFigures } from "./free-space.js";

/**
 * What of a machine decides where things are and how programs are started. Handed on rather than
 * asked for, so that each decision is a function that can be tested for every platform.
 */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  /** The system's variables, such as PATH; not our settings, which `settings.ts` reads. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** What relative paths are relative to. Default: the folder of this process. */
  readonly folder?: string | undefined;
  /** Default: asked of the system. */
  readonly memory?: (() => MemoryFigures) | undefined;
  /** Free space of the disk that a folder lies on, in MB. Default: asked of the system. */
  readonly freeDiskMb?: ((folder: string) => Promise<number | null>) | undefined;
}

export const thisMachine = (): Machine => ({
  platform: process.platform,
  arch: process.arch,
  environment: process.env,
  home: homeFolder(),
});

/**
 * The user's home. A user of a container without an entry in `/etc/passwd` and without HOME has none,
 * and on Windows one of more than 260 characters cannot be asked for. Then it is the folder of the Node
 * that runs us: it is there, no other user can put files there, and nothing of Foundry Local's is in it.
 */
export function homeFolder(ask: () => string = os.homedir): string {
  try {
    const home = ask();
    // With an empty HOME, the files of the user would be those of whatever folder this is started in.
    return path.isAbsolute(home) ? home : os.userInfo().homedir;
  } catch {
    return path.dirname(process.execPath);
  }
}
