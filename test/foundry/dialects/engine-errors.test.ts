import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../src/lib/errors.js";
import { clientOf } from "../fixtures.js";
import { type ChatAnswer, chatEngine, events, json } from "./chat-engine.js";

/** The error of an engine, with its status outside of a stream. */
interface Refusal {
  readonly engine: string;
  readonly status: number;
  /** The body as JSON, or a message for `error.message`. */
  readonly says: string | object;
}

const bodyOf = ({ says, status }: Refusal): object =>
  typeof says === "string" ? { error: { message: says, type: "error", code: status } } : says;

/** The ways in which engines send a refusal. The first two are tried with each refusal, all with the first one of a code. */
const WAYS: readonly (readonly [string, (refusal: Refusal) => ChatAnswer])[] = [
  ["as a status", (refusal) => json(bodyOf(refusal), refusal.status)],
  ["as an event", (refusal) => events(bodyOf(refusal))],
  ["whole, in a 200", (refusal) => json(bodyOf(refusal))],
  [
    "as a status, byte by byte",
    (refusal) => ({ ...json(bodyOf(refusal), refusal.status), isBytewise: true }),
  ],
  ["as an event, byte by byte", (refusal) => ({ ...events(bodyOf(refusal)), isBytewise: true })],
  [
    "as an event after the role",
    (refusal) =>
      events({ choices: [{ delta: { role: "assistant", content: "" } }] }, bodyOf(refusal)),
  ],
];

/** The error of a completion with its own length, and how often it was requested. */
async function failureOf(refusal: Refusal, way: (refusal: Refusal) => ChatAnswer) {
  const { url, chats } = await chatEngine(() => way(refusal));
  const asked = clientOf(url).complete({ prompt: "Hi", model: "m", maxTokens: 5000 });
  const error: unknown = await asked.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  return { error, requests: chats.length };
}

/** Refusals that would repeat, so they are not retried. */
function describeRefusals(code: ErrorCode, refusals: readonly Refusal[]): void {
  const tried = WAYS.map(([how, way], index) => ({
    how,
    way,
    those: index < 2 ? refusals : refusals.slice(0, 1),
  }));
  describe.each(tried)(`$how, ${code}`, ({ way, those }) => {
    it.each(those)("is recognised in the message of $engine: $says", async (refusal) => {
      const { error, requests } = await failureOf(refusal, way);
      expect(error).toMatchObject({ code, retryable: false });
      expect(requests).toBe(1);
    });
  });
}

/**
 * From vllm-project/vllm#20409, #42474, #33418; QwenLM/Qwen3#1321; sgl-project/sglang#4048;
 * RooCodeInc/Roo-Code#3963; huggingface/chat-ui#340; ggml-org/llama.cpp#15780, #16104;
 * abetlen/llama-cpp-python#416; ikawrakow/ik_llama.cpp#1619; vllm-project/vllm#40324; lmstudio-ai/lmstudio-bug-tracker#237, #1251, #2256;
 * anomalyco/opencode#2259; lemonade-sdk/lemonade#6; agent0ai/agent-zero#1102.
 */
