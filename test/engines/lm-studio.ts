import { type Engine, sse } from "./engine.js";

const DOCS = "https://lmstudio.ai/docs/developer/openai-compat";
const MODEL = "qwen/qwen3-8b";
const HEAD = {
  id: "chatcmpl-t8tsxqx7kwi9ekj70xwwl",
  object: "chat.completion.chunk",
  created: 1745605592,
  model: MODEL,
  system_fingerprint: MODEL,
};
const chunk = (delta: object, finish_reason: string | null = null) => ({
  ...HEAD,
  choices: [{ index: 0, delta, logprobs: null, finish_reason }],
});
const USAGE = { prompt_tokens: 24, completion_tokens: 3, total_tokens: 27 };
const whole = (message: object) => ({
  ...HEAD,
  object: "chat.completion",
  choices: [
    {
      index: 0,
      logprobs: null,
      finish_reason: "stop",
      message: { role: "assistant", ...message },
    },
  ],
  usage: USAGE,
  stats: {},
});
const entry = (id: string) => ({ id, object: "model", owned_by: "organization_owner" });
const OVERFLOW =
  "Trying to keep the first 14538 tokens when context the overflows. However, the model is loaded with context length of only 2048 tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input";

export const lmStudio: Engine = {
  name: "LM Studio",
  lists: [
    {
      what: "all downloaded models, of which the first is for embeddings",
      source: `${DOCS}/models`,
      body: {
        data: ["text-embedding-nomic-embed-text-v1.5", MODEL, "qwen2-vl-7b-instruct"].map(entry),
        object: "list",
      },
      ids: ["text-embedding-nomic-embed-text-v1.5", MODEL, "qwen2-vl-7b-instruct"],
      forChat: MODEL,
    },
  ],
  answers: [
    {
      what: "stats beside the usage",
      source: "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/619",
      whole: whole({ content: "Hello" }),
      streamed: sse(
        chunk({ role: "assistant", content: "Hel" }),
        chunk({ content: "lo" }),
        chunk({}, "stop"),
        { ...HEAD, choices: [], usage: USAGE },
        "[DONE]",
      ),
      text: "Hello",
      outputTokens: 3,
    },
    {
      what: "reasoning_content",
      source: "https://lmstudio.ai/docs/developer/api-changelog",
      whole: whole({ reasoning_content: "A greeting.", content: "Hello" }),
      streamed: sse(
        chunk({ role: "assistant", reasoning_content: "A greeting." }),
        chunk({ content: "Hello" }),
        chunk({}, "stop"),
        "[DONE]",
      ),
      text: "Hello",
      reasoning: "A greeting.",
      outputTokens: null,
    },
    {
      what: "the channels of gpt-oss in the text",
      source: "https://github.com/johnbean393/Sidekick/issues/75",
      whole: whole({
        content:
          "<|channel|>analysis<|message|>A greeting.<|end|><|start|>assistant<|channel|>final<|message|>Hello",
      }),
      streamed: sse(
        chunk({ role: "assistant", content: "<|channel|>ana" }),
        chunk({ content: "lysis<|message|>A greeting.<|en" }),
        chunk({ content: "d|><|start|>assistant<|channel|>final<|message|>Hello" }),
        chunk({}, "stop"),
        "[DONE]",
      ),
      text: "Hello",
      reasoning: "A greeting.",
      outputTokens: null,
    },
  ],
  refusals: [
    {
      what: "a prompt that does not fit, as a string",
      source: "https://github.com/dyad-sh/dyad/issues/925",
      status: 400,
      body: { error: OVERFLOW },
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: /14538.*2048/,
    },
    {
      what: "a model that it does not have, with a list of its models",
      source: "https://github.com/gitbutlerapp/gitbutler/issues/8706",
      status: 404,
      body: {
        error: {
          message:
            'Model "default" not found. Please specify a valid model.\n\nYour models:\n\ngemma-3-27b-it-qat\nqwen3-32b',
          type: "invalid_request_error",
          param: "model",
          code: "model_not_found",
        },
      },
      code: "MODEL_NOT_FOUND",
      says: "list_models",
    },
    {
      what: "no model in memory",
      source: "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/1730",
      status: 404,
      body: {
        error: {
          message:
            "No models loaded. Please load a model in the developer page or use the 'lms load' command.",
          type: "invalid_request_error",
          param: "model",
          code: null,
        },
      },
      code: "MODEL_NOT_LOADED",
      says: /load/,
    },
    {
      what: "too little memory",
      source: "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/1202",
      status: 400,
      body: {
        error:
          "Model loading was stopped due to insufficient system resources. Under the current settings, this model requires approximately 273.25 GB of memory, and continuing to load it would likely overload your system and cause it to freeze. If you think this is incorrect, you can adjust the model loading guardrails in settings.",
      },
      code: "INSUFFICIENT_MEMORY",
      says: "273.25 GB",
    },
  ],
  brokenStreams: [
    {
      what: "an error event with status 200",
      source: "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/2322",
      streamed: `event: error\ndata: ${JSON.stringify({ error: { message: OVERFLOW } })}\n\n`,
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: "2048",
    },
    {
      what: "a bare JSON with status 200",
      source: "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/546",
      streamed: JSON.stringify({ error: OVERFLOW }),
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: "2048",
    },
    {
      what: "200 for a path that it does not serve",
      source: "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/1323",
      streamed: JSON.stringify({
        error: "Unexpected endpoint or method. (POST /v1/chat/completions)",
      }),
      code: "UNSUPPORTED_BY_SERVER",
      says: "Unexpected endpoint or method",
    },
  ],
};
