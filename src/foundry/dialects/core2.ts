import * as z from "zod";
import type { HttpAnswer, HttpTransport } from "../../http/index.js";
import { FoundryError, MAX_LIST_BYTES, MAX_STATUS_BYTES } from "../../lib/index.js";
import {
  type Family,
  type KnownModel,
  type ListedModel,
  type LoadedModel,
  parseModelId,
} from "../models/index.js";
import { idListSchema, modelListSchema, parseAnswer, pidSchema } from "./answers.js";
import { hasImages } from "./chat-messages.js";
import { adaptedChat } from "./chat-stream.js";
import { type Core2Version, HEAD_LIMIT_BYTES } from "./core2-versions.js";
import { type Call, type Dialect, noDownload } from "./dialect.js";
import { requestEmbeddings } from "./embeddings.js";
import type { Subject } from "./failure-rules.js";
import { about, errorOfFailure } from "./failures.js";
import { responsesChat } from "./responses-chat.js";

export const core2StatusSchema = z
  .object({ modelCachePath: z.string(), pid: pidSchema })
  .transform(({ modelCachePath, pid }) => ({ modelCachePath, pid: pid ?? null }));

const loadStatusSchema = z.object({ status: z.enum(["loaded", "already_loaded"]) });
const unloadStatusSchema = z.object({ status: z.enum(["unloaded", "not_loaded"]) });

/**
 * C2, the open-source core 2.x behind oatpp. It loads and unloads by alias only, which no route
 * shows. All other routes take exact ids. It does not percent-decode paths. Its model list waits for
 * a running load (docs/foundry-local.md, sections 2, 3 and 7).
 */
