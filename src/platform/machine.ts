import os from "node:os";

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
}

export const thisMachine = (): Machine => ({
  platform: process.platform,
  arch: process.arch,
  environment: process.env,
  home: os.homedir(),
});
