import type { ErrorCode } from "../../lib/index.js";
import { TEMPLATE_FAILS } from "./refusal-words.js";

/** The operation that failed, and its model. */
export interface Subject {
  readonly doing: "chat" | "embed" | "load" | "unload" | "download" | "other";
  /** The model's exact id. */
  readonly model?: string;
  /** Its alias or name. */
  readonly shortName?: string;
}

interface Rule {
  readonly pattern: RegExp;
  /** Must match too. Not one expression: `.*` between the two takes quadratic time. */
  readonly also?: RegExp;
  readonly code: ErrorCode;
  /** `said`: the words of the service as a sentence, preceded by a space; empty where there are none. */
  readonly message: (model: string, said: string) => string;
  readonly action: string | ((shortName: string) => string);
  /** The operation for which the pattern means something else. */
  readonly except?: Subject["doing"];
}

/**
 * A download may be gigabytes, so it never starts unless requested. `MissingModels` replaces this by
 * what is possible on the service.
 */
export const downloadAdvice = (shortName: string): string =>
  `Download ${shortName} first, or choose a downloaded model from \`listModels\`.`;

const couldNotLoad = (model: string, said: string): string =>
  `The service could not load ${model}.${said}`;

export const noModel = (model: string): string => `The service has no model ${model}.`;
export const CHOOSE_MODEL = "Choose one that `listModels` shows.";

