import type { Logger } from "../../log.js";
import type { Machine } from "../../platform/machine.js";
import type { FoundryCli } from "../cli/index.js";
import type { TellNews } from "../news.js";
import type { Search } from "./found.js";

export interface DiscoveryOptions {
  readonly machine: Machine;
  /** Start the service where it is installed and not running. */
  readonly autostart: boolean;
  /** Host the core in a child process: always, never, or where there is no other service. */
  readonly embedded: boolean | "auto";
  /** Path of the command line, where the user set it. */
  readonly cliPath?: string | undefined;
  /** Longest wait for a started service, in milliseconds. Default 60 000. */
  readonly startTimeoutMs?: number;
  /** Ports that are tried blindly, last. Default: those of `docs/foundry-local.md`, section 12. */
  readonly knownPorts?: readonly number[];
  readonly log?: Logger | undefined;
}

export interface SearchOptions {
  readonly signal?: AbortSignal | undefined;
  readonly tell?: TellNews | undefined;
  /** `false`: look only, start nothing, as a health check does. Default `true`. */
  readonly mayStart?: boolean;
}

/** Finds the service of this machine. */
export class Discovery {
  constructor(readonly options: DiscoveryOptions) {}

  /** Looks everywhere, once for all who ask at the same time. Never rejects but for an abort. */
  async search(_options: SearchOptions = {}): Promise<Search> {
    throw new Error("being built");
  }

  /** What the last search came to; `null` before the first. */
  get lastSearch(): Search | null {
    return null;
  }

  /** The command line, looked for once and again when it was missing. */
  async cli(): Promise<FoundryCli | null> {
    throw new Error("being built");
  }

  /** Ends what it started for us: the embedded service. Never a service of the machine's. */
  async close(): Promise<void> {}
}
