import type { CliGeneration } from "./cli/index.js";
import type { Attempt } from "./discovery/index.js";
import type { ServiceHealth } from "./health/index.js";

/** What `doctor` shows of a machine and its service. */
export interface Diagnosis {
  readonly health: ServiceHealth;
  /** What was tried to find the service, in order; empty where its endpoint is set. */
  readonly attempts: readonly Attempt[];
  /** How long that took, a start of the service included; `null` where nothing was searched for. */
  readonly searchMs: number | null;
  readonly commandLine: {
    readonly path: string;
    readonly generation: CliGeneration | null;
    readonly version: string | null;
  } | null;
}
