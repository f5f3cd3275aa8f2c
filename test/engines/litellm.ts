import { type Engine, sse } from "./engine.js";

/** Recorded from LiteLLM 1.108.7, in front of services that answer as those of the other files. */
const ERRORS = "https://docs.litellm.ai/docs/exception_mapping";
const PROXY = "https://docs.litellm.ai/docs/proxy/configs.md";
const HEAD = {
  id: "chatcmpl-28f718de-8078-4921-be82-03cb6d333f16",
  created: 1795854829,
  model: "phi-4-mini",
  object: "chat.completion.chunk",
};
const chunk = (delta: object, end: object = {}) => ({
  ...HEAD,
  choices: [{ index: 0, delta, ...end }],
});
const USAGE = {
  completion_tokens: 2,
  prompt_tokens: 8,
  total_tokens: 10,
  completion_tokens_details: { reasoning_tokens: 1, text_tokens: 1 },
};
const END = chunk({}, { finish_reason: "stop" });
/** The usage is sent with an empty choice. */
const COUNTS = { ...chunk({}), usage: USAGE };
const errorOf = (message: string, type: string, code: string) => ({
  error: { message, type, param: null, code },
});
const behind = (message: string, group = "phi-4-mini") =>
  `litellm.${message}\n\nLiteLLM: model group '${group}' failed with the error above. No fallback was attempted.`;

