import * as z from "zod";
import type { HttpTransport } from "../../http/index.js";
import { type ErrorCode, FoundryError, MAX_STATUS_BYTES, toFoundryError } from "../../lib/index.js";
import { type KnownModel, shortName } from "../models/index.js";
import { adaptedChat } from "./adapted-chat.js";
import { getterOf, idListSchema, modelListSchema, parseAnswer } from "./answers.js";
import { hasImages } from "./chat-messages.js";
import { bodyOf, isForcedCall, type Refused } from "./chat-request.js";
import type { Call, ChatRequest, ChatStream, Dialect } from "./dialect.js";
import { requestEmbeddings } from "./embeddings.js";
import { downloadAdvice } from "./failure-rules.js";
import { about, errorOfStreamEvent } from "./failures.js";
import { responsesChat } from "./responses-chat.js";

export const core1StatusSchema = z
  .object({ modelDirPath: z.string() })
  .transform(({ modelDirPath }) => ({ pid: null, modelCachePath: modelDirPath }));

/**
 * C1, core 1.x behind Kestrel: the daemon of CLI 0.10 and the web service of SDK 1.x
 * (docs/foundry-local.md, sections 1 to 5). Takes ids percent-encoded or not; lists what is
 * downloaded, without versions; answers a failed load with an empty 500.
 */
export function core1Dialect(transport: HttpTransport): Dialect {
  const get = getterOf(transport);

  const loadedModels = async (call: Call) => {
    const answer = await get("/models/loaded", call);
    const { data: ids } = parseAnswer(answer, idListSchema, "/models/loaded");
    return ids.map((id) => ({ id, family: "public" as const }));
  };

  /**
   * A stream that cannot begin ends as an empty 200 or a broken connection. The same request without
   * streaming returns the reason, or succeeds (section 10).
   */
  const retryWithoutStream = async (request: ChatRequest, call: Call, error: FoundryError) => {
    let { attempts } = error;
    const counted = (thrown: unknown): FoundryError => {
      const failure = toFoundryError(thrown);
      attempts += failure.attempts;
      failure.attempts = attempts;
      return failure;
    };
    const opened = (stream: ChatStream) => ({ ...stream, attempts: attempts + stream.attempts });
    const loaded = await loadedModels(call).catch(() => null);
    // The service does not answer any more.
    if (loaded === null) throw error;
    if (!loaded.some(({ id }) => id === request.model.id)) {
      const unloaded = notLoaded(request.model);
      unloaded.attempts = attempts;
      throw unloaded;
    }
    let reason: FoundryError;
    try {
      return opened(await adaptedChat(transport, request, QUIRKS, call, IN_ONE_PIECE));
    } catch (thrown) {
      reason = counted(thrown);
      const hasSchema = isForcedCall(request, bodyOf(request, IN_ONE_PIECE, QUIRKS));
      // With a part of the schema it may have been asked for a stream again.
      const mayBeOfSchema = MAY_BE_OF_SCHEMA.has(reason.code) || SILENT_ENDS.has(reason.code);
      if (!hasSchema || !mayBeOfSchema) throw reason;
    }
    try {
      // Its grammar does not know every keyword.
      const plain = { ...request, schema: undefined };
      return opened(await adaptedChat(transport, plain, QUIRKS, call));
    } catch (thrown) {
      const failure = counted(thrown);
      if (!SILENT_ENDS.has(failure.code)) throw failure;
      // It may have died of the request.
      if ((await loadedModels(call).catch(() => null)) === null) throw failure;
      reason.attempts = attempts;
      throw reason;
    }
  };

  return {
    name: "C1",
    title: "Foundry Local core 1.x",
    version: "1.x",
    can: {
      isFoundryLocal: true,
      fixedPortNarrowsList: true,
      load: true,
      listsOnlyDownloaded: true,
      stopsOnDisconnect: true,
      unloadInUse: "kills_service",
      // Its streams interleave, but they share one device.
      generationsAtOnce: 1,
      listsWaitForLoads: false,
      contextLimit: "max_length",
      images: true,
    },

    async status(call) {
      const answer = await get("/status", call, MAX_STATUS_BYTES);
      return parseAnswer(answer, core1StatusSchema, "/status");
    },

    async listModels(call) {
      const path = "/v1/models";
      const answer = await get(path, call).catch(offline);
      if (typeof answer === "string") return { models: [], warning: answer, leftOut: 0 };
      const { data, leftOut } = parseAnswer(answer, modelListSchema, path);
      const models = data.map((model) => ({
        id: model.id,
        alias: model.parent ?? null,
        family: "public" as const,
        downloaded: true,
        contextLength: null,
      }));
      return { models, warning: null, leftOut };
    },

    loadedModels,

    async load(model, _typed, call) {
      // The service would answer with an empty 500, as for every load that fails.
      if (model.downloaded === false) throw notDownloaded(model);
      // The answer is the same if the model was loaded already; only the list shows it.
      const before = await loadedModels(call);
      if (before.some(({ id }) => id === model.id)) return "already_loaded";
      await get(pathOf("load", model.id), call, MAX_STATUS_BYTES, about("load", model));
      return "loaded";
    },

    async unload(model, call) {
      const before = await loadedModels(call);
      if (!before.some(({ id }) => id === model.id)) return "not_loaded";
      await get(pathOf("unload", model.id), call, MAX_STATUS_BYTES, about("unload", model));
      return "unloaded";
    },

    embed: (request, call) =>
      requestEmbeddings(transport, request, { path: "/v1/embeddings" }, call),

    async chat(request, call) {
      if (hasImages(request)) return responsesChat(transport, request, RESPONSES, call);
      try {
        return await adaptedChat(transport, request, QUIRKS, call);
      } catch (error) {
        if (!(error instanceof FoundryError) || !SILENT_ENDS.has(error.code)) throw error;
        return retryWithoutStream(request, call, error);
      }
    },
  };
}

const RESPONSES = { path: "/v1/responses" };

const QUIRKS = {
  path: "/v1/chat/completions",
  sendsTokensAlone: true,
  alwaysBeginsStreams: true,
  schemaForm: "call",
} as const;

const IN_ONE_PIECE: Refused = new Set(["stream"]);

const MAY_BE_OF_SCHEMA: ReadonlySet<ErrorCode> = new Set([
  "INFERENCE_FAILED",
  "INVALID_REQUEST",
  "SERVICE_ERROR",
]);

/** The errors of a stream of C1 that cannot begin. */
const SILENT_ENDS: ReadonlySet<ErrorCode> = new Set(["STREAM_INTERRUPTED", "INVALID_RESPONSE"]);

/** The list is a 500 while the catalog is out of reach; the rest of the service works (#1024). */
function offline(error: unknown): string {
  if (!(error instanceof FoundryError) || error.code !== "SERVICE_ERROR") throw error;
  return "The service cannot list its models, probably because its catalog cannot be reached.";
}

const pathOf = (verb: "load" | "unload", id: string): string =>
  `/models/${verb}/${encodeURIComponent(id)}`;

const notDownloaded = (model: KnownModel): FoundryError =>
  new FoundryError("MODEL_NOT_CACHED", `${model.id} is not downloaded.`, {
    action: downloadAdvice(shortName(model)),
  });

const notLoaded = (model: KnownModel): FoundryError =>
  errorOfStreamEvent(
    { text: "Model is not loaded", kinds: ["invalid_request_error"] },
    about("chat", model),
  );