const OVERFLOWS: readonly (Refusal & { readonly limit: number | null })[] = [
  {
    engine: "vLLM 0.8",
    status: 400,
    says: {
      object: "error",
      message:
        "This model's maximum context length is 4096 tokens. However, you requested 8976 tokens (3976 in the messages, 5000 in the completion). Please reduce the length of the messages or completion. None",
      type: "BadRequestError",
      param: null,
      code: 400,
    },
    limit: 4096,
  },
  {
    engine: "vLLM 0.10",
    status: 400,
    says: "'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum context length is 4096 tokens and your request has 18 input tokens (5000 > 4096 - 18). None",
    limit: 4096,
  },
  {
    engine: "vLLM 0.12",
    status: 400,
    says: "This model's maximum context length is 4096 tokens. However, you requested 5000 output tokens and your prompt contains at least 3073 input tokens, for a total of at least 8073 tokens. Please reduce the length of the input prompt or the number of requested output tokens. (parameter=input_tokens, value=3073)",
    limit: 4096,
  },
  {
    engine: "vLLM 0.12, the answer alone",
    status: 400,
    says: "max_tokens=5000cannot be greater than max_model_len=max_total_tokens=4096. Please request fewer output tokens. (parameter=max_tokens, value=5000)",
    limit: 4096,
  },
  {
    engine: "vLLM of 2026, the answer alone",
    status: 400,
    says: "max_tokens=5000 cannot be greater than max_model_len=4096. Please request fewer output tokens. (parameter=max_tokens, value=5000)",
    limit: 4096,
  },
  {
    engine: "ik_llama.cpp",
    status: 500,
    says: "Input prompt is too big compared to KV size. Please try increasing KV size.",
    limit: null,
  },
  {
    engine: "vLLM, the prompt alone",
    status: 400,
    says: "This model's maximum context length is 16384 tokens. However, your request has 19427 input tokens. Please reduce the length of the input messages. (parameter=input_tokens, value=19427)",
    limit: 16_384,
  },
  {
    engine: "SGLang",
    status: 400,
    says: {
      object: "error",
      message: "The input (61709 tokens) is longer than the model's context length (40960 tokens).",
      type: "BadRequestError",
      param: null,
      code: 400,
    },
    limit: 40_960,
  },
  {
    engine: "SGLang, prompt and answer",
    status: 400,
    says: "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of 9192 tokens: 4192 tokens from the input messages and 5000 tokens for the completion. Please reduce the number of tokens in the input messages or the completion to fit within the limit.",
    limit: 8192,
  },
  {
    engine: "TGI",
    status: 422,
    says: {
      error:
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 1512. Given: 1000 `inputs` tokens and 5000 `max_new_tokens`",
      error_type: "validation",
    },
    limit: 1512,
  },
  {
    engine: "TGI, the prompt alone",
    status: 422,
    says: {
      error: "Input validation error: `inputs` must have less than 1024 tokens. Given: 1500",
      error_type: "validation",
    },
    limit: 1024,
  },
  {
    engine: "llama.cpp",
    status: 400,
    says: {
      error: {
        code: 400,
        message:
          "the request exceeds the available context size. try increasing the context size or enable context shift",
        type: "exceed_context_size_error",
        n_prompt_tokens: 1407,
        n_ctx: 256,
      },
    },
    limit: 256,
  },
  {
    engine: "llama.cpp, while it generates",
    status: 500,
    says: {
      error: { code: 500, message: "Context size has been exceeded.", type: "server_error" },
    },
    limit: null,
  },
  {
    engine: "llama-cpp-python",
    status: 400,
    says: "This model's maximum context length is 512 tokens, however you requested 5643 tokens (643 in your prompt; 5000 for the completion). Please reduce your prompt; or completion length.",
    limit: 512,
  },
  {
    engine: "Ollama",
    status: 400,
    says: "the input length exceeds the context length",
    limit: null,
  },
  {
    engine: "LM Studio",
    status: 400,
    says: {
      error:
        "Trying to keep the first 15857 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input. Error Data: n/a, Additional Data: n/a",
    },
    limit: 4096,
  },
  {
    engine: "LM Studio 0.3.20",
    status: 400,
    says: {
      error:
        "The number of tokens to keep from the initial prompt is greater than the context length. Try to load the model with a larger context length, or provide a shorter input",
    },
    limit: null,
  },
  {
    engine: "LM Studio, while it generates",
    status: 400,
    says: "Reached context length of 4096 tokens with model (arch: qwen3vlmoe) that does not currently support mid-generation context overflow. Try reloading with a larger context length or shortening the prompt/chat.",
    limit: 4096,
  },
  {
    engine: "LM Studio with MLX",
    status: 400,
    says: "Cannot truncate prompt with n_keep (9236) >= n_ctx (8192)",
    limit: 8192,
  },
  {
    engine: "LocalAI",
    status: 500,
    says: "rpc error: code = InvalidArgument desc = request (1407 tokens) exceeds the available context size (256 tokens), try increasing it",
    limit: 256,
  },
  {
    engine: "Lemonade",
    status: 500,
    says: {
      detail: "Prompt tokens (2068) cannot be greater than the model's max prompt length (2000)",
    },
    limit: 2000,
  },
  {
    engine: "Lemonade over llama.cpp",
    status: 500,
    says: {
      error: {
        message: "llama-server request failed",
        type: "backend_error",
        details: {
          response: {
            error: {
              code: 400,
              message: "the request exceeds the available context size, try increasing it",
              type: "exceed_context_size_error",
              n_prompt_tokens: 1407,
              n_ctx: 256,
            },
          },
        },
      },
    },
    limit: 256,
  },
  {
    engine: "LiteLLM",
    status: 400,
    says: {
      error: {
        message:
          "litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: OpenAIException - This model's maximum context length is 16384 tokens. However, your request has 19427 input tokens. Please reduce the length of the input messages. (parameter=input_tokens, value=19427). Received Model Group=m\nAvailable Model Group Fallbacks=None",
        type: null,
        param: null,
        code: "400",
      },
    },
    limit: 16_384,
  },
  {
    engine: "LiteLLM over Anthropic",
    status: 400,
    says: `litellm.ContextWindowExceededError: AnthropicError - {"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 209303 tokens > 200000 maximum"}}`,
    limit: 200_000,
  },
  {
    engine: "OpenRouter",
    status: 400,
    says: {
      error: {
        message: "Provider returned error",
        code: 400,
        metadata: {
          raw: '{"error":{"message":"This model\'s maximum context length is 4096 tokens. However, you requested 5018 tokens (18 in the messages, 5000 in the completion)."}}',
          provider_name: "X",
        },
      },
    },
    limit: 4096,
  },
  {
    engine: "OpenAI, by its code",
    status: 400,
    says: {
      error: {
        message: "Your input does not fit.",
        type: "invalid_request_error",
        param: "messages",
        code: "context_length_exceeded",
      },
    },
    limit: null,
  },
  {
    engine: "OpenVINO",
    status: 400,
    says: {
      error:
        "Mediapipe execution failed. MP status - INVALID_ARGUMENT: Number of prompt tokens: 5000 exceeds model max length: 4096",
    },
    limit: 4096,
  },
  // servable.cpp of openvinotoolkit/model_server.
  {
    engine: "OpenVINO, with the answer",
    status: 400,
    says: {
      error:
        "Mediapipe execution failed. MP status - INVALID_ARGUMENT: Number of prompt tokens: 18 + max tokens value: 5000 exceeds model max length: 4096",
    },
    limit: 4096,
  },
  {
    engine: "OpenVINO, of a scheduler",
    status: 400,
    says: { error: "Input length exceeds pipeline capabilities: 5000 > 4096" },
    limit: 4096,
  },
  // async_engine.py of InternLM/lmdeploy.
  {
    engine: "LMDeploy",
    status: 400,
    says: {
      object: "error",
      message: "Input length (9000) must be smaller than the model context length (8192).",
      type: "invalid_request_error",
      code: "context_length_exceeded",
    },
    limit: 8192,
  },
  // errors.py of theroyallab/tabbyAPI.
  {
    engine: "TabbyAPI",
    status: 400,
    says: "Prompt length 9000 exceeds the available context size of 8192 tokens",
    limit: 8192,
  },
  {
    engine: "TabbyAPI, of its cache",
    status: 400,
    says: "Initial job allocation requires 9216 cache tokens, which exceeds the available context size of 8192 tokens",
    limit: 8192,
  },
  // NVIDIA/TensorRT-LLM#9277.
  {
    engine: "TensorRT-LLM",
    status: 400,
    says: "The sum of prompt length (9351.0), query length (0) should not exceed max_num_tokens (8192)",
    limit: 8192,
  },
  // raullenchai/Rapid-MLX#400.
  {
    engine: "Rapid-MLX",
    status: 500,
    says: "Total prompt tokens (11573) exceeds safe limit (2048) for 1 requests. Reduce prompt length or batch size",
    limit: 2048,
  },
  {
    engine: "OpenVINO, of a text to embed",
    status: 400,
    says: { error: "Input length 617 longer than allowed 512" },
    limit: 512,
  },
  {
    engine: "MLC",
    status: 400,
    says: "Request prompt has 2331 tokens in total, larger than the model input length limit 1366.",
    limit: 1366,
  },
  {
    engine: "ONNX Runtime",
    status: 500,
    says: "input sequence_length (5000) exceeds max_length (4096)",
    limit: 4096,
  },
  {
    engine: "Google",
    status: 400,
    says: "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).",
    limit: 1_048_576,
  },
  {
    engine: "Copilot",
    status: 400,
    says: "prompt token count of 70000 exceeds the limit of 64000",
    limit: 64_000,
  },
  {
    engine: "Moonshot",
    status: 400,
    says: "Invalid request: Your request exceeded model token limit: 8192",
    limit: 8192,
  },
  {
    engine: "DashScope",
    status: 400,
    says: "Range of input length should be [1, 30720]",
    limit: 30_720,
  },
  { engine: "Z.ai", status: 400, says: "Prompt exceeds max length", limit: null },
  {
    engine: "Foundry Local",
    status: 400,
    says: "Invalid request: request requires 5018 total tokens (18 input + 5000 output), which exceeds the model's maximum context length of 512 tokens",
    limit: 512,
  },
];

