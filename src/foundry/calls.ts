import type { Trace } from "../lib/index.js";
import type { Device, KnownModel } from "./models/index.js";

/** The options, the status updates and the results of calls. */

/** What a call waits for before its own work begins, to be shown to people. */
export interface StatusUpdate {
  /** `found` ends `finding` and `starting`: the call's own work begins. */
  readonly step:
    | "finding"
    | "starting"
    | "found"
    | "downloading"
    | "waiting"
    | "loading"
    | "embedding"
    | "reading";
  /** A sentence without a full stop, such as `Starting Foundry Local with foundry server start`. */
  readonly message: string;
  /** Of a download or of many embeddings, as far as it is known; `null` otherwise. Never falls. */
  readonly percent: number | null;
}

export type OnStatus = (update: StatusUpdate) => void;

/** What every method takes besides its own arguments. */
export interface CallOptions {
  /**
   * Aborting it ends the call at once, with the reason as the error's `cause`: `TIMEOUT` for
   * `AbortSignal.timeout()`, else `CANCELLED`.
   */
  readonly signal?: AbortSignal | undefined;
  /** Called with the step before the work itself: finding or starting the service, a download. */
  readonly onStatus?: ((news: StatusUpdate) => void) | undefined;
  /**
   * Ties the requests of this call to a trace of the caller, such as
   * `{ traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" }`.
   */
  readonly trace?: Trace | undefined;
}

export interface LoadOptions extends CallOptions {
  /** Load the variant for this device. Default: the variant that is ready, or the service's choice. */
  readonly device?: Device | undefined;
  /** Download the model first if it is not there: gigabytes. Default `false`. */
  readonly download?: boolean | undefined;
  /**
   * Go ahead although by the figures the model does not fit into the free memory, or its download onto
   * the disk. Default `false`.
   */
  readonly force?: boolean | undefined;
  /**
   * Seconds without use after which the service unloads it. Only the service of the old command line
   * knows that; its default is 600. Others keep a model until it is unloaded.
   */
  readonly idleSeconds?: number | undefined;
}

export interface UnloadOptions extends CallOptions {
  /** The variant for this device, where a name stands for several. Default: one that is loaded. */
  readonly device?: Device | undefined;
  /** Unload it although it is in use, where the service supports that. Default `false`. */
  readonly force?: boolean | undefined;
}

export interface LoadResult {
  /** Exact id of the model that is in memory now. */
  readonly model: string;
  readonly status: "loaded" | "already_loaded";
  readonly elapsedMs: number;
  /** What was tight, each a sentence. */
  readonly warnings: readonly string[];
}

export interface DownloadResult {
  /** Exact id of the model that is on the disk now. */
  readonly model: string;
  readonly status: "downloaded" | "already_downloaded";
  /** What was tight, each a sentence. */
  readonly warnings: readonly string[];
}

export interface UnloadResult {
  readonly model: string;
  readonly status: "unloaded" | "not_loaded";
}

export interface ModelListResult {
  readonly models: readonly KnownModel[];
  /** Exact id of the model that a completion without `model` would use; `null` where there is none. */
  readonly defaultModel: string | null;
  /** What is missing from the list and why. */
  readonly warning: string | null;
}