export const liteLlm: Engine = {
  name: "LiteLLM proxy",
  lists: [
    {
      what: "the groups, with data before object",
      source: PROXY,
      body: {
        data: ["phi-4-mini", "phi-4-mini-first"].map((id) => ({
          id,
          object: "model",
          created: 1677610602,
          owned_by: "openai",
        })),
        object: "list",
      },
      ids: ["phi-4-mini", "phi-4-mini-first"],
      forChat: "phi-4-mini",
    },
    {
      what: "a wildcard beside a model",
      source: "https://docs.litellm.ai/docs/wildcard_routing",
      body: {
        data: ["text-embedding-3-small", "ollama/llama3.2:3b"].map((id) => ({
          id,
          object: "model",
          created: 1677610602,
          owned_by: "openai",
        })),
        object: "list",
      },
      ids: ["text-embedding-3-small", "ollama/llama3.2:3b"],
      forChat: "ollama/llama3.2:3b",
    },
  ],
  answers: [
    {
      what: "no finish_reason before the end, and the usage in a choice without content",
      source: PROXY,
      whole: {
        ...HEAD,
        object: "chat.completion",
        choices: [
          {
            finish_reason: "stop",
            index: 0,
            message: { content: "Hello", role: "assistant" },
            provider_specific_fields: {},
          },
        ],
        usage: USAGE,
      },
      streamed: sse(
        chunk({ role: "assistant", content: "Hel" }),
        chunk({ content: "lo" }),
        END,
        COUNTS,
        "[DONE]",
      ),
      text: "Hello",
      outputTokens: 2,
    },
    {
      what: "reasoning_content",
      source: "https://docs.litellm.ai/docs/reasoning_content",
      whole: {
        ...HEAD,
        object: "chat.completion",
        choices: [
          {
            finish_reason: "stop",
            index: 0,
            message: { content: "Hello", role: "assistant", reasoning_content: "A greeting." },
          },
        ],
        usage: USAGE,
      },
      streamed: sse(
        chunk({ role: "assistant" }),
        chunk({ reasoning_content: "A greeting." }),
        chunk({ content: "Hello" }),
        END,
        COUNTS,
        "[DONE]",
      ),
      text: "Hello",
      reasoning: "A greeting.",
      outputTokens: 2,
    },
    {
      what: "content as a list of parts, as of Magistral behind the proxy",
      source: "https://github.com/BerriAI/litellm/issues/16272",
      streamed: sse(
        chunk({
          role: "assistant",
          content: [{ type: "thinking", thinking: [{ type: "text", text: "A greeting." }] }],
        }),
        chunk({ content: [{ type: "text", text: "Hel" }] }),
        chunk({ content: "lo" }),
        END,
        COUNTS,
        "[DONE]",
      ),
      text: "Hello",
      reasoning: "A greeting.",
      outputTokens: 2,
    },
  ],
  refusals: [
    {
      what: "the proxy's own limit, with the time to wait under another name",
      source: "https://docs.litellm.ai/docs/proxy/load_balancing",
      status: 429,
      headers: { "llm_provider-retry-after": "60" },
      body: errorOf(
        behind("RateLimitError: Model rate limit exceeded. RPM limit=1, current usage=2"),
        "throttling_error",
        "429",
      ),
      code: "SERVICE_BUSY",
      says: /Model rate limit exceeded[\s\S]*60 s/,
    },
    {
      what: "no remaining deployment, in the wording of 2024",
      source: "https://github.com/BerriAI/litellm/issues/5764",
      status: 429,
      body: errorOf(
        "No deployments available for selected model, Try again in 60 seconds. Passed model=phi-4-mini. pre-call-checks=False, allowed_model_region=n/a, cooldown_list=[]",
        "None",
        "429",
      ),
      code: "SERVICE_BUSY",
      says: /No deployments available[\s\S]*60 s/,
    },
    {
      what: "a prompt that does not fit the model behind it",
      source: ERRORS,
      status: 400,
      body: errorOf(
        "litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: OpenAIException - request (14429 tokens) exceeds the available context size (8192 tokens), try increasing it\nmodel=phi-4-mini. context_window_fallbacks=None. fallbacks=None.\n\nSet 'context_window_fallback' - https://docs.litellm.ai/docs/routing#fallbacks",
        "invalid_request_error",
        "400",
      ),
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: /14429.*8192/,
    },
    {
      what: "too little memory behind the proxy",
      source: ERRORS,
      status: 500,
      body: errorOf(
        behind(
          "InternalServerError: InternalServerError: OpenAIException - model requires more system memory (9.6 GiB) than is available (5.4 GiB)",
        ),
        "internal_server_error",
        "500",
      ),
      code: "INSUFFICIENT_MEMORY",
      says: "9.6 GiB",
    },
    {
      what: "a model that the engine behind the proxy does not have",
      source: ERRORS,
      status: 404,
      body: errorOf(
        behind(
          'NotFoundError: NotFoundError: OpenAIException - model "phi" not found, try pulling it first',
        ),
        "invalid_request_error",
        "404",
      ),
      code: "MODEL_NOT_FOUND",
      says: "list_models",
    },
    {
      what: "a group that the proxy does not have",
      source: ERRORS,
      status: 400,
      body: errorOf(
        "/chat/completions: Invalid model name passed in model=phi-4-mini. Call `/v1/models` to view available models for your key.",
        "invalid_request_error",
        "400",
      ),
      code: "MODEL_NOT_FOUND",
      says: "list_models",
    },
    {
      what: "a model that is loading behind the proxy",
      source: ERRORS,
      status: 503,
      body: errorOf(
        behind("ServiceUnavailableError: ServiceUnavailableError: OpenAIException - Loading model"),
        "internal_server_error",
        "503",
      ),
      code: "SERVICE_BUSY",
      says: "still loading",
      loads: true,
    },
    {
      what: "a stopped service behind the proxy",
      source: ERRORS,
      status: 500,
      body: errorOf(
        behind("InternalServerError: InternalServerError: OpenAIException - Connection error."),
        "internal_server_error",
        "500",
      ),
      code: "SERVICE_BUSY",
      says: "Connection error",
      passes: true,
    },
    {
      what: "a wrong key, without a database",
      source: "https://docs.litellm.ai/docs/proxy/virtual_keys",
      status: 400,
      body: errorOf("No connected db.", "no_db_connection", "400"),
      code: "UNAUTHORIZED",
      says: "FOUNDRY_API_KEY",
    },
    {
      what: "a wrong key, with a database",
      source: "https://docs.litellm.ai/docs/proxy/virtual_keys",
      status: 401,
      body: errorOf(
        "Authentication Error, Invalid proxy server token passed. Received API Key = sk-...rong",
        "auth_error",
        "401",
      ),
      code: "UNAUTHORIZED",
      says: "FOUNDRY_API_KEY",
    },
  ],
  brokenStreams: [
    {
      what: "an error of the service behind the proxy after some text, without [DONE]",
      source: ERRORS,
      streamed: sse(chunk({ role: "assistant", content: "Hel" }), chunk({ content: "lo " }), {
        error: {
          message: "litellm.APIConnectionError: APIConnectionError: OpenAIException - CUDA error",
          type: null,
          param: null,
          code: "500",
        },
      }),
      code: "INFERENCE_FAILED",
      says: "CUDA error",
      text: "Hello ",
    },
  ],
};