describeRefusals("CONTEXT_LENGTH_EXCEEDED", OVERFLOWS);

describe("the limit of a context", () => {
  it.each(OVERFLOWS.filter(({ limit }) => limit !== null))(
    "is named in the error and remembered, from the message of $engine: $says",
    async (refusal) => {
      const { url } = await chatEngine(() => json(bodyOf(refusal), refusal.status));
      const client = clientOf(url);
      await expect(
        client.complete({ prompt: "Hi", model: "m", maxTokens: 5000 }),
      ).rejects.toMatchObject({ message: expect.stringContaining(`${refusal.limit}`) });
      const { models } = await client.listModels();
      expect(models[0]).toMatchObject({ id: "m", contextLength: refusal.limit });
    },
  );
});

/** ollama/ollama#9782, home-assistant/core#139085, continuedev/continue#9528. */
describeRefusals("INSUFFICIENT_MEMORY", [
  {
    engine: "Ollama",
    status: 500,
    says: "model requires more system memory (9.6 GiB) than is available (5.4 GiB)",
  },
  {
    engine: "Ollama 0.30",
    status: 500,
    says: "llama-server reported out-of-memory during startup: cudaMalloc",
  },
  {
    engine: "Ollama on a GPU",
    status: 500,
    says: "llama runner process has terminated: CUDA error: out of memory",
  },
  {
    engine: "llama.cpp",
    status: 500,
    says: "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9216.00 MiB on device 0: cudaMalloc failed: out of memory",
  },
  {
    engine: "vLLM",
    status: 500,
    says: "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
  },
  {
    engine: "LM Studio",
    status: 400,
    says: 'Failed to load model "m". Error: Model loading was stopped due to insufficient system resources.',
  },
  {
    engine: "Foundry Local",
    status: 500,
    says: "Load failed: bfc_arena.cc:376 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool) Failed to allocate memory for requested buffer of size 1073741824",
  },
  {
    engine: "Foundry Local, of the cache of a generation (#435 of its toolkit)",
    status: 500,
    says: "Failed to handle OpenAI completion: Could not allocate the key-value cache buffer of shape: [batch_size (1), num_key_value_heads (8), max_length (27286), head_size (128)] for 28 layers. Try reducing the max_length requested or reducing the batch size.",
  },
  { engine: "a C++ engine", status: 500, says: "std::bad_alloc" },
  {
    engine: "a C++ engine on Windows",
    status: 500,
    says: "Failed loading model m\nbad allocation",
  },
  { engine: "Direct3D", status: 500, says: "CreateCommittedResource failed: E_OUTOFMEMORY" },
  {
    engine: "MLX",
    status: 500,
    says: "[metal::malloc] Attempting to allocate 17177772096 bytes which is greater than the maximum allowed buffer size of 14302248960 bytes.",
  },
  {
    engine: "llama.cpp with Vulkan",
    status: 500,
    says: "vk::Device::allocateMemory: ErrorOutOfDeviceMemory",
  },
  { engine: "OpenVINO", status: 500, says: "[GPU] out of GPU resources" },
  {
    engine: "Docker Model Runner",
    status: 507,
    says: "model requires more memory than available: 12GB RAM and 12GB VRAM required",
  },
  {
    engine: "an engine on Windows",
    status: 500,
    says: "The paging file is too small for this operation to complete. (os error 1455)",
  },
]);