export function core2Dialect(transport: HttpTransport, version: Core2Version): Dialect {
  const families: readonly Family[] = version.hasLocalFamily ? ["public", "local"] : ["public"];
  const get = (
    path: string,
    call: Call,
    subject: Subject,
    maxBodyBytes = MAX_LIST_BYTES,
  ): Promise<HttpAnswer> =>
    transport.request({
      method: "GET",
      path,
      ...call,
      maxBodyBytes,
      headLimitBytes: HEAD_LIMIT_BYTES,
      toError: (failure) => errorOfFailure(failure, subject),
    });

  /** Tries the names in order until the service knows one. */
  const byName = async (
    verb: "load" | "unload",
    model: KnownModel,
    names: readonly string[],
    call: Call,
  ): Promise<HttpAnswer> => {
    const [name, ...rest] = names;
    const path = `${prefixOf(model.family)}/models/${verb}/${rawPathOf(name ?? model.name)}`;
    try {
      return await get(path, call, about(verb, model), MAX_STATUS_BYTES);
    } catch (error) {
      const isUnknown = error instanceof FoundryError && error.code === "MODEL_NOT_FOUND";
      if (!isUnknown) throw error;
      // The service lists the model, so it only does not know the name.
      if (rest.length === 0) throw model.alias === null ? unknownAlias(verb, model, error) : error;
      return byName(verb, model, rest, call);
    }
  };

  // One family after the other: concurrent requests to a service that is gone would open the circuit
  // before any of them is retried.
  const loadedModels = async (call: Call, asked = families) => {
    const loaded: LoadedModel[] = [];
    for (const family of families.filter((each) => asked.includes(each))) {
      const path = `${prefixOf(family)}/models/loaded`;
      const answer = await get(path, call, { doing: "other" });
      const { ids } = parseAnswer(answer, idListSchema, path);
      for (const id of ids) loaded.push({ id, family });
    }
    return loaded;
  };

  return {
    name: "C2",
    title: `Foundry Local core ${version.version}`,
    version: version.version,
    can: {
      isFoundryLocal: true,
      isOldGeneration: false,
      fixedPortNarrowsList: false,
      load: true,
      takesUnlisted: false,
      listsOnlyDownloaded: false,
      stopsOnDisconnect: version.stopsOnDisconnect,
      unloadInUse: "refused",
      generationsAtOnce: 4,
      listsWaitForLoads: true,
      contextLimit: version.contextLimit,
      download: false,
      forceUnload: false,
      images: true,
    },

    async status(call) {
      const answer = await get("/status", call, { doing: "other" }, MAX_STATUS_BYTES);
      return parseAnswer(answer, core2StatusSchema, "/status");
    },

    async listModels(call) {
      const models: ListedModel[] = [];
      let leftOut = 0;
      for (const family of families) {
        const path = `${prefixOf(family)}/v1/models`;
        const answer = await get(path, call, { doing: "other" });
        const list = parseAnswer(answer, modelListSchema, path);
        leftOut += list.leftOut;
        const listed = list.data.map(({ id }) => ({
          id,
          alias: null,
          family,
          // The public list is the whole catalog; a registered model is on the disk already.
          downloaded: family === "local" ? true : null,
          contextLength: null,
        }));
        for (const model of listed) models.push(model);
      }
      return { models, warning: null, leftOut };
    },

    loadedModels,

    async load(model, typed, call) {
      const answer = await byName("load", model, namesFor(model, typed), call);
      return parseAnswer(answer, loadStatusSchema, "/models/load").status;
    },

    async unload(model, call) {
      // The alias stands for one version. Unloading by it must not unload another.
      const before = await loadedModels(call, [model.family]);
      const isLoaded = before.some(({ id, family }) => id === model.id && family === model.family);
      if (!isLoaded) return "not_loaded";
      const answer = await byName("unload", model, namesFor(model, model.id), call);
      return parseAnswer(answer, unloadStatusSchema, "/models/unload").status;
    },

    download: noDownload,

    embed: (request, call) =>
      requestEmbeddings(
        transport,
        request,
        {
          path: `${prefixOf(request.model.family)}/v1/embeddings`,
          headLimitBytes: HEAD_LIMIT_BYTES,
        },
        call,
      ),

    chat: (request, call) => {
      const prefix = prefixOf(request.model.family);
      if (hasImages(request)) {
        const path = `${prefix}/v1/responses`;
        const quirks = { path, headLimitBytes: HEAD_LIMIT_BYTES };
        return responsesChat(transport, request, quirks, call);
      }
      return adaptedChat(
        transport,
        request,
        {
          path: `${prefix}/v1/chat/completions`,
          headLimitBytes: HEAD_LIMIT_BYTES,
          alwaysBeginsStreams: true,
          schemaForm: version.schemaForm,
          dropsToolResults: version.dropsToolResults,
          takesTemplateArguments: version.takesTemplateArguments,
        },
        call,
      );
    },
  };
}

function unknownAlias(verb: "load" | "unload", model: KnownModel, cause: FoundryError) {
  return new FoundryError(
    "MODEL_NOT_FOUND",
    `This service ${verb}s models by their alias only, and the alias of ${model.id} is not known.`,
    {
      action: `Give the alias, as \`foundry model list\` shows it on the service's machine, or ${verb} the model there.`,
      ...(cause.status === null ? {} : { status: cause.status }),
      ...(cause.detail === null ? {} : { detail: cause.detail }),
      cause,
    },
  );
}

const prefixOf = (family: Family): string => (family === "local" ? "/catalogs/local" : "");

/**
 * The names under which the service may know a model, most likely first. Without its catalog, a
 * service uses the name of each model as its alias; a later version may take ids (section 2).
 */
function namesFor(model: KnownModel, typed: string): string[] {
  const { base, likelyAlias } = parseModelId(model.id);
  const names = [model.alias, model.name, typed.trim(), base, likelyAlias, model.id];
  return [...new Set(names.filter((name): name is string => name !== null && name !== ""))];
}

/**
 * A name as a path segment for C2: raw, since C2 does not decode it. Only characters that HTTP
 * forbids are encoded; the service knows no model with such a name.
 */
const rawPathOf = (name: string): string =>
  name.toWellFormed().replace(/[^\w.~!$&'()*+,;=:@-]/gu, encodeURIComponent);
