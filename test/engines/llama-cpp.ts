import { type Engine, sse } from "./engine.js";

const README = "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md";
const ERRORS = "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/server-common.cpp";
const MODEL = "../models/Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf";
const HEAD = {
  created: 1757141666,
  id: "chatcmpl-ecQULm0WqPrftUqjPZO1CFYeDjGZNbDu",
  model: MODEL,
  system_fingerprint: "b6396-5d6688de",
  object: "chat.completion.chunk",
};
const chunk = (delta: object, finish_reason: string | null = null) => ({
  choices: [{ finish_reason, index: 0, delta }],
  ...HEAD,
});
const ROLE = chunk({ role: "assistant", content: null });
const TIMINGS = { cache_n: 236, prompt_n: 1, prompt_ms: 30.9, predicted_n: 3, predicted_ms: 66.1 };
const usageOf = (completion_tokens: number) => ({
  completion_tokens,
  prompt_tokens: 44,
  total_tokens: 44 + completion_tokens,
});

export const llamaCpp: Engine = {
  name: "llama.cpp server",
  lists: [
    {
      what: "one model, whose id is a path, beside Ollama's form of the list",
      source: `${README}#get-v1models-openai-compatible-model-info-api`,
      body: {
        models: [{ name: MODEL, model: MODEL, type: "model", capabilities: ["completion"] }],
        object: "list",
        data: [
          {
            id: MODEL,
            object: "model",
            architecture: { input_modalities: ["text"], output_modalities: ["text"] },
            created: 1735142223,
            owned_by: "llamacpp",
            meta: {
              vocab_type: 2,
              n_ctx: 8192,
              n_ctx_train: 131072,
              n_params: 8030261312,
              size: 4912898304,
            },
          },
        ],
      },
      ids: [MODEL],
      forChat: MODEL,
      contextLength: 8192,
    },
    {
      what: "no meta while the model loads",
      source: `${README}#get-v1models-openai-compatible-model-info-api`,
      body: {
        object: "list",
        data: [{ id: "qwen3-8b", object: "model", created: 1, owned_by: "llamacpp", meta: null }],
      },
      ids: ["qwen3-8b"],
      forChat: "qwen3-8b",
    },
    {
      what: "a router's models, with their state",
      source: `${README}#get-models-list-available-models`,
      body: {
        object: "list",
        data: [
          {
            id: "bge-reranker-v2-m3-GGUF:Q8_0",
            object: "model",
            owned_by: "llamacpp",
            status: { value: "unloaded" },
          },
          {
            id: "ggml-org/Qwen3-8B-GGUF:Q4_K_M",
            object: "model",
            owned_by: "llamacpp",
            status: { value: "unloaded" },
          },
          {
            id: "ggml-org/gemma-3-4b-it-GGUF:Q4_K_M",
            object: "model",
            owned_by: "llamacpp",
            status: { value: "loaded", args: ["llama-server", "-ctx", "4096"] },
          },
        ],
      },
      ids: [
        "bge-reranker-v2-m3-GGUF:Q8_0",
        "ggml-org/Qwen3-8B-GGUF:Q4_K_M",
        "ggml-org/gemma-3-4b-it-GGUF:Q4_K_M",
      ],
      forChat: "ggml-org/gemma-3-4b-it-GGUF:Q4_K_M",
    },
  ],
  answers: [
    {
      what: "a role with null as content, timings, and the usage after the end",
      source: `${README}#post-v1chatcompletions-openai-compatible-chat-completions-api`,
      whole: {
        choices: [
          { finish_reason: "stop", index: 0, message: { role: "assistant", content: "Hello" } },
        ],
        ...HEAD,
        object: "chat.completion",
        usage: usageOf(3),
        timings: TIMINGS,
      },
      streamed: sse(
        ROLE,
        chunk({ content: "Hel" }),
        chunk({ content: "lo" }),
        chunk({}, "stop"),
        { choices: [], ...HEAD, usage: usageOf(3), timings: TIMINGS },
        "[DONE]",
      ),
      text: "Hello",
      outputTokens: 3,
    },
    {
      what: "pings, empty data, and no blank line after [DONE]",
      source: "https://github.com/coddy-project/coddy-agent/pull/106",
      streamed: `${sse(ROLE)}: ping\n\ndata:\n\n${sse(chunk({ content: "Hello" }))}data: \n\n${sse(chunk({}, "stop"))}data: [DONE]\n`,
      text: "Hello",
      outputTokens: null,
    },
    {
      what: "reasoning_content",
      source: `${README} (Reasoning support)`,
      whole: {
        choices: [
          {
            finish_reason: "stop",
            index: 0,
            message: { role: "assistant", reasoning_content: "A greeting.", content: "Hello" },
          },
        ],
        ...HEAD,
        object: "chat.completion",
        usage: usageOf(6),
      },
      streamed: sse(
        ROLE,
        chunk({ reasoning_content: "A gree" }),
        chunk({ reasoning_content: "ting." }),
        chunk({ content: "Hello" }),
        chunk({}, "stop"),
        { choices: [], ...HEAD, usage: usageOf(6) },
        "[DONE]",
      ),
      text: "Hello",
      reasoning: "A greeting.",
      outputTokens: 6,
    },
    {
      what: "thinking in the text, with reasoning_format none",
      source: `${README} (reasoning_format)`,
      whole: {
        choices: [
          {
            finish_reason: "length",
            index: 0,
            message: { role: "assistant", content: "<think>\nA greeting.\n</think>\n\nHello" },
          },
        ],
        ...HEAD,
        object: "chat.completion",
      },
      streamed: sse(
        ROLE,
        chunk({ content: "<thi" }),
        chunk({ content: "nk>\nA greeting.\n</think" }),
        chunk({ content: ">\n\nHello" }),
        chunk({}, "length"),
        "[DONE]",
      ),
      text: "Hello",
      reasoning: "A greeting.",
      finishReason: "length",
      outputTokens: null,
    },
  ],
  refusals: [
    {
      what: "a prompt that does not fit, with its token counts",
      source: "https://github.com/openakita/openakita/issues/459",
      status: 400,
      body: {
        error: {
          code: 400,
          message:
            "request (44593 tokens) exceeds the available context size (4096 tokens), try increasing it",
          type: "exceed_context_size_error",
          n_prompt_tokens: 44593,
          n_ctx: 4096,
        },
      },
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: /44593.*4096/,
    },
    {
      what: "a prompt that does not fit, in the wording of 2025",
      source: "https://github.com/oobabooga/textgen/issues/7257",
      status: 400,
      body: {
        error: {
          code: 400,
          message:
            "the request exceeds the available context size. try increasing the context size or enable context shift",
          type: "exceed_context_size_error",
          n_prompt_tokens: 14429,
          n_ctx: 8192,
        },
      },
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: "context",
    },
    {
      what: "a context that is full in the middle of the answer",
      source: "https://github.com/llmmllab/llmmllab-api/issues/202",
      status: 500,
      body: {
        error: { code: 500, message: "Context size has been exceeded.", type: "server_error" },
      },
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: "context",
    },
    {
      what: "a model that is loading",
      source: `${README}#get-health-returns-health-check-result`,
      status: 503,
      body: { error: { code: 503, message: "Loading model", type: "unavailable_error" } },
      code: "SERVICE_BUSY",
      says: "still loading",
      loads: true,
    },
    {
      what: "a model that a router does not have",
      source: "https://github.com/ggml-org/llama.cpp/issues/17968",
      status: 400,
      body: { error: { code: 400, message: "model not found", type: "invalid_request_error" } },
      code: "MODEL_NOT_FOUND",
      says: "list_models",
    },
    {
      what: "a wrong key",
      source: ERRORS,
      status: 401,
      body: { error: { code: 401, message: "Invalid API Key", type: "authentication_error" } },
      code: "UNAUTHORIZED",
      says: "FOUNDRY_API_KEY",
    },
  ],
  brokenStreams: [
    {
      what: "an error as a field of the event, and [DONE]",
      source: "https://github.com/ggml-org/llama.cpp/issues/16104",
      streamed:
        'error: {"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}\n\n' +
        sse("[DONE]"),
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: "context",
    },
    {
      what: "an error in the data after some text",
      source: "https://github.com/ggml-org/llama.cpp/pull/16109",
      streamed: sse(ROLE, chunk({ content: "Hel" }), {
        error: { code: 500, message: "Context size has been exceeded.", type: "server_error" },
      }),
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: "context",
      text: "Hel",
    },
  ],
};