describeRefusals("MODEL_NOT_FOUND", [
  {
    engine: "vLLM",
    status: 404,
    says: { object: "error", message: "The model `m` does not exist.", type: "NotFoundError" },
  },
  { engine: "Ollama", status: 404, says: 'model "m" not found, try pulling it first' },
  {
    engine: "LM Studio",
    status: 400,
    says: 'Invalid model identifier "m". Please specify a valid downloaded model (e.g. "phi-4").',
  },
  {
    engine: "LiteLLM",
    status: 400,
    says: "/chat/completions: Invalid model name passed in model=m. Call `/v1/models` to view available models for your key.",
  },
  {
    engine: "OpenAI, by its code",
    status: 404,
    says: { error: { message: "You have no access to it.", code: "model_not_found" } },
  },
  { engine: "FastAPI", status: 404, says: { detail: "Unknown model: m" } },
  { engine: "DeepSeek", status: 400, says: "Model Not Exist" },
  { engine: "OpenRouter", status: 400, says: "m is not a valid model ID" },
  { engine: "Mistral", status: 400, says: "Invalid model: m" },
  { engine: "llama-swap", status: 400, says: "could not find real modelID for m" },
  ...["no router", "no local server found", "no peer found"].map((what) => ({
    engine: "llama-swap of 2026",
    status: 404,
    says: `${what} for requested model`,
  })),
  {
    engine: "TabbyAPI",
    status: 400,
    says: "Could not find the model path for load. Check model name or config.yml?",
  },
  {
    engine: "exo, by the model",
    status: 404,
    says: { error: { message: "No instance found for model m", code: 404 } },
  },
  // server.cpp of lemonade-sdk/lemonade, status.cpp of openvinotoolkit/model_server.
  {
    engine: "Lemonade, of one that is too large, by the model",
    status: 404,
    says: "Model 'm' is not available on this system. This model requires approximately 20.0 GB of memory, but your system only has 16.0 GB of RAM.",
  },
  {
    engine: "OpenVINO",
    status: 404,
    says: { error: "Mediapipe graph definition with requested name is not found" },
  },
  { engine: "OpenRouter, by the model", status: 404, says: "No endpoints found for m." },
  {
    engine: "mlx-lm, by the model",
    status: 404,
    says: "404 Client Error. Repository Not Found for url: https://huggingface.co/api/models/m/revision/main.",
  },
]);

