import { z } from "zod";
import type { HttpTransport } from "../../../http/index.js";
import { FoundryError, toFoundryError } from "../../../lib/index.js";
import type { KnownModel } from "../../models/index.js";
import { jsonOf, loadedIdsSchema, parseAnswer } from "../answers.js";
import { openChat } from "../chat-stream.js";
import type { Call, Dialect } from "../dialect.js";
import { about, errorOfFailure, type Subject } from "../failures.js";
import { type CatalogEntry, ServiceCatalog } from "./catalog.js";
import { downloadFromService } from "./download.js";
import { type Extras, extrasListSchema, listedModels } from "./lists.js";

/** The reference of 2025 writes `ModelDirPath`, the service `modelDirPath`. */
export const serviceStatusSchema = z
  .record(z.string(), z.unknown())
  .transform((members) => Object.entries(members).find(([key]) => /^modeldirpath$/i.test(key))?.[1])
  .pipe(z.string())
  .transform((modelDirPath) => ({ modelDirPath }));

/** Limits of additional requests, in milliseconds. */
const EXTRAS_MS = 5000;
const LOADED_CHECK_MS = 5000;

/**
 * The legacy service (CLI 0.8 or before), `S` in docs/foundry-local.md, section 1. It takes exact
 * ids, percent-encoded. It lists its catalog and the downloaded models separately. Its errors are
 * plain text or empty. It downloads over HTTP.
 */
export function serviceDialect(transport: HttpTransport): Dialect {
  const catalog = new ServiceCatalog(transport);
  const get = (path: string, call: Call, subject: Subject = { doing: "other" }) =>
    transport.request({
      method: "GET",
      path,
      ...call,
      toError: (failure) => errorOfFailure(failure, subject),
    });

  const ids = async (path: string, call: Call): Promise<readonly string[]> =>
    parseAnswer(await get(path, call), loadedIdsSchema, path);
  const cachedIds = (call: Call) => ids("/openai/models", call);
  const loadedIds = (call: Call) => ids("/openai/loadedmodels", call);

  /** Optional facts, so a failure is ignored. Some builds do not have the route. */
  const extras = async (call: Call): Promise<readonly Extras[]> => {
    const wholeMs = Math.min(EXTRAS_MS, (call.limits.wholeMs ?? EXTRAS_MS) / 2);
    try {
      const answer = await get("/v1/models", { ...call, limits: { wholeMs }, retry: false });
      return extrasListSchema.safeParse(jsonOf(answer)).data ?? [];
    } catch (thrown) {
      const { code } = toFoundryError(thrown);
      if (code === "CANCELLED" || code === "CLIENT_CLOSED") throw thrown;
      return [];
    }
  };

  /** A load that failed or timed out for us may have gone on in the service. */
  const isLoadedAnyway = async (model: KnownModel, call: Call): Promise<boolean> => {
    const again = { ...call, limits: { wholeMs: LOADED_CHECK_MS } };
    return loadedIds(again).then(
      (loaded) => loaded.includes(model.id),
      () => false,
    );
  };

  return {
    name: "S",
    title: "Foundry Local service (CLI 0.8 or before)",
    version: null,
    can: {
      isFoundryLocal: true,
      isOldGeneration: true,
      load: true,
      listsOnlyDownloaded: false,
      stopsOnDisconnect: null,
      unloadInUse: null,
      listsWaitForLoads: false,
      contextLimit: "max_length",
      download: true,
      forceUnload: true,
    },

    async status(call) {
      const path = "/openai/status";
      const { modelDirPath } = parseAnswer(await get(path, call), serviceStatusSchema, path);
      return { pid: null, modelCachePath: modelDirPath };
    },

    async listModels(call) {
      const cached = await cachedIds(call);
      const [{ entries, warning }, more] = await Promise.all([catalog.list(call), extras(call)]);
      return { models: listedModels(entries, cached, more), warning };
    },

    async loadedModels(call) {
      return (await loadedIds(call)).map((id) => ({ id, family: "public" as const }));
    },

    async load(model, _typed, call, settings) {
      // The answer is the same whether or not it was loaded; only the list shows that.
      const wasLoaded = (await loadedIds(call)).includes(model.id);
      const status = wasLoaded ? "already_loaded" : "loaded";
      if (wasLoaded && settings?.idleSeconds === undefined) return status;
      const path = loadPath(model.id, settings?.idleSeconds, catalog.known);
      try {
        // Not retried: the load may go on for minutes.
        await get(path, { ...call, retry: false }, about("load", model));
        return status;
      } catch (thrown) {
        const { code } = toFoundryError(thrown);
        if (code === "CANCELLED" || code === "CLIENT_CLOSED") throw thrown;
        if (await isLoadedAnyway(model, call)) return status;
        throw thrown;
      }
    },

    async unload(model, call, force = false) {
      if (!(await loadedIds(call)).includes(model.id)) return "not_loaded";
      const path = `/openai/unload/${encodeURIComponent(model.id)}?force=${force}`;
      try {
        await get(path, call, about("unload", model));
        return "unloaded";
      } catch (thrown) {
        const isGone = thrown instanceof FoundryError && thrown.status === 404;
        if (isGone && !(await loadedIds(call)).includes(model.id)) return "not_loaded";
        throw thrown;
      }
    },

    download: (model, call) => downloadFromService({ transport, catalog, cachedIds }, model, call),

    chat: (request, call) => openChat(transport, request, QUIRKS, call),
  };
}

const QUIRKS = {
  path: "/v1/chat/completions",
  mistakesLimitForStop: true,
  namesSeedRandomSeed: true,
};

/** As Microsoft's own client does: a generic GPU model runs on CUDA if the catalog has a CUDA model. */
function loadPath(
  id: string,
  idleSeconds: number | undefined,
  entries: readonly CatalogEntry[],
): string {
  const hasCuda = entries.some(({ runtime }) => /cuda/i.test(runtime?.executionProvider ?? ""));
  const query = new URLSearchParams({
    ...(idleSeconds === undefined ? {} : { ttl: String(idleSeconds) }),
    ...(hasCuda && /generic-gpu/i.test(id) ? { ep: "cuda" } : {}),
  });
  const path = `/openai/load/${encodeURIComponent(id)}`;
  return query.size === 0 ? path : `${path}?${query}`;
}
