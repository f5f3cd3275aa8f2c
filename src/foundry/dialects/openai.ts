import type { HttpTransport } from "../../http/index.js";
import { type ErrorCode, FoundryError } from "../../lib/index.js";
import type { LoadedModel } from "../models/index.js";
import { adaptedChat } from "./adapted-chat.js";
import { jsonOf, modelListSchema, parseAnswer } from "./answers.js";
import { type Call, type Dialect, type ModelList, unsupported } from "./dialect.js";
import { requestEmbeddings } from "./embeddings.js";
import { notFoundry } from "./endpoint-errors.js";
import { errorOfFailure } from "./failures.js";

const QUIRKS = {
  schemaForm: "named",
  takesTemplateArguments: true,
  takesReasoningEffort: true,
  takesReasoningBudget: true,
  namesItsEnd: true,
} as const;

/** Before its routes: most engines have the first, some gateways and OpenVINO have none below their address. */
export type Base = "/v1" | "";
export const listPath = (base: Base): string => `${base}/models`;

/** Errors of a chat that a server which is no engine causes. */
const NO_ENGINE: ReadonlySet<ErrorCode> = new Set(["UNSUPPORTED_BY_SERVER", "INVALID_RESPONSE"]);

/**
 * Any OpenAI-compatible engine: vLLM, llama.cpp, LM Studio, Ollama, LiteLLM, Ray Serve. It loads
 * models on demand, and has no routes to load them or to list the loaded ones.
 *
 * @param options.hasList Whether it has given a list of models. A server without one may be an engine
 *   all the same: its answer to the first chat decides.
 */
export function openaiDialect(
  transport: HttpTransport,
  options: { readonly hasList: boolean; readonly base?: Base },
): Dialect {
  const { base = "/v1" } = options;
  const list = listPath(base);
  const title = "an OpenAI-compatible engine";
  let { hasList } = options;
  let hasChatted = false;
  /** Why the server may be no engine; `null` where it is one, or nothing is known yet. */
  let doubt: FoundryError | null = null;
  /** By the last list; `null` where it does not say what is loaded. */
  let loaded: readonly LoadedModel[] | null = null;
  let listed: ReadonlySet<string> = new Set();

  const requestList = async (call: Call) => {
    const answer = await transport.request({
      method: "GET",
      path: list,
      ...call,
      toError: (failure) =>
        hasList || failure.status < 400
          ? errorOfFailure(failure, { doing: "other" })
          : notFoundry(transport, failure),
    });
    if (!hasList && !modelListSchema.safeParse(jsonOf(answer)).success) {
      throw notFoundry(transport, answer);
    }
    hasList = true;
    return parseAnswer(answer, modelListSchema, list, "a list of models");
  };

  /** The list of an engine that has none. */
  const noList = (error: FoundryError): ModelList => {
    if (hasChatted) {
      const warning = `This engine lists no models at ${list}. Name the model in each call.`;
      return { models: [], warning, leftOut: 0 };
    }
    doubt = error;
    return { models: [], warning: null, leftOut: 0, missing: error };
  };

  return {
    name: "openai",
    title,
    version: null,
    can: {
      isFoundryLocal: false,
      load: false,
      stopsOnDisconnect: null,
      unloadInUse: "refused",
      generationsAtOnce: 4,
      listsWaitForLoads: false,
      contextLimit: "context_length",
      images: true,
    },

    async status(call) {
      const { missing } = await this.listModels(call);
      if (missing !== undefined) throw missing;
      return { pid: null, modelCachePath: null };
    },

    async listModels(call) {
      try {
        const { data, leftOut } = await requestList(call);
        const models = data.map((model) => ({
          id: model.id,
          alias: null,
          family: "public" as const,
          downloaded: null,
          contextLength: model.contextLength,
          details: { task: model.task, vision: model.vision },
        }));
        doubt = null;
        listed = new Set(data.map(({ id }) => id));
        loaded =
          data.length > 0 && data.every(({ isLoaded }) => isLoaded !== null)
            ? data.filter(({ isLoaded }) => isLoaded).map(({ id }) => ({ id, family: "public" }))
            : null;
        return { models, warning: null, leftOut };
      } catch (thrown) {
        const isMissing = thrown instanceof FoundryError && thrown.code === "NOT_FOUNDRY";
        if (hasList || !isMissing) throw thrown;
        return noList(thrown);
      }
    },

    loadedModels: async () => loaded,

    async load(model) {
      if (doubt !== null) throw doubt;
      throw unsupported(
        `${title} loads ${model.id} by itself on demand`,
        "Call complete directly.",
      );
    },

    async unload(model) {
      if (doubt !== null) throw doubt;
      throw unsupported(
        `${title} decides by itself how long ${model.id} stays loaded`,
        "Nothing to do; to free the memory now, use that engine's own tools.",
      );
    },

    embed: (request, call) =>
      requestEmbeddings(transport, request, { path: `${base}/embeddings` }, call),

    async chat(request, call) {
      try {
        const quirks = { ...QUIRKS, listed, path: `${base}/chat/completions` };
        const stream = await adaptedChat(transport, request, quirks, call);
        hasChatted = true;
        doubt = null;
        return stream;
      } catch (thrown) {
        const isNoEngine = thrown instanceof FoundryError && NO_ENGINE.has(thrown.code);
        if (doubt === null || !isNoEngine) throw thrown;
        const error = doubt.reworded({});
        error.attempts = thrown.attempts;
        throw error;
      }
    },
  };
}
