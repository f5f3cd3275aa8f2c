import type { Trace } from "../lib/index.js";
import type { CallOptions } from "./calls.js";
import type { Connection } from "./connection/index.js";
import type { KnownModel } from "./models/index.js";

/** What ends a call, and what its requests carry. */
export interface WorkCall {
  readonly signal: AbortSignal;
  readonly trace: Trace;
}

/** Downloads a model that may be missing; resolves with what was tight, each a sentence. */
export async function downloadMissing(
  model: KnownModel,
  { downloader, capacity }: Connection,
  { force, ...options }: WorkCall & Pick<CallOptions, "onStatus"> & { readonly force: boolean },
): Promise<readonly string[]> {
  const warnings =
    model.downloaded === false ? await capacity.assertDownloadable(model, force) : [];
  await downloader.download(model, options);
  return warnings;
}
