import type { Vectors } from "../documents/index.js";
import type { AllowedFolders } from "../files/index.js";
import type { FoundryClient } from "../jobs/index.js";
import type { Kept } from "../keeper/index.js";
import type { SecretMask } from "../lib/index.js";
import type { Logger } from "../log.js";
import type { OnCancel } from "../settings.js";

/** What the settings say about calls. */
export interface CallPolicy {
  /**
   * After so long a call answers with what it has; the work goes on. Default: by what is known of the
   * host's limit.
   */
  readonly replyWithinMs?: number | undefined;
  readonly onCancel: OnCancel;
}

/** What `monitor` is shown of this process. */
export interface Publication {
  /** The host's name for itself, where there is one host. */
  host: string | null;
  /** Where it serves MCP over HTTP. */
  url: string | null;
  close(): Promise<void>;
}

/** What the handlers of a server work with. */
export interface Backend {
  readonly client: FoundryClient;
  readonly log: Logger;
  readonly policy: CallPolicy;
  /** Hidden in what a service says of itself and its models. */
  readonly secrets: SecretMask;
  /** As they are logged at the start: those that differ from the defaults, without secrets. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** What outlives this process. */
  readonly kept: Kept;
  /** Default: nothing is shown. */
  readonly publication?: Publication | undefined;
  /** The files that the user allowed; of no folder, if none. */
  readonly files: AllowedFolders;
  /** What exports spans and metrics. Default: nothing. */
  readonly telemetry?: { close(): Promise<void> } | undefined;
  /** The vectors of texts that were read before. */
  readonly vectors: Vectors;
}

/** Leaves what was promised to the keeper, and ends the rest. */
export async function closeBackend(backend: Backend | null): Promise<void> {
  await backend?.publication?.close();
  await backend?.kept.close();
  await backend?.client.close();
  await backend?.telemetry?.close();
}
