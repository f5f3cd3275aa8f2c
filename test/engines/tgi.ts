import type { Engine } from "./engine.js";

const API = "https://huggingface.co/docs/text-generation-inference/messages_api";
const SOURCE = "https://github.com/huggingface/text-generation-inference/blob/main/router/src";
const MODEL = "mistralai/Mistral-7B-Instruct-v0.2";
const HEAD = {
  object: "chat.completion.chunk",
  id: "",
  created: 1706270978,
  model: MODEL,
  system_fingerprint: "3.3.6-sha-e6ae6ca",
};
const chunk = (content: string, finish_reason: string | null = null) => ({
  ...HEAD,
  choices: [{ index: 0, delta: { role: "assistant", content }, logprobs: null, finish_reason }],
  usage: null,
});
const USAGE = { prompt_tokens: 20, completion_tokens: 3, total_tokens: 23 };
const whole = (content: string, finish_reason: string) => ({
  ...HEAD,
  object: "chat.completion",
  choices: [{ index: 0, message: { role: "assistant", content }, logprobs: null, finish_reason }],
  usage: USAGE,
});

/** As its server writes events: without a blank after the colon. */
const sse = (...events: readonly (object | string)[]): string =>
  events
    .map((event) => `data:${typeof event === "string" ? event : JSON.stringify(event)}\n\n`)
    .join("");

export const tgi: Engine = {
  name: "Text Generation Inference",
  lists: [
    {
      what: "the one model",
      source: `${SOURCE}/lib.rs (ModelsInfo)`,
      body: {
        object: "list",
        data: [{ id: MODEL, object: "model", created: 0, owned_by: MODEL }],
      },
      ids: [MODEL],
      forChat: MODEL,
    },
  ],
  answers: [
    {
      what: "a role in each chunk, and no blank after data:",
      source: API,
      whole: whole("Hello", "stop"),
      streamed: sse(
        chunk("Hel"),
        chunk("lo"),
        chunk("", "stop"),
        { ...HEAD, choices: [], usage: USAGE },
        "[DONE]",
      ),
      text: "Hello",
      outputTokens: 3,
    },
    {
      what: "eos_token as finish_reason, and comments that keep the connection alive",
      source: "https://github.com/huggingface/text-generation-inference/issues/2344",
      whole: whole("Hello", "eos_token"),
      streamed: `:\n\n${sse(chunk("Hello"))}:\n\n${sse(chunk("", "eos_token"), "[DONE]")}`,
      text: "Hello",
      outputTokens: null,
    },
    {
      what: "a special token of the template at the end",
      source: "https://github.com/huggingface/text-generation-inference/issues/2344",
      whole: whole("Hello</s>", "eos_token"),
      streamed: sse(chunk("Hello"), chunk("</s>", "eos_token"), "[DONE]"),
      text: "Hello",
      outputTokens: null,
    },
    {
      what: "an answer that the limit cut off",
      source: API,
      whole: whole("Hel", "length"),
      streamed: sse(chunk("Hel", "length"), "[DONE]"),
      text: "Hel",
      finishReason: "length",
      outputTokens: null,
    },
  ],
  refusals: [
    {
      what: "a prompt and an answer that do not fit together",
      source: "https://github.com/huggingface/chat-ui/issues/340",
      status: 422,
      body: {
        error:
          "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 1512. Given: 1000 `inputs` tokens and 1024 `max_new_tokens`",
        error_type: "validation",
      },
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: /1000.*1024.*1512/,
    },
    {
      what: "a prompt that does not fit",
      source: "https://github.com/meta-llama/llama/issues/1103",
      status: 422,
      body: {
        error: "Input validation error: `inputs` must have less than 4096 tokens. Given: 4545",
        error_type: "validation",
      },
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: /4545.*4096/,
    },
    {
      what: "a model that is overloaded",
      source:
        "https://github.com/huggingface/text-generation-inference/blob/main/docs/openapi.json",
      status: 429,
      body: { error: "Model is overloaded", error_type: "overloaded" },
      code: "SERVICE_BUSY",
      says: "overloaded",
      passes: true,
    },
    {
      what: "exhausted device memory",
      source: `${SOURCE}/server.rs (GenerationError)`,
      status: 424,
      body: {
        error:
          "Request failed during generation: Server error: CUDA out of memory. Tried to allocate 128.00 MiB.",
        error_type: "generation",
      },
      code: "INSUFFICIENT_MEMORY",
      says: "out of memory",
    },
    {
      what: "a wrong key, without a body",
      source: `${SOURCE}/server.rs (auth)`,
      status: 401,
      body: "",
      code: "UNAUTHORIZED",
      says: "FOUNDRY_API_KEY",
    },
  ],
  brokenStreams: [
    {
      what: "an error inside the stream, with the status as a number",
      source: `${SOURCE}/infer/mod.rs (OpenaiErrorEvent)`,
      streamed: sse({
        error: {
          message:
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 8740 `inputs` tokens and 500 `max_new_tokens`",
          http_status_code: 422,
        },
      }),
      code: "CONTEXT_LENGTH_EXCEEDED",
      says: "4096",
    },
    {
      what: "an error after some text, as a string",
      source: `${SOURCE}/server.rs (From<InferError> for Event)`,
      streamed: sse(chunk("Hel"), {
        error: "Request failed during generation: Server error: device-side assert triggered",
        error_type: "generation",
      }),
      code: "INFERENCE_FAILED",
      says: "Request failed during generation",
      text: "Hel",
    },
  ],
};
