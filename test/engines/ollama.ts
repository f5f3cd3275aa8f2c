import { type Engine, sse } from "./engine.js";

const SOURCE = "https://github.com/ollama/ollama/blob/main/openai/openai.go";
const DOCS = "https://docs.ollama.com/api/openai-compatibility";
const HEAD = {
  id: "chatcmpl-458",
  object: "chat.completion.chunk",
  created: 1733007600,
  model: "llama3.2:3b",
  system_fingerprint: "fp_ollama",
};
const chunk = (delta: object, finish_reason: string | null = null) => ({
  ...HEAD,
  choices: [{ index: 0, delta, finish_reason }],
});
const USAGE = { prompt_tokens: 26, completion_tokens: 3, total_tokens: 29 };
const whole = (message: object) => ({
  ...HEAD,
  object: "chat.completion",
  choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: "stop" }],
  usage: USAGE,
});
const errorOf = (message: string, type: string) => ({
  error: { message, type, param: null, code: null },
});
const entry = (id: string) => ({ id, object: "model", created: 1733007600, owned_by: "library" });

export const ollama: Engine = {
  name: "Ollama",
  lists: [
    {
      what: "tags behind the names, and an embedding model as the newest first",
      source: "https://github.com/MCPJam/inspector/issues/135",
      body: {
        object: "list",
        data: ["all-minilm:latest", "llama3.2:3b", "deepseek-r1:latest"].map(entry),
      },
      ids: ["all-minilm:latest", "llama3.2:3b", "deepseek-r1:latest"],
      forChat: "llama3.2:3b",
    },
    {
      what: "a name with the owner and a path",
      source: DOCS,
      body: {
        object: "list",
        data: ["nomic-embed-text:v1.5", "hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M"].map(
          entry,
        ),
      },
      ids: ["nomic-embed-text:v1.5", "hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M"],
      forChat: "hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M",
    },
  ],
  answers: [
    {
      what: "the end in a separate chunk, and a usage without choices",
      source: SOURCE,
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
      what: "a role in each chunk, as before 2026",
      source: "https://github.com/ollama/ollama/blob/v0.5.0/openai/openai.go",
      streamed: sse(
        chunk({ role: "assistant", content: "Hel" }),
        chunk({ role: "assistant", content: "lo" }),
        chunk({ role: "assistant", content: "" }, "stop"),
        "[DONE]",
      ),
      text: "Hello",
      outputTokens: null,
    },
    {
      what: "reasoning, with an empty content beside it",
      source: SOURCE,
      whole: whole({ reasoning: "A greeting.", content: "Hello" }),
      streamed: sse(
        chunk({ role: "assistant", content: "", reasoning: "A gree" }),
        chunk({ content: "", reasoning: "ting." }),
        chunk({ content: "Hello" }),
        chunk({}, "stop"),
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
      source: "https://github.com/ollama/ollama/blob/main/llm/llama_server.go",
      status: 400,
      body: errorOf(
        "the prompt is longer than the context length currently available to the model; shorten the prompt, adjust the context length in settings, or use a model with a longer context length",
        "invalid_request_error",
      ),
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: "context",
    },
    {
      what: "an input that does not fit",
      source: "https://github.com/ollama/ollama/blob/main/server/routes.go",
      status: 400,
      body: errorOf("the input length exceeds the context length", "invalid_request_error"),
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: "context",
    },
    {
      what: "a model that is not downloaded",
      source: "https://github.com/netease-youdao/QAnything/issues/555",
      status: 404,
      body: errorOf('model "llama3.2:3b" not found, try pulling it first', "not_found_error"),
      code: "MODEL_NOT_FOUND",
      says: "list_models",
    },
    {
      what: "a model for embeddings",
      source: "https://github.com/MCPJam/inspector/issues/135",
      status: 400,
      body: errorOf('"all-minilm:latest" does not support chat', "invalid_request_error"),
      code: "MODEL_CANNOT_CHAT",
      says: "list_models",
    },
    {
      what: "too little memory",
      source: "https://github.com/continuedev/continue/issues/9528",
      status: 500,
      body: errorOf(
        "model requires more system memory (127.8 GiB) than is available (13.2 GiB)",
        "api_error",
      ),
      code: "INSUFFICIENT_MEMORY",
      says: "127.8 GiB",
    },
    {
      what: "a queue that is full",
      source: "https://github.com/ollama/ollama/blob/main/server/sched.go",
      status: 503,
      body: errorOf(
        "server busy, please try again.  maximum pending requests exceeded",
        "api_error",
      ),
      code: "SERVICE_BUSY",
      says: "maximum pending requests exceeded",
      passes: true,
    },
  ],
  brokenStreams: [
    {
      what: "an error line of its own API in the middle of the events",
      source: "https://github.com/ollama/ollama/blob/main/middleware/openai.go",
      streamed: `${sse(chunk({ role: "assistant", content: "Hel" }))}{"error":"an error was encountered while running the model: unexpected EOF"}\n`,
      code: "INFERENCE_FAILED",
      says: "unexpected EOF",
      text: "Hel",
    },
  ],
};
