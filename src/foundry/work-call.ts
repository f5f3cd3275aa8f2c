import { type MeteredTrace, toFoundryError } from "../lib/index.js";
import type { DownloadResult, LoadOptions, LoadResult } from "./calls.js";
import type { Connection } from "./current-service.js";
import { hasModel } from "./downloads/index.js";
import type { KnownModel } from "./models/index.js";

/** What ends a call, what its requests carry, and where it is counted. */
export interface WorkCall {
  readonly signal: AbortSignal;
  readonly trace: MeteredTrace;
  /** Called with the exact id of its model as soon as that is known. */
  readonly onModel: (id: string) => void;
}

type LoadCall = Omit<LoadOptions, "signal" | "trace"> & WorkCall;

/**
 * Loads a model, downloaded first where that is asked for.
 *
 * @param call.warnings Gets what was tight, also of an attempt that is repeated.
 */
export async function loaded(
  name: string,
  connection: Connection,
  { warnings, ...call }: LoadCall & { readonly warnings: Set<string> },
): Promise<Pick<LoadResult, "status"> & { readonly id: string }> {
  const { loader } = connection;
  const { signal, trace, onStatus, device, idleSeconds, force = false } = call;
  let resolved = await loader.resolveModel(name, { signal, trace, device, onStatus });
  call.onModel(resolved.model.id);
  if (call.download === true && resolved.model.downloaded !== true) {
    try {
      const { warnings: tight } = await download(resolved.model, connection, call);
      for (const warning of tight) warnings.add(warning);
    } catch (thrown) {
      const { code } = toFoundryError(thrown);
      // Where it is not known whether the model is there, its load shows it.
      if (resolved.model.downloaded !== null || code !== "DOWNLOAD_UNAVAILABLE") throw thrown;
    }
    resolved = await loader.resolveModel(name, { signal, trace, device });
  }
  const outcome = await loader.load(resolved, signal, { idleSeconds, force, onStatus, trace });
  for (const warning of outcome.warnings) warnings.add(warning);
  return { id: outcome.model.id, status: outcome.status };
}

/** Downloads a model, and does not load it. */
export async function downloaded(
  name: string,
  connection: Connection,
  call: LoadCall,
): Promise<DownloadResult> {
  const { signal, trace, onStatus, device } = call;
  const { model } = await connection.loader.resolveModel(name, { signal, trace, device, onStatus });
  call.onModel(model.id);
  return download(model, connection, call);
}

async function download(
  model: KnownModel,
  { downloader, capacity, service }: Connection,
  { signal, trace, onStatus, force = false }: LoadCall,
): Promise<DownloadResult> {
  let warnings: readonly string[] = [];
  try {
    if (model.downloaded === false) warnings = await capacity.assertDownloadable(model, force);
  } catch (refusal) {
    // The model may have been downloaded since it was listed: it needs no disk then, and a load checks the memory.
    if (!(await hasModel(service, model, signal))) throw refusal;
    return { model: model.id, status: "already_downloaded", warnings };
  }
  const status = await downloader.download(model, { signal, trace, onStatus });
  return { model: model.id, status, warnings: status === "downloaded" ? warnings : [] };
}
