import type { HttpTransport } from "../../http/index.js";
import { adaptedChat } from "./adapted-chat.js";
import { modelListSchema, parseAnswer } from "./answers.js";
import { type Dialect, noDownload, unsupported } from "./dialect.js";
import { errorOfFailure } from "./failures.js";

/**
 * Any OpenAI-compatible engine: vLLM, llama.cpp, LM Studio, Ollama, LiteLLM, Ray Serve. It loads
 * models on demand, and has no routes to load them or to list the loaded ones.
 */
export function openaiDialect(transport: HttpTransport): Dialect {
  const title = "an OpenAI-compatible engine";
  return {
    name: "openai",
    title,
    version: null,
    can: {
      isFoundryLocal: false,
      isOldGeneration: false,
      fixedPortNarrowsList: false,
      load: false,
      listsOnlyDownloaded: false,
      stopsOnDisconnect: null,
      unloadInUse: "refused",
      generationsAtOnce: 4,
      listsWaitForLoads: false,
      contextLimit: "context_length",
      download: false,
      forceUnload: false,
    },

    async status(call) {
      await this.listModels(call);
      return { pid: null, modelCachePath: null };
    },

    async listModels(call) {
      const path = "/v1/models";
      const answer = await transport.request({
        method: "GET",
        path,
        ...call,
        toError: (failure) => errorOfFailure(failure, { doing: "other" }),
      });
      const { data, leftOut } = parseAnswer(answer, modelListSchema, path);
      return {
        models: data.map((model) => ({
          id: model.id,
          alias: null,
          family: "public" as const,
          downloaded: null,
          contextLength: model.max_model_len ?? null,
        })),
        warning: null,
        leftOut,
      };
    },

    loadedModels: async () => null,

    async load(model) {
      throw unsupported(
        `${title} loads ${model.id} by itself on demand`,
        "Call complete directly.",
      );
    },

    async unload(model) {
      throw unsupported(
        `${title} decides by itself how long ${model.id} stays loaded`,
        "Nothing to do; to free the memory now, use that engine's own tools.",
      );
    },

    download: noDownload,

    chat: (request, call) =>
      adaptedChat(transport, request, { path: "/v1/chat/completions" }, call),
  };
}
