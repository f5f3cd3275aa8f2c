import { describe, expect, it } from "vitest";
import type { Subject } from "../../../src/foundry/dialects/failure-rules.js";
import { errorOfFailure, errorOfStreamEvent } from "../../../src/foundry/dialects/failures.js";
import { overflowOf } from "../../../src/foundry/dialects/overflow.js";
import type { FoundryError } from "../../../src/lib/errors.js";

const CHAT: Subject = { doing: "chat", model: "tiny-talk-generic-cpu:1" };
const LOAD: Subject = { doing: "load", model: "tiny-talk-generic-cpu:1" };
const UNLOAD: Subject = { doing: "unload", model: "tiny-talk-generic-cpu:1" };
const DOWNLOAD: Subject = { doing: "download", model: "tiny-talk-generic-cpu:1" };
const OTHER: Subject = { doing: "other" };

const errorOf = (
  status: number,
  message: string,
  subject: Subject,
  retryAfterMs: number | null = null,
): FoundryError =>
  errorOfFailure(
    {
      status,
      message,
      kinds: [],
      body: `body with ${message}`,
      brokeOff: null,
      retryAfterMs,
    },
    subject,
  );

const SIGNATURE =
  "int fl::ApplySearchOptions(const SearchOptions&, int, const GenAIConfig&, OgaGeneratorParams&, bool, int)";
const OVERFLOW =
  "request requires 1042 total tokens (18 input + 1024 output), which exceeds the model's maximum context length of 512 tokens";

