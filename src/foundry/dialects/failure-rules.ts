import { type ErrorCode, SEARCHED_OF_MESSAGE, truncate } from "../../lib/index.js";
import { sanitizeMessage } from "./sanitize-message.js";

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
  /** `said`: the words of the service as a sentence behind a blank; empty where there are none. */
  readonly explain: (
    model: string,
    shortName: string,
    said: string,
  ) => { message: string; action: string };
  /** The operation for which the pattern means something else. */
  readonly except?: Subject["doing"];
}

/** What LiteLLM without a database says of a wrong key, with 400. */
export const NO_DATABASE = /\bno connected db\b/i;

/** The first rule that matches decides. */
export const RULES: readonly Rule[] = [
  {
    pattern: /which is not registered|DownloadAndRegisterEps/i,
    code: "EP_UNAVAILABLE",
    explain: (model) => ({
      message: `${model} needs an execution provider that is not installed here.`,
      action: "Choose a variant for another device, such as the one that ends in -generic-cpu.",
    }),
  },
  {
    pattern:
      /more system memory|out of memory|\bOOM\b|bad_alloc|failed to allocate|unable to allocate|cudaMalloc failed|CUBLAS_STATUS_ALLOC_FAILED|(?:insufficient|not enough)(?: \w+){0,2} (?:memory|v?ram|resources)/i,
    code: "INSUFFICIENT_MEMORY",
    explain: (model, _shortName, said) => ({
      message: `${model} needs more memory than is free.${said}`,
      action:
        "Unload another model, close programs, or choose a smaller model, a smaller variant or a shorter prompt.",
    }),
  },
  {
    pattern:
      /not support (?:the )?(?:chat|generate|completions?\b)|not a chat model|only supports? embedding|is an? (?:text[- ])?(?:embedding|re-?rank(?:er|ing)|speech|image)s? model|provide a chat template|(?:no|not have a) chat template|chat_template is not set/i,
    except: "load",
    code: "MODEL_CANNOT_CHAT",
    explain: (model, _shortName, said) => ({
      message: `${model} is not a model for completions.${said}`,
      action: "Choose a model that can chat from `listModels`.",
    }),
  },
  {
    // llama.cpp without its projector, vLLM, Ollama, LM Studio.
    pattern:
      /image input is not supported|not a multimodal model|at most 0 image|not support (?:image|vision)|missing data required for image/i,
    except: "load",
    code: "MODEL_CANNOT_SEE",
    explain: (model, _shortName, said) => ({
      message: `${model} takes no images.${said}`,
      action: "Leave the images out, or name a model that takes images.",
    }),
  },
  {
    // vLLM and Ollama say it of the model, llama.cpp of the way that it was started.
    pattern:
      /not support (?:the )?embeddings?\b|(?:is )?not an embeddings? model|output 'hidden_states' was not found/i,
    except: "load",
    code: "MODEL_CANNOT_EMBED",
    explain: (model, _shortName, said) => ({
      message: `${model} makes no embeddings.${said}`,
      action:
        "Choose an embedding model from `listModels`, or start the engine so that it has one.",
    }),
  },
  {
    // Ollama, LM Studio and vLLM run a model in a process of its own.
    pattern:
      /runner process (?:has terminated|no longer running)|model has crashed|EngineDeadError|engine (?:core|process) (?:is dead|has died)/i,
    except: "load",
    code: "INFERENCE_FAILED",
    explain: (model, _shortName, said) => ({
      message: `The process of ${model} ended on this request.${said}`,
      action: "Ask for less, use another model, or look into the log of that engine.",
    }),
  },
  {
    // C2 from 2.1, where the token limit ends the answer in a call.
    pattern: /tool-?call output was interrupted/i,
    code: "INFERENCE_FAILED",
    explain: (model, _shortName, said) => ({
      message: `${model} was cut off in a call of a tool.${said}`,
      action: "Ask again with a larger `maxTokens`.",
    }),
  },
  {
    // The legacy service, also for a chat, which loads the model. The model is newer (#706).
    pattern: /failed loading model/i,
    also: /unknown value/i,
    code: "LOAD_FAILED",
    explain: (model, _shortName, said) => ({
      message: `The service could not load ${model}.${said}`,
      action:
        "The model is probably newer than the service: update Foundry Local, or choose another.",
    }),
  },
  {
    pattern: /failed loading model/i,
    code: "LOAD_FAILED",
    explain: (model, _shortName, said) => ({
      message: `The service could not load ${model}.${said}`,
      action:
        "See the service's log; another variant, a fresh download or a newer version of the service may help.",
    }),
  },
  {
    // LocalAI, whose backends load the model.
    pattern: /could not load (?:the )?model|failed to load (?:the )?model/i,
    code: "LOAD_FAILED",
    explain: (model, _shortName, said) => ({
      message: `The service could not load ${model}.${said}`,
      action: "See the service's log, or choose another model.",
    }),
  },
  {
    // LiteLLM, with 500, where HAProxy and others answer 502 or 503.
    pattern: /Exception - Connection error\b/i,
    code: "SERVICE_BUSY",
    explain: (model, _shortName, said) => ({
      message: `The router reaches no service for ${model}.${said}`,
      action: "Check that a service behind the router is running, then try again.",
    }),
  },
  {
    // LM Studio answers a path that it does not serve so, with 200.
    pattern: /unexpected endpoint or method/i,
    code: "UNSUPPORTED_BY_SERVER",
    explain: (_model, _shortName, said) => ({
      message: `This service cannot do that.${said}`,
      action: "Check the address in the option `endpoint`, or update the service.",
    }),
  },
  {
    pattern: /model not cached|must be downloaded before/i,
    code: "MODEL_NOT_CACHED",
    explain: (model, shortName) => ({
      message: `${model} is not downloaded.`,
      action: downloadAdvice(shortName),
    }),
  },
  {
    // A load can fail because a native library is "not loaded".
    pattern:
      /not (?:currently )?loaded|must be loaded before|no models? (?:is |are )?(?:currently )?loaded|model (?:is |was |has been )?unloaded/i,
    except: "load",
    code: "MODEL_NOT_LOADED",
    explain: (model) => ({
      message: `${model} is not loaded.`,
      action: "Load it with `loadModel`, then try again.",
    }),
  },
  {
    pattern:
      /model not found|no model matching|model \S+ (?:does not exist|(?:is |was )?not found)|model_not_found|invalid model (?:name|identifier|id)\b|unknown model\b|no such model|no model (?:named|called)/i,
    code: "MODEL_NOT_FOUND",
    explain: (model) => ({
      message: `The service has no model ${model}.`,
      action: "Choose one that `listModels` shows.",
    }),
  },
  {
    pattern: /no openaiservice provider found/i,
    code: "MODEL_NOT_CACHED",
    explain: (model, shortName) => ({
      message: `${model} is not downloaded, or the service does not know it.`,
      action: downloadAdvice(shortName),
    }),
  },
  {
    pattern: /cannot unload model|session\(s\) still using/i,
    code: "MODEL_BUSY",
    explain: (model) => ({
      message: `${model} is in use, so it cannot be unloaded now.`,
      action:
        "Wait until its completions have ended, then try again. Older versions of Foundry Local also finish those that were cancelled.",
    }),
  },
];

/**
 * A download may be gigabytes, so it never starts unless requested. `MissingModels` replaces this by
 * what is possible on the service.
 */
export const downloadAdvice = (shortName: string): string =>
  `Download ${shortName} first, or choose a downloaded model from \`listModels\`.`;

export const LOAD_ADVICE =
  "See the service's log (`foundry server logs`); another variant, a fresh download or a newer Foundry Local may help.";

/** The words of a service for people. */
export const cleaned = (message: string): string =>
  sanitizeMessage(truncate(message, SEARCHED_OF_MESSAGE));

export const hasWords = (text: string): boolean => /[\p{L}\p{N}]/u.test(text);

/** The words of a service as a sentence behind a blank; empty where nothing is left to show. */
export function saidBy(message: string): string {
  const words = cleaned(message);
  return hasWords(words) ? ` It said: ${words}` : "";
}