/** The first rule that matches decides. */
export const RULES: readonly Rule[] = [
  {
    // ONNX Runtime says it of a model that was compiled for a provider it does not have (#260), and GenAI
    // the last two below core 2.0.
    pattern:
      /which is not registered|DownloadAndRegisterEps|implementation for EPContext|execution provider is not supported in this build|interface not available: failed to load library/i,
    code: "EP_UNAVAILABLE",
    message: (model) => `${model} needs an execution provider that is not installed here.`,
    action: "Choose a variant for another device, such as the one that ends in -generic-cpu.",
  },
  {
    pattern:
      /more system memory|out[ _-]?of[ _-]?(?:(?:device|host)[ _]?)?memory|\bOOM\b|bad[_ ]alloc|(?:failed to|unable to|could not) allocate|paging file is too small|out of GPU resources|CL_OUT_OF_RESOURCES|maximum allowed buffer size|requires more memory|cudaMalloc failed|CUBLAS_STATUS_ALLOC_FAILED|(?:insufficient|not enough)(?: \w+){0,2} (?:memory|v?ram|resources)/i,
    code: "INSUFFICIENT_MEMORY",
    message: (model, said) => `${model} needs more memory than is free.${said}`,
    action:
      "Unload another model or restart the service, close programs, or choose a smaller model, a smaller variant or a shorter prompt.",
  },
  {
    pattern:
      /not support (?:the )?(?:chat|generate|completions?\b)|not a chat model|only supports? embedding|is an? (?:text[- ])?(?:embedding|re-?rank(?:er|ing)|speech|image)s? model|provide a chat template|(?:no|not have a) chat template|chat_template is not set|(?:empty|unsupported) chat template/i,
    except: "load",
    code: "MODEL_CANNOT_CHAT",
    message: (model, said) => `${model} is not a model for completions.${said}`,
    action: "Choose a model that can chat from `listModels`.",
  },
  {
    // Core 2, llama.cpp without its projector, vLLM, Ollama, LM Studio, mlx-lm, engines in Rust, GPT4All.
    pattern:
      /image input is not supported|vision (?:add-on|model) is not loaded|only 'text' content type|unknown variant ['"`]image_url|(?:not|requires) a multimodal model|at most 0 image|not support (?:image|vision)|missing data required for image|not of type 'string' - 'content'/i,
    except: "load",
    code: "MODEL_CANNOT_SEE",
    message: (model, said) => `${model} takes no images.${said}`,
    action: "Leave the images out, or name a model that takes images.",
  },
  {
    // vLLM and Ollama say it of the model, llama.cpp of the way that it was started.
    pattern:
      /not support (?:the )?embeddings?\b|(?:is )?not an embeddings? model|output 'hidden_states' was not found/i,
    except: "load",
    code: "MODEL_CANNOT_EMBED",
    message: (model, said) => `${model} makes no embeddings.${said}`,
    action: "Choose an embedding model from `listModels`, or start the engine so that it has one.",
  },
  {
    // Ollama, LM Studio, vLLM and LocalAI run a model in a process of its own.
    pattern:
      /(?<!load model: )rpc error: code = Unavailable desc = error reading from server: EOF|(?:runner|llama-server) process (?:has terminated|no longer running)|runner has unexpectedly stopped|model has crashed|EngineDeadError|engine (?:core|process) (?:is dead|has died)/i,
    except: "load",
    code: "INFERENCE_FAILED",
    message: (model, said) => `The process of ${model} ended on this request.${said}`,
    action: "Ask for less, use another model, or look into the log of that engine.",
  },
  {
    // Ollama, whose JSON has no place for it, with some texts for bge-m3 and others.
    pattern: /json: unsupported value: (?:NaN|[+-]Inf)/i,
    code: "INFERENCE_FAILED",
    message: (model, said) => `${model} gave a vector with NaN or an infinite number.${said}`,
    action: "Give other texts, update the engine, or use another model.",
  },
  {
    // LM Studio, of more texts than its llama.cpp has room for.
    pattern: /llama_decode returned -?\d/i,
    except: "chat",
    code: "INVALID_REQUEST",
    message: (model, said) => `${model} has no room for these texts.${said}`,
    action: "Give shorter texts, or load the model with a longer context.",
  },
  {
    // C2 from 2.1, where the token limit ends the answer in a call.
    pattern: /tool-?call output was interrupted/i,
    code: "INFERENCE_FAILED",
    message: (model, said) => `${model} was cut off in a call of a tool.${said}`,
    action: "Ask again with a larger `maxTokens`.",
  },
  {
    // Of GenAI, about a model that is newer (#706). The legacy service loads a model for a chat, too.
    pattern: /failed loading model|\bload failed:/i,
    also: /unknown value|unsupported model_type/i,
    code: "LOAD_FAILED",
    message: couldNotLoad,
    action:
      "The model is probably newer than the service: update Foundry Local, or choose another.",
  },
  {
    // Core 2 of a model that was deleted after it had looked for its models.
    pattern: /\bload failed:/i,
    also: /model not found at path/i,
    code: "MODEL_NOT_CACHED",
    message: (model) => `${model} is not downloaded any more.`,
    action: downloadAdvice,
  },
  {
    // Behind "Load failed:", core 2 uses the words of the next rule, too.
    pattern: /failed loading model|\bload failed:/i,
    code: "LOAD_FAILED",
    message: couldNotLoad,
    action:
      "See the service's log; another variant, a fresh download or a newer version of the service may help.",
  },
  {
    // LocalAI, Docker Model Runner, llama-swap, Ollama and the router of llama.cpp, whose backends load the model.
    pattern:
      /could not load (?:the )?model|failed to load (?:the )?model(?! vocabulary required)|model (?:\S+ )?failed to load|unable to load (?:the )?(?:model|runner)|unable to start process|failed to start command|upstream (?:command )?exited (?:prematurely|unexpectedly)|health check timed out|\bdo load request\b|waiting for llama(?: runner|-server) to start/i,
    code: "LOAD_FAILED",
    message: couldNotLoad,
    action: "See the service's log, or choose another model.",
  },
  {
    // LiteLLM, with 500, where HAProxy and others answer 502 or 503.
    pattern: /Exception - Connection error\b/i,
    code: "SERVICE_BUSY",
    message: (model, said) => `The router reaches no service for ${model}.${said}`,
    action: "Check that a service behind the router is running, then try again.",
  },
  {
    // LM Studio answers a path that it does not serve so, with 200.
    pattern: /unexpected endpoint or method/i,
    code: "UNSUPPORTED_BY_SERVER",
    message: (_model, said) => `This service cannot do that.${said}`,
    action: "Check the address in the option `endpoint`, or update the service.",
  },
  {
    pattern: /model not cached|must be downloaded before/i,
    code: "MODEL_NOT_CACHED",
    message: (model) => `${model} is not downloaded.`,
    action: downloadAdvice,
  },
  {
    // A load can fail because a native library is "not loaded".
    pattern:
      /not (?:currently |been )?loaded|must be loaded before|no (?:embeddings? )?models? (?:is |are )?(?:currently )?loaded|model (?:is |was |has been )?unloaded|no running session found|^no models are available$/im,
    except: "load",
    code: "MODEL_NOT_LOADED",
    message: (model) => `${model} is not loaded.`,
    action: "Load it with `loadModel`, then try again.",
  },
  {
    pattern:
      /model not found|no model matching|model \S+ (?:does not exist|(?:is |was )?not found)|model_not_found|model not exist|could not find (?:the |a |real )?model(?! file)|not a valid model (?:id|name)|invalid model(?:: \S+(?:\n|$)| name| identifier| id)|unknown model\b|no such model|no model (?:named|called)|with requested name is not found|no (?:router|local server|peer) (?:found )?for requested model/i,
    code: "MODEL_NOT_FOUND",
    message: noModel,
    action: CHOOSE_MODEL,
  },
  {
    pattern: /no openaiservice provider found/i,
    code: "MODEL_NOT_CACHED",
    message: (model) => `${model} is not downloaded, or the service does not know it.`,
    action: downloadAdvice,
  },
  {
    pattern: /cannot unload model|session\(s\) still using/i,
    code: "MODEL_BUSY",
    message: (model) => `${model} is in use, so it cannot be unloaded now.`,
    action:
      "Wait until its completions have ended, then try again. Older versions of Foundry Local also finish those that were cancelled.",
  },
  {
    // New API, which answers 500 for each model that was added without a price, such as a local one.
    pattern: /ratio or price not set|model_price_error/i,
    code: "INVALID_REQUEST",
    message: (model, said) => `The gateway has no price for ${model}.${said}`,
    action: "Set a price for the model in the gateway, or turn on its self-use mode.",
  },
  {
    // The templates of Gemma and Mistral, and of Qwen, which refuses messages without one of the user.
    pattern: /roles must alternate|no user query found/i,
    except: "load",
    code: "INVALID_REQUEST",
    message: (model, said) => `${model} takes no messages in this order.${said}`,
    action: "Begin `messages` with one of the user, and let user and assistant alternate.",
  },
  {
    // llama.cpp, which answers 500.
    pattern: TEMPLATE_FAILS,
    except: "load",
    code: "INVALID_REQUEST",
    message: (model, said) => `The chat template of ${model} fails on this request.${said}`,
    action:
      "Update the engine or the file of the model, or start the engine with another chat template.",
  },
];