describe("errorOfFailure", () => {
  it.each([
    [
      "C2: an unknown model",
      404,
      "Model not found: No model matching 'x'",
      LOAD,
      "MODEL_NOT_FOUND",
    ],
    ["C1: an unknown model", 404, "The model 'x:1' does not exist", CHAT, "MODEL_NOT_FOUND"],
    ["vLLM: an unknown model", 404, "The model `x` does not exist.", CHAT, "MODEL_NOT_FOUND"],
    [
      "Ollama: an unknown model",
      404,
      'model "x" not found, try pulling it first',
      CHAT,
      "MODEL_NOT_FOUND",
    ],
    [
      "S: a model newer than its runtime",
      500,
      'Failed loading model x:1 Error parsing /c/genai_config.json: Unknown value "spatial_merge_size"',
      CHAT,
      "LOAD_FAILED",
    ],
    ["S: a failed load", 500, "Failed loading model x:1 a.dll is not loaded", LOAD, "LOAD_FAILED"],
    ["S: a failed load for a chat", 500, "Failed loading model x:1", CHAT, "LOAD_FAILED"],
    [
      "S: a missing execution provider",
      500,
      "Failed loading model x:1 it needs QNN, which is not registered",
      LOAD,
      "EP_UNAVAILABLE",
    ],
    [
      "S: a model compiled for a missing execution provider",
      500,
      "Failed loading model x:1\nCould not find an implementation for EPContext(1) node with name 'QNNExecutionProvider_QNN_6418317120081008875_9_0'",
      LOAD,
      "EP_UNAVAILABLE",
    ],
    [
      "S: a prompt that is too long for an NPU",
      500,
      "Non-zero status code returned while running GroupQueryAttention node. Status Message: cos_cache dimension 0 shall not be less than total_sequence_length.",
      CHAT,
      "CONTEXT_LENGTH_EXCEEDED",
    ],
    [
      "S: an argument out of range",
      500,
      "top_p must be between 0.0 and 1.0",
      CHAT,
      "INVALID_REQUEST",
    ],
    ["S: a refused download", 500, "no region", DOWNLOAD, "DOWNLOAD_FAILED"],
    ["a download where there is none", 404, "", DOWNLOAD, "UNSUPPORTED_BY_SERVER"],
    [
      "S: an unknown model",
      400,
      "No OpenAIService provider found for modelName:x",
      CHAT,
      "MODEL_NOT_CACHED",
    ],
    [
      "C2: not downloaded",
      400,
      "Model not cached: Model must be downloaded before loading",
      LOAD,
      "MODEL_NOT_CACHED",
    ],
    [
      "C2: not loaded",
      400,
      "Model not loaded: Model 'x' must be loaded before inference",
      CHAT,
      "MODEL_NOT_LOADED",
    ],
    [
      "C1: not loaded",
      400,
      "Failed to handle OpenAI completion: Model 'x' is not loaded. Please load the model before getting a ChatClient.",
      CHAT,
      "MODEL_NOT_LOADED",
    ],
    [
      "C2: no execution provider",
      500,
      "Load failed: model 'x' requires CUDAExecutionProvider which is not registered. Call DownloadAndRegisterEps() first.",
      LOAD,
      "EP_UNAVAILABLE",
    ],
    [
      "C2 2.0: no execution provider",
      500,
      `Load failed: genai_model_instance.cc:58 ${SIGNATURE} failed to load model x:1: QNN execution provider is not supported in this build. `,
      LOAD,
      "EP_UNAVAILABLE",
    ],
    [
      "C2 2.0: no CUDA",
      500,
      `Load failed: genai_model_instance.cc:58 ${SIGNATURE} failed to load model x:1: Cuda interface not available: Failed to load library: /opt/libonnxruntime-genai-cuda.so: cannot open shared object file: No such file or directory`,
      LOAD,
      "EP_UNAVAILABLE",
    ],
    [
      "C1: no template",
      500,
      "Failed to handle OpenAI completion: Empty chat template.",
      CHAT,
      "MODEL_CANNOT_CHAT",
    ],
    [
      "C2: a template that cannot be read",
      500,
      "Inference failed: Invalid or unsupported chat template.",
      CHAT,
      "MODEL_CANNOT_CHAT",
    ],
    [
      "C2: in use",
      500,
      "Unload failed: model_load_manager.cc:9 void fl::M::U() cannot unload model 'x': 1 session(s) still using it",
      UNLOAD,
      "MODEL_BUSY",
    ],
    [
      "C2 2.0: an overflow",
      500,
      `Inference failed: search_options.cc:38 ${SIGNATURE} ${OVERFLOW}`,
      CHAT,
      "CONTEXT_LENGTH_EXCEEDED",
    ],
    ["C2 2.1: an overflow", 400, `Invalid request: ${OVERFLOW}`, CHAT, "CONTEXT_LENGTH_EXCEEDED"],
    [
      "C1: an overflow",
      400,
      "Failed to handle OpenAI completion: This request requires 1042 total tokens (18 input + 1024 output), which exceeds the model's maximum context length of 512 tokens. Please reduce 'max_tokens'or shorten your input. (Parameter 'chatRequest')",
      CHAT,
      "CONTEXT_LENGTH_EXCEEDED",
    ],
    [
      "vLLM: an overflow",
      400,
      "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (3976 in the messages, 1024 in the completion).",
      CHAT,
      "CONTEXT_LENGTH_EXCEEDED",
    ],
    [
      "llama.cpp: an overflow",
      400,
      "the request exceeds the available context size, try increasing it",
      CHAT,
      "CONTEXT_LENGTH_EXCEEDED",
    ],
    [
      "C2: a model that was deleted",
      500,
      "Load failed: model.cc:530 void fl::Model::Load(fl::ExecutionProvider) model not found at path: /home/me/models/Example/small-context-generic-cpu-1/v1",
      LOAD,
      "MODEL_NOT_CACHED",
    ],
    [
      "C2: a broken model file",
      500,
      "Load failed: failed to load model x: Load model from /m/model.onnx failed:Protobuf parsing failed.",
      LOAD,
      "LOAD_FAILED",
    ],
    ["C1: a load that fails without a word", 500, "Internal Server Error", LOAD, "LOAD_FAILED"],
    [
      "a library that cannot be loaded",
      500,
      "Load failed: Library not loaded: @rpath/libonnxruntime.dylib",
      LOAD,
      "LOAD_FAILED",
    ],
    [
      "a file of the model that is missing",
      500,
      "Load failed: failed to load model x: genai_config.json not found",
      LOAD,
      "LOAD_FAILED",
    ],
    [
      "C2: a malformed request",
      400,
      "Invalid request: [json.exception.out_of_range.403] key 'model' not found",
      CHAT,
      "INVALID_REQUEST",
    ],
    [
      "C2 2.0: a caller's mistake as a 500",
      500,
      `Inference failed: search_options.cc:32 ${SIGNATURE} max_output_tokens must be >= 1`,
      CHAT,
      "INVALID_REQUEST",
    ],
    [
      "C2 2.0.1: a temperature out of range",
      500,
      "Inference failed: temperature must be in the range [0.0, 2.0]",
      CHAT,
      "INVALID_REQUEST",
    ],
    [
      "C2: no text",
      500,
      "Inference failed: At least one MESSAGE item with non-empty content is required in the request",
      CHAT,
      "INVALID_REQUEST",
    ],
    [
      "C2: a bad tool_choice",
      500,
      "Inference failed: Invalid value for tool_choice: 'wizard'. Expected 'auto', 'none', or 'required'.",
      CHAT,
      "INVALID_REQUEST",
    ],
    [
      "C2: a native failure",
      500,
      "Inference failed: token generation failed: Non-zero status code returned while running Gather node.",
      CHAT,
      "INFERENCE_FAILED",
    ],
    [
      "C1: a native failure",
      500,
      "Failed to handle OpenAI completion: Non-zero status code returned while running Gather node.",
      CHAT,
      "INFERENCE_FAILED",
    ],
    [
      "C2: no such route",
      404,
      "No mapping for HTTP-method: 'GET', URL: '/x'",
      OTHER,
      "UNSUPPORTED_BY_SERVER",
    ],
    ["Kestrel: no such route", 404, "Not Found", OTHER, "UNSUPPORTED_BY_SERVER"],
    ["a wrong method", 405, "Method Not Allowed", OTHER, "UNSUPPORTED_BY_SERVER"],
    ["vLLM", 501, "Beam search is not implemented", CHAT, "UNSUPPORTED_BY_SERVER"],
    [
      "C1: no catalog",
      500,
      "Failed to retrieve model list: Catalog request failed across 7 region(s)",
      OTHER,
      "SERVICE_ERROR",
    ],
    ["no key", 401, "Unauthorized", OTHER, "UNAUTHORIZED"],
    ["a wrong key", 403, "Forbidden", CHAT, "UNAUTHORIZED"],
    ["too many requests", 429, "Slow down", CHAT, "SERVICE_BUSY"],
    ["an overloaded service", 529, "Overloaded", CHAT, "SERVICE_BUSY"],
    [
      "TGI: a failed generation",
      424,
      "Request failed during generation: Server error: index out of range",
      CHAT,
      "INFERENCE_FAILED",
    ],
    [
      "TGI: a generation without memory",
      424,
      "Request failed during generation: Server error: CUDA out of memory",
      CHAT,
      "INSUFFICIENT_MEMORY",
    ],
    ["another dependency that failed", 424, "no such backend", OTHER, "INVALID_REQUEST"],
    ["a proxy without its service", 502, "Bad Gateway", OTHER, "SERVICE_BUSY"],
    ["a service that is away", 503, "Service Unavailable", LOAD, "SERVICE_BUSY"],
  ] as const)("recognises %s", (_what, status, message, subject, code) => {
    const error = errorOf(status, message, subject);
    expect([error.code, error.status]).toEqual([code, status]);
    expect(error.action).not.toBe("");
  });

  it.each([
    [524, "x.trycloudflare.com | 524: A timeout occurred", /^Shorten the prompt/],
    [530, "error code: 1033", /tunnel to it are running/],
    [522, "522: Connection timed out", /tunnel to it are running/],
  ])(
    "blames no model for what Cloudflare says of the service behind it: %i",
    (status, message, action) => {
      expect(errorOf(status, message, CHAT)).toMatchObject({
        code: "SERVICE_BUSY",
        message: expect.stringContaining(`(HTTP ${status}). It said: ${message}`),
        action: expect.stringMatching(action),
        retryable: true,
      });
    },
  );

  it.each([
    ["MODEL_NOT_FOUND", 404, "Model not found: No model matching 'x'", LOAD, false],
    ["CONTEXT_LENGTH_EXCEEDED", 500, OVERFLOW, CHAT, false],
    ["LOAD_FAILED", 500, "Load failed: broken", LOAD, false],
    ["INVALID_REQUEST", 500, "max_output_tokens must be >= 1", CHAT, false],
    ["MODEL_BUSY", 500, "cannot unload model 'x': 1 session(s) still using it", UNLOAD, true],
    ["INFERENCE_FAILED", 500, "token generation failed", CHAT, true],
    ["SERVICE_ERROR", 500, "oops", OTHER, true],
    ["SERVICE_BUSY", 429, "Slow down", OTHER, true],
  ] as const)("sets `retryable` for %s", (code, status, message, subject, is) => {
    expect(errorOf(status, message, subject)).toMatchObject({ code, retryable: is });
  });

  it.each([
    'Failed loading model x:1 Error parsing /c/genai_config.json: Unknown value "spatial_merge_size"',
    'Load failed: genai_model_instance.cc:173 failed to create OGA config for model x:1: JSON Error: model:decoder: Unknown value "spatial_merge_size" at line 1 index 451',
    "Load failed: genai_model_instance.cc:204 failed to load model x:1: Unsupported model_type in config.json: qwen9",
  ])("advises an update where the model is newer than the service: %s", (words) => {
    expect(errorOf(500, words, LOAD)).toMatchObject({
      code: "LOAD_FAILED",
      action: expect.stringContaining("update Foundry Local"),
    });
  });

  it("advises a fresh download where a file of a model is missing", () => {
    const words =
      "Load failed: failed to load model x:1: Load model from /m/model.onnx failed:Load model /m/model.onnx failed. File doesn't exist";
    expect(errorOf(500, words, LOAD).action).toContain("a fresh download");
  });

  it("says where the reason of a load is that fails without a word, as on core 1.x", () => {
    const { action } = errorOf(500, "", LOAD);
    expect(action).toContain("`foundry server logs`");
    // The command line is not there where the core runs in our own child process.
    expect(action).toContain(".foundry-local-mcp/logs");
  });

  it("advises a shorter prompt where a chat fails without a reason", () => {
    expect(errorOf(400, "", CHAT).action).toMatch(/^Shorten the prompt/);
    expect(errorOf(400, "", OTHER).action).not.toContain("prompt");
    expect(errorOf(500, "", CHAT).action).toContain("shorten the prompt");
  });

  it("names the limit to raise where it ended a tool call", () => {
    const words =
      "Inference failed: Model emitted an invalid tool call: Tool-call output was interrupted before the batch could be committed.";
    expect(errorOf(500, words, CHAT)).toMatchObject({
      code: "INFERENCE_FAILED",
      action: expect.stringContaining("larger `maxTokens`"),
      retryable: false,
    });
  });

  it.each([
    ["MODEL_NOT_CACHED", 404, "No OpenAIService provider found for tiny-talk-generic-cpu:1", ""],
    ["MODEL_NOT_FOUND", 404, "tiny-talk-generic-cpu:1 is paused", "is paused"],
    ["UNSUPPORTED_BY_SERVER", 404, "tiny-talk-generic-cpu:1 does not support tools", "tools"],
    ["INVALID_REQUEST", 400, "Could not find the model file tokenizer.json", "tokenizer.json"],
    ["INVALID_REQUEST", 400, "Invalid model: its inputs must be int32", "int32"],
  ])("takes for an unknown model only what says so: %s, %s, %s", (code, status, words, said) => {
    expect(errorOf(status, words, CHAT)).toMatchObject({
      code,
      message: expect.stringContaining(said),
    });
  });

  it("names the model as the caller did, not as the service does", () => {
    const error = errorOf(404, "Model not found: No model matching 'tiny-talk'", LOAD);
    expect(error.message).toBe("The service has no model tiny-talk-generic-cpu:1.");
  });

  it("keeps paths and native code for the log", () => {
    const error = errorOf(
      500,
      "Load failed: genai_model_instance.cc:58 fl::GenAIModelInstance::GenAIModelInstance(std::string, fl::ILogger&) failed to load model broken-file-generic-cpu:1: Load model from /home/u/models/model.onnx failed:Protobuf parsing failed.",
      LOAD,
    );
    expect(error.message).toBe(
      "The service could not load tiny-talk-generic-cpu:1. It said: Load failed: failed to load model broken-file-generic-cpu:1: Load model from model.onnx failed:Protobuf parsing failed.",
    );
    expect(`${error.message}${error.action}`).not.toMatch(/\.cc|fl::|\/home/);
    expect(error.detail).toContain("/home/u/models/model.onnx");
  });

  it.each([
    ["/srv/OOM/", CHAT],
    ["/home/out of memory/a/", CHAT],
    ["/home/u/insufficient_quota/", OTHER],
    ["/srv/models/", CHAT],
    ["/srv/models/: ", LOAD],
    ["...", OTHER],
    [" ", DOWNLOAD],
  ] as const)(
    "omits the message of the service where nothing of it can be shown: %s",
    (text, on) => {
      for (const status of [400, 404, 429, 500]) {
        const { message } = errorOf(status, text, on);
        expect(message).not.toMatch(/It said:\W*$/);
        expect(message).toMatch(/\.$/);
      }
    },
  );

  it.each([
    [404, "Not Found", CHAT],
    [404, "no route", OTHER],
    [405, "Method Not Allowed", OTHER],
    [405, "", CHAT],
    [500, "Failed loading model m", CHAT],
  ] as const)("does not mistake others for Foundry Local: %i %j", (status, text, subject) => {
    const { action } = errorOf(status, text, subject);
    expect(action).toContain("a newer version of");
    expect(action).not.toMatch(/foundry/i);
  });

  it.each([
    [
      401,
      "key not allowed to access model. This key can only access models=['gpt']. Tried m",
      "Use a model",
    ],
    [403, "invalid host header", "host name"],
    [403, "This model is gated; accept the license on its page", "Accept the terms"],
    [403, "You do not have permission to use it", "Use a model"],
    [403, "The budget of your team is closed", "Check the option `apiKey`"],
  ])("shows the message of a %i, and what helps: %s", (status, words, action) => {
    const error = errorOf(status, words, CHAT);
    expect(error).toMatchObject({ code: "UNAUTHORIZED", status, detail: null });
    expect(error.message).toBe(
      `The service refused the request (HTTP ${status}). It said: ${words}`,
    );
    expect(error.action).toContain(action);
  });

  it.each([
    "Received sk-very-secret1",
    "Received API Key = sk-...ret1, which expired",
    "The token 'mysecret1' is expired",
    "expired token: mysecret1",
    "Bearer mysecret1 is over",
    "Hash 0123456789abcdefsecret10123456789abcdef is unknown",
    "eyJsecret1hbGciOiJI.eyJzdWIiOiIx.secret1 expired",
    "hf_secret1 has no access",
  ])("hides text that looks like a key: %s", (words) => {
    const { message, action, detail } = errorOf(401, words, CHAT);
    expect(`${message} ${action} ${detail}`).not.toMatch(/ret1/);
    expect(message).toContain("[hidden]");
  });

  it.each([401, 403])("quotes nothing of a %i, which may name the key", (status) => {
    const words = "Incorrect API key provided: sk-very-secret";
    const error = errorOf(status, words, CHAT);
    expect(`${error.message} ${error.action} ${error.detail}`).not.toContain("secret");
    expect(error.message).toBe(`The service refused the credentials (HTTP ${status}).`);
  });

  it("passes on the service's time to wait", () => {
    expect(errorOf(429, "Slow down", CHAT, 1500).retryAfterMs).toBe(1500);
    expect(errorOf(429, "Slow down", CHAT).retryAfterMs).toBeNull();
  });
});

