import { type Engine, sse } from "./engine.js";

const SOURCE = "https://github.com/mudler/LocalAI/blob/master/core";
const HEAD = {
  created: 1737000000,
  object: "chat.completion.chunk",
  id: "3f2b9a1e-8a52-4d0c-9d4f-2f0a8f6f9c11",
  model: "gpt-4",
};
const NO_USAGE = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
const chunk = (delta: object, finish_reason: string | null = null) => ({
  ...HEAD,
  choices: [{ index: 0, finish_reason, delta }],
  usage: NO_USAGE,
});
const USAGE = { prompt_tokens: 15, completion_tokens: 3, total_tokens: 18 };
const whole = (message: object) => ({
  ...HEAD,
  object: "chat.completion",
  choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", ...message } }],
  usage: USAGE,
});
const errorOf = (code: number, message: string, type = "") => ({
  error: { code, message, type },
});

export const localAi: Engine = {
  name: "LocalAI",
  lists: [
    {
      what: "names of OpenAI's models for local ones, of every task",
      source: `${SOURCE}/http/endpoints/openai/list.go`,
      body: {
        object: "list",
        data: ["text-embedding-ada-002", "whisper-1", "tts-1", "stablediffusion", "gpt-4"].map(
          (id) => ({ id, object: "model" }),
        ),
      },
      ids: ["text-embedding-ada-002", "whisper-1", "tts-1", "stablediffusion", "gpt-4"],
      forChat: "gpt-4",
    },
  ],
  answers: [
    {
      what: "a usage of zeros in each chunk",
      source: `${SOURCE}/schema/openai.go`,
      whole: whole({ content: "Hello" }),
      streamed: sse(
        chunk({ role: "assistant", content: null }),
        chunk({ content: "Hel" }),
        chunk({ content: "lo" }),
        { ...chunk({}, "stop"), usage: USAGE },
        "[DONE]",
      ),
      text: "Hello",
      outputTokens: 3,
    },
    {
      what: "a usage of zeros to the end",
      source: "https://github.com/mudler/LocalAI/issues/9927",
      streamed: sse(
        chunk({ role: "assistant", content: "" }),
        chunk({ content: "Hello" }),
        chunk({}, "stop"),
        "[DONE]",
      ),
      text: "Hello",
      outputTokens: null,
    },
    {
      what: "reasoning, and the usage behind the end",
      source: `${SOURCE}/schema/message.go`,
      whole: whole({ reasoning: "A greeting.", content: "Hello" }),
      streamed: sse(
        chunk({ role: "assistant", content: null }),
        chunk({ reasoning: "A greeting." }),
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
      what: "a prompt that does not fit, as an error of its backend",
      source: "https://github.com/lfnovo/open-notebook/issues/470",
      status: 500,
      body: errorOf(
        500,
        "rpc error: code = Internal desc = request (20652 tokens) exceeds the available context size (8192 tokens), try increasing it",
      ),
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: /20652.*8192/,
    },
    {
      what: "a model that it does not have",
      source: `${SOURCE}/http/middleware/request.go`,
      status: 404,
      body: errorOf(
        404,
        'model "gpt-4" not found. To see available models, call GET /v1/models',
        "invalid_request_error",
      ),
      code: "MODEL_NOT_FOUND",
      says: "list_models",
    },
    {
      what: "a backend that ended while it loaded the model",
      source: "https://github.com/mudler/LocalAI/issues/3007",
      status: 500,
      body: errorOf(
        500,
        "failed to load model with internal loader: could not load model: rpc error: code = Unavailable desc = error reading from server: EOF",
      ),
      code: "LOAD_FAILED",
      says: "could not load model",
    },
    {
      what: "a model that is loading",
      source: `${SOURCE}/http/app.go (respondModelLoading)`,
      status: 503,
      headers: { "retry-after": "1" },
      body: {
        error: {
          code: "model_loading",
          message: "model gpt-4 is loading (40%)",
          type: "model_loading",
        },
        loading: { model: "gpt-4", state: "loading", progress: 40 },
      },
      code: "SERVICE_BUSY",
      says: "still loading",
      loads: true,
    },
    {
      what: "a wrong key",
      source: `${SOURCE}/http/auth/middleware.go`,
      status: 401,
      body: errorOf(401, "An authentication key is required", "invalid_request_error"),
      code: "UNAUTHORIZED",
      says: "FOUNDRY_API_KEY",
    },
  ],
  brokenStreams: [
    {
      what: "an error of the backend after some text, and [DONE]",
      source: `${SOURCE}/http/endpoints/openai/chat.go`,
      streamed: sse(
        chunk({ role: "assistant", content: null }),
        chunk({ content: "Hel" }),
        {
          error: {
            code: "server_error",
            message: "rpc error: code = Unavailable desc = error reading from server: EOF",
            type: "server_error",
          },
        },
        "[DONE]",
      ),
      code: "INFERENCE_FAILED",
      says: "error reading from server",
      text: "Hel",
    },
    {
      what: "an error of the backend instead of an answer",
      source: `${SOURCE}/http/endpoints/openai/chat.go`,
      streamed: sse(
        chunk({ role: "assistant", content: null }),
        {
          error: {
            code: "server_error",
            message:
              "rpc error: code = Internal desc = request (20652 tokens) exceeds the available context size (8192 tokens), try increasing it",
            type: "server_error",
          },
        },
        "[DONE]",
      ),
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: "8192",
    },
  ],
};
