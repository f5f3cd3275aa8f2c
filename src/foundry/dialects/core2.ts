import * as z from "zod";
import type { HttpAnswer, HttpTransport } from "../../http/index.js";
import { FoundryError, MAX_STATUS_BYTES } from "../../lib/index.js";
import {
  type Family,
  type KnownModel,
  type ListedModel,
  type LoadedModel,
  parseModelId,
} from "../models/index.js";
import { adaptedChat } from "./adapted-chat.js";
import { getterOf, idListSchema, modelListSchema, parseAnswer, pidSchema } from "./answers.js";
import { hasImages } from "./chat-messages.js";
import type { BodyQuirks } from "./chat-request.js";
import type { Abilities, Call, Dialect, RequestPath } from "./dialect.js";
import { requestEmbeddings } from "./embeddings.js";
import { about } from "./failures.js";
import { responsesChat } from "./responses-chat.js";

/** Longer heads are reset without an answer (docs/foundry-local.md, section 7). */
export const HEAD_LIMIT_BYTES = 4096;

/**
 * All differences between the versions of C2 that matter to this client (docs/foundry-local.md,
 * section 9). No route reports the version, so it is probed.
 */
interface Core2Version {
  /** For people. */
  readonly version: string;
  /** Serves registered models under `/catalogs/local`. */
  readonly hasLocalFamily: boolean;
  /** Closing a stream stops the generation from 2.1 on (#1136), and another length is the limit (#1067). */
  readonly can: Pick<Abilities, "stopsOnDisconnect" | "hidesThinking" | "contextLimit">;
  /** A schema in the form of OpenAI makes it only write some JSON. */
  readonly body: BodyQuirks;
}

const CORE_2_0: Core2Version = {
  version: "2.0",
  hasLocalFamily: false,
  can: { stopsOnDisconnect: false, hidesThinking: true, contextLimit: "max_length" },
  body: { schemaForm: "call", dropsToolResults: true },
};

const CORE_2_1: Core2Version = {
  version: "2.1 or later",
  hasLocalFamily: true,
  can: { stopsOnDisconnect: true, contextLimit: "context_length" },
  body: { schemaForm: "bare", takesTemplateArguments: true },
};

export const core2StatusSchema = z.object({ modelCachePath: z.string(), pid: pidSchema });

const loadStatusSchema = z.object({ status: z.enum(["loaded", "already_loaded"]) });
const unloadStatusSchema = z.object({ status: z.enum(["unloaded", "not_loaded"]) });

/**
 * C2, the open-source core 2.x behind oatpp. It loads and unloads by alias only, which no route
 * shows. All other routes take exact ids. It does not percent-decode paths. Its model list waits for
 * a running load (docs/foundry-local.md, sections 2, 3 and 7).
 */
export function core2Dialect(transport: HttpTransport, version: Core2Version): Dialect {
  const families: readonly Family[] = version.hasLocalFamily ? ["public", "local"] : ["public"];
  const get = getterOf(transport, { headLimitBytes: HEAD_LIMIT_BYTES });

  /** Tries the names in order until the service knows one. */
  const byName = async (
    verb: "load" | "unload",
    model: KnownModel,
    names: readonly string[],
    call: Call,
  ): Promise<HttpAnswer> => {
    const [name = "", ...rest] = names;
    const path = `${prefixOf(model.family)}/models/${verb}/${rawPathOf(name)}`;
    try {
      return await get(path, call, MAX_STATUS_BYTES, about(verb, model));
    } catch (error) {
      if (!(error instanceof FoundryError) || error.code !== "MODEL_NOT_FOUND") throw error;
      if (rest.length > 0) return byName(verb, model, rest, call);
      // The service lists the model, so it only does not know the name.
      throw model.alias === null ? unknownAlias(verb, model, error) : error;
    }
  };

  // One family after the other: concurrent requests to a service that is gone would open the circuit
  // before any of them is retried.
  const loadedModels = async (call: Call, asked = families) => {
    const loaded: LoadedModel[] = [];
    for (const family of families.filter((each) => asked.includes(each))) {
      const path = `${prefixOf(family)}/models/loaded`;
      const answer = await get(path, call);
      const { data: ids } = parseAnswer(answer, idListSchema, path);
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
      load: true,
      unloadInUse: "refused",
      generationsAtOnce: 4,
      listsWaitForLoads: true,
      images: true,
      ...version.can,
    },

    async status(call) {
      const answer = await get("/status", call, MAX_STATUS_BYTES);
      return parseAnswer(answer, core2StatusSchema, "/status");
    },

    async listModels(call) {
      const models: ListedModel[] = [];
      let leftOut = 0;
      for (const family of families) {
        const path = `${prefixOf(family)}/v1/models`;
        const answer = await get(path, call);
        const list = parseAnswer(answer, modelListSchema, path);
        leftOut += list.leftOut;
        // The public list is the whole catalog; a registered model is on the disk already.
        const downloaded = family === "local" ? true : null;
        for (const { id } of list.data) {
          models.push({ id, alias: null, family, downloaded, contextLength: null });
        }
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
      if (!before.some(({ id }) => id === model.id)) return "not_loaded";
      const answer = await byName("unload", model, namesFor(model, model.id), call);
      return parseAnswer(answer, unloadStatusSchema, "/models/unload").status;
    },

    embed: (request, call) =>
      requestEmbeddings(transport, request, requestPathOf(request.model, "embeddings"), call),

    chat: (request, call) => {
      const { model } = request;
      if (hasImages(request)) {
        return responsesChat(transport, request, requestPathOf(model, "responses"), call);
      }
      const quirks = {
        ...requestPathOf(model, "chat/completions"),
        alwaysBeginsStreams: true,
        ...version.body,
      };
      return adaptedChat(transport, request, quirks, call);
    },
  };
}

const unknownAlias = (
  verb: "load" | "unload",
  { id }: KnownModel,
  error: FoundryError,
): FoundryError =>
  error.reworded({
    message: `This service ${verb}s models by their alias only, and the alias of ${id} is not known.`,
    action: `Give the alias, as \`foundry model list\` shows it on the service's machine, or ${verb} the model there.`,
  });

const prefixOf = (family: Family): string => (family === "local" ? "/catalogs/local" : "");

const requestPathOf = ({ family }: KnownModel, name: string): RequestPath => ({
  path: `${prefixOf(family)}/v1/${name}`,
  headLimitBytes: HEAD_LIMIT_BYTES,
});

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

const responseListSchema = z.object({ object: z.literal("list") });

/**
 * Detects 2.1 by its second family of routes. The list of stored responses is the only route of the
 * family that takes no lock, so it answers while a model loads.
 */
export async function probeCore2Version(
  transport: HttpTransport,
  call: Call,
): Promise<Core2Version> {
  const answer = await transport.request({
    method: "GET",
    path: "/catalogs/local/v1/responses",
    ...call,
    headLimitBytes: HEAD_LIMIT_BYTES,
    toError: null,
  });
  if (answer.status === 200) {
    parseAnswer(answer, responseListSchema, "/catalogs/local/v1/responses");
    return CORE_2_1;
  }
  if (answer.status === 404) return CORE_2_0;
  // Another status shows no version. A wrong guess would hide registered models.
  throw new FoundryError(
    "SERVICE_ERROR",
    `The service answered a request for its version with HTTP ${answer.status}.`,
    {
      status: answer.status,
      action: "Try again; restart the service if that does not help.",
      retryable: true,
      detail: answer.body.slice(0, 2000),
    },
  );
}
