import { type Engine, sse } from "./engine.js";

const DOCS = "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html";
const REASONING = "https://docs.vllm.ai/en/latest/features/reasoning_outputs.html";
const MODEL = "NousResearch/Meta-Llama-3-8B-Instruct";
const HEAD = {
  id: "chatcmpl-7f1c1a0d6d3b4a55",
  object: "chat.completion.chunk",
  created: 1751512755,
  model: MODEL,
};
const chunk = (delta: object, end: object = { finish_reason: null }) => ({
  ...HEAD,
  choices: [{ index: 0, delta, logprobs: null, ...end }],
});
const ROLE = chunk({ role: "assistant", content: "" });
const END = chunk({ content: "" }, { finish_reason: "stop", stop_reason: null });
const USAGE = { prompt_tokens: 11, total_tokens: 14, completion_tokens: 3 };
const whole = (message: object) => ({
  ...HEAD,
  object: "chat.completion",
  choices: [
    {
      index: 0,
      message: { role: "assistant", tool_calls: [], refusal: null, ...message },
      logprobs: null,
      finish_reason: "stop",
      stop_reason: null,
    },
  ],
  usage: { ...USAGE, prompt_tokens_details: null },
  prompt_logprobs: null,
  kv_transfer_params: null,
});

export const vllm: Engine = {
  name: "vLLM",
  lists: [
    {
      what: "one model, with the context and a permission",
      source: DOCS,
      body: {
        object: "list",
        data: [
          {
            id: MODEL,
            object: "model",
            created: 1751512755,
            owned_by: "vllm",
            root: MODEL,
            parent: null,
            max_model_len: 8192,
            permission: [{ id: "modelperm-1", object: "model_permission", allow_view: true }],
          },
        ],
      },
      ids: [MODEL],
      forChat: MODEL,
      contextLength: 8192,
    },
    {
      what: "an adapter beside its model, without a context of its own",
      source: "https://docs.vllm.ai/en/latest/features/lora.html",
      body: {
        object: "list",
        data: [
          { id: "meta-llama/Llama-3.2-3B-Instruct", owned_by: "vllm", max_model_len: 131072 },
          {
            id: "sql-lora",
            owned_by: "vllm",
            root: "/adapters/sql-lora",
            parent: "meta-llama/Llama-3.2-3B-Instruct",
            max_model_len: null,
          },
        ],
      },
      ids: ["meta-llama/Llama-3.2-3B-Instruct", "sql-lora"],
      forChat: "meta-llama/Llama-3.2-3B-Instruct",
      contextLength: 131072,
    },
  ],
  answers: [
    {
      what: "stop_reason beside finish_reason, and the usage after the end",
      source: DOCS,
      whole: whole({ content: "Hello", reasoning_content: null }),
      streamed: sse(
        ROLE,
        chunk({ content: "Hel" }),
        chunk({ content: "lo" }),
        END,
        { ...HEAD, choices: [], usage: USAGE },
        "[DONE]",
      ),
      text: "Hello",
      outputTokens: 3,
    },
    {
      what: "reasoning_content, as until 2025",
      source: REASONING,
      whole: whole({ reasoning_content: "A greeting.", content: "Hello" }),
      streamed: sse(
        ROLE,
        chunk({ reasoning_content: "A greeting." }),
        chunk({ content: "Hello", reasoning_content: null }),
        END,
        { ...HEAD, choices: [], usage: USAGE },
        "[DONE]",
      ),
      text: "Hello",
      reasoning: "A greeting.",
      outputTokens: 3,
    },
    {
      what: "reasoning, as since then",
      source: REASONING,
      whole: whole({ reasoning: "A greeting.", content: "Hello" }),
      streamed: sse(
        ROLE,
        chunk({ reasoning: "A greeting." }),
        chunk({ content: "Hello" }),
        END,
        { ...HEAD, choices: [], usage: USAGE },
        "[DONE]",
      ),
      text: "Hello",
      reasoning: "A greeting.",
      outputTokens: 3,
    },
    {
      what: "a usage in each chunk (continuous_usage_stats)",
      source: DOCS,
      streamed: sse(
        { ...ROLE, usage: { prompt_tokens: 11, total_tokens: 11, completion_tokens: 0 } },
        { ...chunk({ content: "Hello" }), usage: { ...USAGE, completion_tokens: 1 } },
        { ...END, usage: USAGE },
        { ...HEAD, choices: [], usage: USAGE },
        "[DONE]",
      ),
      text: "Hello",
      outputTokens: 3,
    },
  ],
  refusals: [
    {
      what: "a prompt that does not fit, in the old wording",
      source: "https://github.com/vllm-project/vllm/issues/20409",
      status: 400,
      body: {
        object: "error",
        message:
          "This model's maximum context length is 16384 tokens. However, you requested 122946 tokens (112946 in the messages, 10000 in the completion). Please reduce the length of the messages or completion.",
        type: "BadRequestError",
        param: null,
        code: 400,
      },
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: /112946.*16384/,
    },
    {
      what: "a prompt that does not fit, in the new wording",
      source: "https://github.com/vllm-project/vllm/issues/33418",
      status: 400,
      body: {
        error: {
          message:
            "This model's maximum context length is 40960 tokens. However, you requested 64 output tokens and your prompt contains at least 40897 input tokens, for a total of at least 40961 tokens. Please reduce the length of the input prompt or the number of requested output tokens. (parameter=input_tokens, value=40897)",
          type: "BadRequestError",
          param: "input_tokens",
          code: 400,
        },
      },
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: "40960",
    },
    {
      what: "a model that it does not have",
      source: "https://github.com/vllm-project/vllm/issues/3485",
      status: 404,
      body: {
        object: "error",
        message: "The model `Qwen1.5-14B-Chat-GPTQ-Int8` does not exist.",
        type: "NotFoundError",
        param: null,
        code: 404,
      },
      code: "MODEL_NOT_FOUND",
      says: "list_models",
    },
    {
      what: "a wrong key",
      source:
        "https://github.com/vllm-project/vllm/blob/main/vllm/entrypoints/openai/api_server.py",
      status: 401,
      body: { error: "Unauthorized" },
      code: "UNAUTHORIZED",
      says: "FOUNDRY_API_KEY",
    },
    {
      what: "exhausted device memory",
      source: "https://github.com/langgenius/dify-official-plugins/issues/599",
      status: 500,
      body: {
        error: {
          message:
            "CUDA out of memory. Tried to allocate 318.00 MiB. GPU 0 has a total capacity of 23.53 GiB of which 315.44 MiB is free.",
          type: "InternalServerError",
          param: null,
          code: 500,
        },
      },
      code: "INSUFFICIENT_MEMORY",
      says: "318.00 MiB",
    },
    {
      what: "an engine that has died",
      source: "https://github.com/vllm-project/vllm/issues/24495",
      status: 500,
      body: {
        error: {
          message: "EngineCore encountered an issue. See stack trace (above) for the root cause.",
          type: "Internal Server Error",
          param: null,
          code: 500,
        },
      },
      code: "INFERENCE_FAILED",
      says: "EngineCore encountered an issue",
      passes: true,
    },
  ],
  brokenStreams: [
    {
      what: "an error in the data after some text, and [DONE]",
      source: "https://github.com/vllm-project/vllm/issues/42363",
      streamed: sse(
        ROLE,
        chunk({ content: "Hel" }),
        {
          error: {
            message: "EngineCore encountered an issue. See stack trace (above) for the root cause.",
            type: "InternalServerError",
            param: null,
            code: 500,
          },
        },
        "[DONE]",
      ),
      code: "INFERENCE_FAILED",
      says: "EngineCore encountered an issue",
      text: "Hel",
    },
  ],
};