describeRefusals("MODEL_CANNOT_CHAT", [
  { engine: "Ollama", status: 400, says: '"all-minilm:latest" does not support chat' },
  {
    engine: "vLLM",
    status: 400,
    says: "The model does not support Chat Completions API",
  },
  {
    engine: "OpenAI",
    status: 404,
    says: "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use v1/completions?",
  },
  {
    engine: "vLLM without a template",
    status: 400,
    says: "As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat template if the tokenizer does not define one.",
  },
  {
    engine: "llama.cpp",
    status: 501,
    says: "This server does not support completions. Start it without `--embeddings`",
  },
  { engine: "another", status: 400, says: "m is an embedding model" },
]);

/** docker/model-runner#479, mostlygeek/llama-swap#92; ollama/ollama#14636, #9209, #14491; thushan/olla#79; server-models.cpp of llama.cpp. */
describeRefusals("LOAD_FAILED", [
  {
    engine: "Ollama",
    status: 500,
    says: "unable to load model: /usr/share/ollama/.ollama/models/blobs/sha256-ed12a4674d727a74ac4816c906094ea9d3119fbea46ca93288c3ce4ffbe38c55",
  },
  {
    engine: "Ollama, after five minutes",
    status: 500,
    says: "timed out waiting for llama runner to start - progress 0.00 - ",
  },
  {
    engine: "Ollama 0.30, after five minutes",
    status: 500,
    says: "timed out waiting for llama-server to start - ",
  },
  {
    engine: "Ollama 0.17",
    status: 500,
    says: "model failed to load, this may be due to resource limitations or an internal error, check ollama server logs for details",
  },
  {
    engine: "Ollama 0.12",
    status: 500,
    says: 'do load request: Post "http://127.0.0.1:57125/load": EOF',
  },
  {
    engine: "the router of llama.cpp",
    status: 500,
    says: "model name=ggml-org/gemma-3-4b-it-GGUF:Q4_K_M failed to load",
  },
  {
    engine: "Docker Model Runner",
    status: 500,
    says: "unable to load runner: error waiting for runner to be ready: llama.cpp terminated unexpectedly",
  },
  {
    engine: "llama-swap",
    status: 502,
    says: "unable to start process: upstream command exited prematurely but successfully",
  },
  // internal/process/process_command.go of mostlygeek/llama-swap.
  ...[
    "upstream command exited prematurely",
    "[m] upstream exited unexpectedly",
    "health check timed out after 2m0s",
    "failed to start command 'llama-server -m x.gguf': file does not exist",
  ].map((reason) => ({
    engine: "llama-swap of 2026",
    status: 500,
    says: { error: { message: `unspecific error: ${reason}`, type: "server_error" } },
  })),
]);

