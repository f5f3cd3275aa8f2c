import type { ProgramRun } from "../../platform/index.js";

/** `service`: CLI 0.2 to 0.8 (`foundry service …`); `server`: 0.10 and later (`foundry server …`). */
export type CliGeneration = "service" | "server";

/** What a command about the service said. */
export type CliReport =
  /**
   * Where it says that the service listens; none where it started one well and does not say. Only a
   * probe tells whether that is so.
   */
  | { readonly kind: "running"; readonly urls: readonly string[]; readonly pid: number | null }
  /** URLs may have stayed behind from an earlier run; one report tells of a live one among them. */
  | { readonly kind: "stopped"; readonly urls: readonly string[] }
  /** It gave no usable answer; `what` says so in a clause for people, without paths or raw output. */
  | {
      readonly kind: "failed";
      readonly what: string;
      /** `false` where the system could not start the program at all. */
      readonly isStartable?: false;
    };

export interface CliCall {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
}

/** Foundry Local's command line, of either generation. Nothing is run through a shell. */
export interface FoundryCli {
  readonly path: string;
  /** Which generation it is; `null` while no command has told, or where it answers to neither. */
  readonly generation: CliGeneration | null;
  /** The command that asks for the state, for people: `foundry server status`. */
  readonly statusCommand: string;
  readonly startCommand: string;
  readonly restartCommand: string;
  /**
   * Asks `foundry server status -o json`; when that command is unknown, `foundry service status`.
   *
   * @throws FoundryError `CANCELLED` when the signal is aborted; so do all others.
   */
  status(call?: CliCall): Promise<CliReport>;
  /**
   * Starts the service; resolves when the command has ended or said where it listens. When the time
   * is up or the signal is aborted the command goes on by itself: what it begins is the user's.
   */
  start(call?: CliCall): Promise<CliReport>;
  /** Ends the service and starts it, as {@link start} does. */
  restart(call?: CliCall): Promise<CliReport>;
  /** `foundry --version`, such as `0.8.113`; `null` where it does not tell. */
  version(call?: CliCall): Promise<string | null>;
  /** Any other command of it, such as `["model", "download", "phi-4-mini"]`. */
  run(
    args: readonly string[],
    options: CliCall & { readonly onOutput?: (text: string) => void },
  ): Promise<ProgramRun>;
}