describe("errorOfStreamEvent", () => {
  it("uses the type as the status, since the stream began with 200", () => {
    const late = errorOfStreamEvent(
      { text: "top_k is bad", kinds: ["invalid_request_error"] },
      CHAT,
    );
    const native = errorOfStreamEvent(
      { text: "token generation failed", kinds: ["server_error"] },
      CHAT,
    );
    const bare = errorOfStreamEvent({ text: "token generation failed", kinds: [] }, CHAT);
    expect([late, native, bare].map(({ code, status }) => [code, status])).toEqual([
      ["INVALID_REQUEST", 400],
      ["INFERENCE_FAILED", 500],
      ["INFERENCE_FAILED", 200],
    ]);
    expect([native, bare].map(({ retryable }) => retryable)).toEqual([true, false]);
  });

  it.each([
    ["an error was encountered while running the model: unexpected EOF", [], CHAT],
    ["token generation failed", [], CHAT],
    ["something broke", ["internal"], CHAT],
    ["token generation failed", ["server_error"], CHAT],
    ["something broke", [], OTHER],
    ["something broke", ["500"], OTHER],
  ] as const)("advises a retry only where it can help: %s %j", (text, kinds, subject) => {
    const { action, retryable } = errorOfStreamEvent({ text, kinds: [...kinds] }, subject);
    expect(action.startsWith("Try again")).toBe(retryable);
    expect(retryable).toBe(kinds.length > 0);
  });

  it("reports that the service gave no reason", () => {
    const error = errorOfStreamEvent({ text: "", kinds: [] }, CHAT);
    expect(error.message).toBe(
      "tiny-talk-generic-cpu:1 failed while generating. The service gave no reason.",
    );
  });
});