describeRefusals("MODEL_NOT_LOADED", [
  {
    engine: "LM Studio",
    status: 404,
    says: "No models loaded. Please load a model in the developer page or use the 'lms load' command.",
  },
  { engine: "LM Studio, unloaded since", status: 400, says: { error: "Model unloaded." } },
  { engine: "Lemonade", status: 400, says: { detail: "No model is loaded" } },
  // src-tauri/src/core/server/proxy.rs of janhq/jan: of a model that is there, and where none is loaded.
  { engine: "Jan", status: 404, says: "No running session found for model 'm'" },
  { engine: "Jan", status: 503, says: "No models are available" },
  { engine: "Foundry Local", status: 400, says: "Model not loaded: 'm' must be loaded before" },
  { engine: "another", status: 500, says: "Model m is not currently loaded." },
  { engine: "Nitro", status: 409, says: "Model has not been loaded, please load model into nitro" },
]);

describe("a model that is not loaded", () => {
  it("has an error without `loadModel`, which engines do not support", async () => {
    const { url } = await chatEngine(() => json({ error: "No models loaded." }, 404));
    await expect(clientOf(url).complete({ prompt: "Hi", model: "m" })).rejects.toMatchObject({
      code: "MODEL_NOT_LOADED",
      action: expect.not.stringContaining("loadModel"),
    });
  });

  it("has such an error also where it was unloaded during its answer", async () => {
    const begun = { choices: [{ delta: { content: "Hel" } }] };
    const { url } = await chatEngine(() => events(begun, { error: "Model unloaded." }));
    await expect(clientOf(url).complete({ prompt: "Hi", model: "m" })).rejects.toMatchObject({
      code: "MODEL_NOT_LOADED",
      action: expect.not.stringContaining("loadModel"),
    });
  });

  it("has such an error for a text to embed, which TabbyAPI refuses with 503", async () => {
    const refusal = json({ detail: "No embedding models are currently loaded." }, 503);
    const { url, chats } = await chatEngine(() => refusal);
    await expect(clientOf(url).embed(["Hi"], { model: "m" })).rejects.toMatchObject({
      code: "MODEL_NOT_LOADED",
      action: expect.not.stringContaining("loadModel"),
    });
    expect(chats).toHaveLength(1);
  });
});

