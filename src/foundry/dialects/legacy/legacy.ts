import * as z from "zod";
import { type HttpTransport, isRefused } from "../../../http/index.js";
import {
  FoundryError,
  isCancellation,
  MAX_STATUS_BYTES,
  toFoundryError,
} from "../../../lib/index.js";
import type { KnownModel } from "../../models/index.js";
import { adaptedChat } from "../adapted-chat.js";
import { getterOf, idListSchema, jsonOf, parseAnswer, tokenCountSchema } from "../answers.js";
import { wireMessage } from "../chat-messages.js";
import type { Call, Dialect } from "../dialect.js";
import { about, errorOfFailure } from "../failures.js";
import {
  type CatalogEntry,
  type Extras,
  extrasListSchema,
  listedModels,
  ServiceCatalog,
} from "./catalog.js";
import { downloadFromService } from "./download.js";

/** The reference of 2025 writes `ModelDirPath`, the service `modelDirPath`. */
export const serviceStatusSchema = z
  .record(z.string(), z.unknown())
  .transform((members) => Object.entries(members).find(([key]) => /^modeldirpath$/i.test(key))?.[1])
  .pipe(z.string())
  .transform((modelDirPath) => ({ pid: null, modelCachePath: modelDirPath }));

const promptSchema = z.object({ tokenCount: tokenCountSchema });

/** Limits of additional requests, in milliseconds. */
const EXTRAS_MS = 5000;
const LOADED_CHECK_MS = 5000;

/**
 * The legacy service (CLI 0.8 or before), `S` in docs/foundry-local.md, section 1. It takes exact
 * ids, percent-encoded. It lists its catalog and the downloaded models separately. Its errors are
 * plain text or empty. It downloads over HTTP.
 */
export function serviceDialect(
  transport: HttpTransport,
): Dialect & Required<Pick<Dialect, "download">> {
  const catalog = new ServiceCatalog(transport);
  const get = getterOf(transport);

  const idList = async (path: string, call: Call) =>
    parseAnswer(await get(path, call), idListSchema, path);
  const cachedList = (call: Call) => idList("/openai/models", call);
  const cachedIds = async (call: Call) => (await cachedList(call)).data;
  const loadedIds = async (call: Call) => (await idList("/openai/loadedmodels", call)).data;

  /** Optional facts, so a failure is ignored. Some builds do not have the route. */
  const extras = async (call: Call): Promise<readonly Extras[]> => {
    const wholeMs = Math.min(EXTRAS_MS, (call.limits.wholeMs ?? EXTRAS_MS) / 2);
    try {
      const answer = await get("/v1/models", { ...call, limits: { wholeMs }, retry: false });
      return extrasListSchema.safeParse(jsonOf(answer)).data ?? [];
    } catch (thrown) {
      if (isCancellation(toFoundryError(thrown))) throw thrown;
      return [];
    }
  };

  /**
   * A load that failed or timed out for us may have gone on in the service.
   *
   * @throws FoundryError where nothing listens any more: the load is gone, too.
   */
  const isLoadedAnyway = async (model: KnownModel, call: Call, attempts: number) => {
    const loaded = await loadedIds({ ...call, limits: { wholeMs: LOADED_CHECK_MS } }).catch(
      toFoundryError,
    );
    if (!(loaded instanceof FoundryError)) return loaded.includes(model.id);
    if (!isRefused(loaded)) return false;
    loaded.attempts += attempts;
    throw loaded;
  };

  return {
    name: "S",
    title: "Foundry Local service (CLI 0.8 or before)",
    version: null,
    can: {
      isFoundryLocal: true,
      isOldGeneration: true,
      load: true,
      stopsOnDisconnect: null,
      unloadInUse: null,
      generationsAtOnce: 1,
      listsWaitForLoads: false,
      contextLimit: "max_length",
      forceUnload: true,
      images: false,
    },

    async status(call) {
      const path = "/openai/status";
      return parseAnswer(await get(path, call, MAX_STATUS_BYTES), serviceStatusSchema, path);
    },

    async listModels(call) {
      const cached = await cachedList(call);
      const [known, more] = await Promise.all([catalog.list(call), extras(call)]);
      const models = listedModels(known.entries, cached.data, more);
      return { models, warning: known.warning, leftOut: cached.leftOut + known.leftOut };
    },

    async loadedModels(call) {
      return (await loadedIds(call)).map((id) => ({ id, family: "public" as const }));
    },

    async load(model, _typed, call, settings) {
      // The answer is the same whether or not it was loaded; only the list shows that.
      const wasLoaded = model.loaded !== false && (await loadedIds(call)).includes(model.id);
      const status = wasLoaded ? "already_loaded" : "loaded";
      if (wasLoaded && settings?.idleSeconds === undefined) return status;
      const path = loadPath(model.id, settings?.idleSeconds, catalog.known);
      try {
        // Not retried: the load may go on for minutes.
        await get(path, { ...call, retry: false }, MAX_STATUS_BYTES, about("load", model));
        return status;
      } catch (thrown) {
        const error = toFoundryError(thrown);
        if (!isCancellation(error) && (await isLoadedAnyway(model, call, error.attempts))) {
          return status;
        }
        throw error;
      }
    },

    async unload(model, call, force = false) {
      if (!(await loadedIds(call)).includes(model.id)) return "not_loaded";
      const path = `/openai/unload/${encodeURIComponent(model.id)}?force=${force}`;
      try {
        await get(path, call, MAX_STATUS_BYTES, about("unload", model));
        return "unloaded";
      } catch (thrown) {
        const isGone = thrown instanceof FoundryError && thrown.status === 404;
        if (isGone && !(await loadedIds(call)).includes(model.id)) return "not_loaded";
        throw thrown;
      }
    },

    download: (model, call) => downloadFromService({ transport, catalog, cachedIds }, model, call),

    async countTokens({ model, messages }, call) {
      const path = `${QUIRKS.path}/tokenizer/encode/count`;
      const answer = await transport.request({
        method: "POST",
        path,
        body: { model: model.id, messages: messages.map(wireMessage) },
        ...call,
        maxBodyBytes: MAX_STATUS_BYTES,
        toError: (failure) => errorOfFailure(failure, { doing: "other" }),
      });
      return parseAnswer(answer, promptSchema, path).tokenCount;
    },

    chat: (request, call) => adaptedChat(transport, request, QUIRKS, call),
  };
}

const QUIRKS = {
  path: "/v1/chat/completions",
  mistakesLimitForStop: true,
  sendsTokensAlone: true,
  namesSeedRandomSeed: true,
  toolsAsText: true,
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