describe("overflowOf", () => {
  it("reads the token counts of an overflow, which the error contains", () => {
    const error = errorOf(500, `Inference failed: ${OVERFLOW}`, CHAT);
    expect(overflowOf(error)).toEqual({
      input: 18,
      isLeast: false,
      output: 1024,
      total: null,
      limit: 512,
      most: null,
    });
    expect(error.message).toBe(
      "The prompt has 18 tokens and the answer may have 1024, together more than the 512 tokens of tiny-talk-generic-cpu:1.",
    );
  });

  it("reads the token counts of OpenAI's wording, too", () => {
    const error = errorOf(
      400,
      "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (3976 in the messages, 1024 in the completion).",
      CHAT,
    );
    expect(overflowOf(error)).toMatchObject({ input: 3976, output: 1024, limit: 4096 });
  });

  it.each([
    ["Prompt sequence length is greater than 4096", null, 4096],
    ["Input is larger than the model input length limit 4096", null, 4096],
    ["The prompt exceeds max_seq_len (4096)", null, 4096],
    ["Prompt length 5000 is greater than max_seq_len 4096", 5000, 4096],
    ["Context length 5000 is greater than max_seq_len 4096", 5000, 4096],
    ["The input is greater than max_seq_len", null, null],
    ["Prompt length (5000) exceeds max length (4096)", 5000, 4096],
    ["Prompt length (5000) exceeds maximum input length (4096)", 5000, 4096],
    ["Too long: 5000 tokens, context size 4096", 5000, 4096],
    ["input is too large to process. increase the physical batch size", null, null],
    [
      "input (700 tokens) is too large to process. increase the physical batch size (current batch size: 512)",
      700,
      512,
    ],
  ])("recognises the wording of other engines: %s", (message, input, limit) => {
    for (const status of [400, 413, 500]) {
      const error = errorOf(status, message, CHAT);
      expect(error).toMatchObject({ code: "CONTEXT_LENGTH_EXCEEDED", retryable: false });
      expect(overflowOf(error)).toMatchObject({ input, limit });
    }
  });

  it.each(["Payload Too Large", "Request Entity Too Large", "", "body of 5 MB"])(
    "treats a 413 of a chat as an overflow: %j",
    (message) => {
      const error = errorOf(413, message, CHAT);
      expect(error).toMatchObject({ code: "CONTEXT_LENGTH_EXCEEDED", retryable: false });
      expect(error.message).toContain("The request is too large for the service (HTTP 413).");
      expect(errorOf(413, message, OTHER).code).toBe("INVALID_REQUEST");
    },
  );

  it("returns an overflow without counts where the service sent none", () => {
    const error = errorOf(400, "the request exceeds the available context size", CHAT);
    expect(overflowOf(error)).toMatchObject({ input: null, output: null, limit: null });
  });

  it("returns nothing for another error", () => {
    expect(overflowOf(errorOf(500, "token generation failed", CHAT))).toBeNull();
  });
});