describeRefusals("UNAUTHORIZED", [
  { engine: "OpenAI", status: 401, says: "Incorrect API key provided: sk-1234." },
  {
    engine: "LiteLLM",
    status: 401,
    says: "Authentication Error, Invalid API key passed. Unable to find token in cache",
  },
  { engine: "Google", status: 400, says: "API key not valid. Please pass a valid API key." },
  { engine: "llama.cpp", status: 401, says: "Invalid API Key" },
  {
    engine: "another",
    status: 403,
    says: { error: { message: "no", type: "authentication_error" } },
  },
]);

describe("a wrong key, where the list of models needs none", () => {
  it("is what the health check advises to correct", async () => {
    const { url } = await chatEngine(() => json({ error: "Invalid API Key" }, 401));
    const client = clientOf(url);
    await expect(client.complete({ prompt: "Hi", model: "m" })).rejects.toThrow();
    expect(await client.healthCheck()).toMatchObject({
      status: "degraded",
      problems: [
        {
          what: expect.stringContaining("UNAUTHORIZED"),
          fix: "Check the option `apiKey` and the option `headers`.",
        },
      ],
    });
  });
});

/**
 * ollama/ollama#9782, #14657, #16645; continuedev/continue#10984; lmstudio-ai/lmstudio-bug-tracker#1620;
 * mudler/LocalAI#2120, #3888.
 */
describeRefusals("INFERENCE_FAILED", [
  {
    engine: "Ollama",
    status: 500,
    says: "llama runner process has terminated: exit status 0xc0000409",
  },
  { engine: "an older Ollama", status: 500, says: "llama runner process no longer running: 2" },
  {
    engine: "Ollama 0.30",
    status: 500,
    says: "llama-server process has terminated: exit status 0xe06d7363: NTSTATUS 0xe06d7363",
  },
  {
    engine: "Ollama, in the middle of a request",
    status: 500,
    says: "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, check ollama server logs for details",
  },
  {
    engine: "LM Studio",
    status: 400,
    says: {
      error:
        "The model has crashed without additional information. (Exit code: 18446744072635810000)",
    },
  },
  { engine: "vLLM", status: 500, says: "EngineDeadError: see the stack above" },
  {
    engine: "LocalAI",
    status: 500,
    says: "rpc error: code = Unavailable desc = error reading from server: EOF",
  },
  {
    engine: "Ollama, of embeddings",
    status: 500,
    says: "failed to encode response: json: unsupported value: NaN",
  },
  { engine: "vLLM 0.6", status: 500, says: "Engine process has died." },
]);

// relay/helper/price.go of QuantumNous/new-api.
describeRefusals("INVALID_REQUEST", [
  {
    engine: "New API",
    status: 500,
    says: {
      error: {
        message:
          "模型 m 倍率或价格未配置，请联系管理员设置或开始自用模式；Model m ratio or price not set, please set or start self-use mode (request id: 2026)",
        type: "new_api_error",
        param: "",
        code: "model_price_error",
      },
    },
  },
]);

describe("an unknown error inside a 200", () => {
  it.each([
    ["without a type", { message: "the flux is off" }, 1],
    ["with an unknown type", { message: "the flux is off", type: "flux_error" }, 1],
    ["as a string", "the flux is off", 1],
    ["of the server, by its type", { message: "the flux is off", type: "server_error" }, 3],
    ["of the server, by its status", { message: "the flux is off", code: 500 }, 3],
    // streaming_proxy.cpp of lemonade-sdk/lemonade.
    ["of Lemonade", { message: "flux is off", type: "backend_error", status_code: 503 }, 3],
    ["of its caller", { message: "flux is off", type: "backend_error", status_code: 400 }, 1],
    ["that is busy by its words", { message: "the server is busy, flux is off" }, 3],
    ["of the caller", { message: "the flux is off", type: "invalid_request_error" }, 1],
  ])("%s is retried if its message allows it", async (_what, error, requests) => {
    for (const answer of [events({ error }), json({ error })]) {
      const { url, chats } = await chatEngine(() => answer);
      await expect(clientOf(url).complete({ prompt: "Hi", model: "m" })).rejects.toMatchObject({
        message: expect.stringContaining("flux is off"),
        retryable: requests > 1,
      });
      expect(chats).toHaveLength(requests);
    }
  });
});

