import { type Engine, sse } from "./engine.js";

const DOCS = "https://docs.sglang.io/docs/basic_usage/openai_api_completions.md";
const REASONING = "https://docs.sglang.io/docs/advanced_features/separate_reasoning";
const MODEL = "qwen/qwen2.5-0.5b-instruct";
const HEAD = {
  id: "5b6b8f6f3c1b4e1e9c7f",
  object: "chat.completion.chunk",
  created: 1782374656,
  model: MODEL,
};
const chunk = (delta: object, finish_reason: string | null = null, matched_stop?: number) => ({
  ...HEAD,
  choices: [
    {
      index: 0,
      delta: { role: null, content: null, reasoning_content: null, tool_calls: null, ...delta },
      logprobs: null,
      finish_reason,
      matched_stop: matched_stop ?? null,
    },
  ],
  usage: null,
});
const ROLE = chunk({ role: "assistant", content: "" });
const USAGE = {
  prompt_tokens: 12,
  total_tokens: 15,
  completion_tokens: 3,
  prompt_tokens_details: null,
  reasoning_tokens: 0,
};
const whole = (message: object, finish_reason = "stop") => ({
  ...HEAD,
  object: "chat.completion",
  choices: [
    {
      index: 0,
      message: { role: "assistant", reasoning_content: null, tool_calls: null, ...message },
      logprobs: null,
      finish_reason,
      matched_stop: 151645,
    },
  ],
  usage: USAGE,
  metadata: { weight_version: "default" },
});

export const sglang: Engine = {
  name: "SGLang",
  lists: [
    {
      what: "one model, with the context",
      source: DOCS,
      body: {
        object: "list",
        data: [
          {
            id: MODEL,
            object: "model",
            created: 1782374656,
            owned_by: "sglang",
            root: MODEL,
            parent: null,
            max_model_len: 32768,
          },
        ],
      },
      ids: [MODEL],
      forChat: MODEL,
      contextLength: 32768,
    },
  ],
  answers: [
    {
      what: "null for all that a chunk does not have, and matched_stop",
      source: DOCS,
      whole: whole({ content: "Hello" }),
      streamed: sse(
        ROLE,
        chunk({ content: "Hel" }),
        chunk({ content: "lo" }),
        chunk({}, "stop", 151645),
        { ...HEAD, choices: [], usage: USAGE },
        "[DONE]",
      ),
      text: "Hello",
      outputTokens: 3,
    },
    {
      what: "reasoning_content, with null as content beside it",
      source: REASONING,
      whole: whole({ reasoning_content: "A greeting.", content: "Hello" }),
      streamed: sse(
        ROLE,
        chunk({ reasoning_content: "A greeting." }),
        chunk({ content: "Hello" }),
        chunk({}, "stop", 151645),
        { ...HEAD, choices: [], usage: { ...USAGE, reasoning_tokens: 2 } },
        "[DONE]",
      ),
      text: "Hello",
      reasoning: "A greeting.",
      outputTokens: 3,
    },
    {
      what: "thinking without its start tag, as of DeepSeek-R1 without a parser",
      source: REASONING,
      whole: whole({ content: "A greeting.\n</think>\n\nHello" }),
      streamed: sse(
        ROLE,
        chunk({ content: "A greeting." }),
        chunk({ content: "\n</think>\n\n" }),
        chunk({ content: "Hello" }),
        chunk({}, "stop", 151645),
        { ...HEAD, choices: [], usage: USAGE },
        "[DONE]",
      ),
      text: "Hello",
      reasoning: "A greeting.",
      outputTokens: 3,
    },
    {
      what: "thinking in the marks of Kimi, without a parser",
      source: REASONING,
      whole: whole({ content: "◁think▷A greeting.◁/think▷Hello" }),
      streamed: sse(
        ROLE,
        chunk({ content: "◁thi" }),
        chunk({ content: "nk▷A greeting.◁/th" }),
        chunk({ content: "ink▷Hello" }),
        chunk({}, "stop", 151645),
        { ...HEAD, choices: [], usage: USAGE },
        "[DONE]",
      ),
      text: "Hello",
      reasoning: "A greeting.",
      outputTokens: 3,
    },
  ],
  refusals: [
    {
      what: "a prompt that does not fit",
      source: "https://github.com/QwenLM/Qwen3/issues/1321",
      status: 400,
      body: {
        object: "error",
        message:
          "The input (61709 tokens) is longer than the model's context length (40960 tokens).",
        type: "BadRequestError",
        param: null,
        code: 400,
      },
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: /61709.*40960/,
    },
    {
      what: "a prompt and an answer that do not fit together",
      source: "https://github.com/anomalyco/opencode/pull/25230",
      status: 400,
      body: {
        object: "error",
        message:
          "Requested token count exceeds the model's maximum context length of 202752 tokens. You requested a total of 202941 tokens: 170941 tokens from the input messages and 32000 tokens for the completion. Please reduce the number of tokens in the input messages or the completion to fit within the limit.",
        type: "BadRequestError",
        param: null,
        code: 400,
      },
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: /170941.*32000.*202752/,
    },
    {
      what: "a queue that is full",
      source:
        "https://github.com/sgl-project/sglang/blob/main/python/sglang/srt/managers/scheduler.py",
      status: 503,
      body: {
        object: "error",
        message: "The request queue is full.",
        type: "ServiceUnavailableError",
        param: null,
        code: 503,
      },
      code: "SERVICE_BUSY",
      says: "queue is full",
      passes: true,
    },
    {
      what: "a wrong key",
      source:
        "https://github.com/sgl-project/sglang/blob/main/docs/advanced_features/server_arguments.md",
      status: 401,
      body: { error: "Unauthorized" },
      code: "UNAUTHORIZED",
      says: "FOUNDRY_API_KEY",
    },
  ],
  brokenStreams: [
    {
      what: "an error of the validation inside the stream",
      source:
        "https://github.com/sgl-project/sglang/blob/main/python/sglang/srt/entrypoints/openai/serving_base.py",
      streamed: sse(
        {
          error: {
            object: "error",
            message:
              "The input (61709 tokens) is longer than the model's context length (40960 tokens).",
            type: "BadRequestError",
            param: null,
            code: 400,
          },
        },
        "[DONE]",
      ),
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: "40960",
    },
    {
      what: "finish_reason abort in the middle of the answer",
      source:
        "https://github.com/sgl-project/sglang/blob/main/python/sglang/srt/entrypoints/openai/protocol.py",
      streamed: sse(
        ROLE,
        chunk({ content: "Hel" }),
        chunk({}, "abort"),
        { ...HEAD, choices: [], usage: USAGE },
        "[DONE]",
      ),
      code: "STREAM_INTERRUPTED",
      says: "broke the answer off (finish_reason abort)",
      text: "Hel",
    },
  ],
};