describe("a refusal that contains a time to wait", () => {
  it.each([429, 503])("above the maximum, with a %i, is not retried", async (status) => {
    const headers = { "content-type": "application/json", "retry-after": "90" };
    const body = JSON.stringify({ error: { message: "Rate limit reached" } });
    const { url, chats } = await chatEngine(() => ({ status, headers, body }));
    await expect(clientOf(url).complete({ prompt: "Hi", model: "m" })).rejects.toMatchObject({
      code: "SERVICE_BUSY",
      retryAfterMs: 90_000,
      action: "Try again in 90 s.",
    });
    expect(chats).toHaveLength(1);
  });

  it.each([
    ["No deployments available for selected model, Try again in 60 seconds.", 60_000],
    ["Rate limit reached for m. Please try again in 1m30s.", 90_000],
    ["Rate limit reached for m. Please try again in 20.5s.", 20_500],
    ["Too many requests, retry after 2 minutes", 120_000],
    ["Too many requests, please try again in 11 min", 660_000],
  ])("only in its message is not retried: %s", async (message, retryAfterMs) => {
    const { url, chats } = await chatEngine(() => json({ error: { message } }, 429));
    const options = { retry: { retries: 3 } };
    await expect(
      clientOf(url, options).complete({ prompt: "Hi", model: "m" }),
    ).rejects.toMatchObject({ code: "SERVICE_BUSY", retryAfterMs });
    expect(chats).toHaveLength(1);
  });

  it.each([
    [429, "You exceeded your current quota, please check your plan and billing details.", null],
    [429, "Budget has been exceeded! Current cost: 10, Max budget: 5", null],
    // New API, Z.ai, DeepSeek and OpenRouter behind a router.
    [403, "用户额度不足, 剩余额度: $0.000000", "insufficient_user_quota"],
    [403, "User's credit limit is insufficient", "insufficient_user_quota"],
    [403, "pre-consume token quota failed", "pre_consume_token_quota_failed"],
    [429, "Insufficient balance or no resource package. Please recharge.", "1113"],
    [402, "Insufficient Balance", "invalid_request_error"],
    [402, "This request requires more credits, or fewer max_tokens.", 402],
    [400, "Your credit balance is too low to access the API.", null],
    // Models of Ollama's cloud (https://github.com/continuedev/continue/issues/11444, 9233).
    [429, "you (a) have reached your session usage limit, upgrade for higher limits", null],
    [429, "you've reached your hourly usage limit, please wait or upgrade to continue", null],
  ])("is not waited for where the quota is used up: %i %s", async (status, message, code) => {
    const { url, chats } = await chatEngine(() => json({ error: { message, code } }, status));
    await expect(clientOf(url).complete({ prompt: "Hi", model: "m" })).rejects.toMatchObject({
      code: "SERVICE_BUSY",
      message: expect.stringContaining("The quota is used up. It said: "),
      retryable: false,
    });
    expect(chats).toHaveLength(1);
  });
});

it("words of an answer that the engine could not parse are no quota", async () => {
  const message = "Failed to parse input at pos 12: The transfer failed: insufficient funds.";
  const { url } = await chatEngine(() => json({ error: { message } }, 500));
  await expect(clientOf(url).complete({ prompt: "Hi", model: "m" })).rejects.toMatchObject({
    code: "INFERENCE_FAILED",
  });
});

describe("a JSON body that is no completion", () => {
  it.each([
    ["an empty list", []],
    ["choices as an object", { choices: { message: { content: "Hi" } } }],
    ["choices of words", { choices: "none" }],
    ["a list of numbers", [1, 2]],
    ["no choice", { choices: [] }],
  ])("is requested once: %s", async (_what, body) => {
    const { url, chats } = await chatEngine(() => json(body));
    await expect(clientOf(url).complete({ prompt: "Hi", model: "m" })).rejects.toMatchObject({
      code: "INVALID_RESPONSE",
      retryable: false,
      message: expect.not.stringContaining("stream"),
    });
    expect(chats).toHaveLength(1);
  });
});
