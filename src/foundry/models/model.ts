/** A model as the service and the files beside it describe it. `null` is unknown. */
export interface ModelInfo {
  /** The exact string that completions are asked for with, such as `phi-4-mini-instruct-generic-cpu:5`. */
  readonly id: string;
  /** The short name people use, shared by the variants of a model, such as `phi-4-mini`. */
  readonly alias: string | null;
  /** The id without its version. */
  readonly name: string;
  readonly version: number | null;
  readonly downloaded: boolean | null;
  readonly loaded: boolean | null;
  /** Size on disk in MB (1024 KB). */
  readonly sizeMb: number | null;
  readonly device: Device | null;
  readonly executionProvider: string | null;
  /** As the catalog words it: `chat-completion`, `embeddings`, `automatic-speech-recognition` … */
  readonly task: string | null;
  /** Tokens of prompt and answer together that the service really allows. */
  readonly contextLength: number | null;
  readonly maxOutputTokens: number | null;
  readonly toolCalling: boolean | null;
  readonly vision: boolean | null;
  readonly license: string | null;
}

export type Device = "cpu" | "gpu" | "npu";

/**
 * C2 from 2.1 on serves two families of routes, the public catalog and the models registered by the
 * user, each with its own list (docs/foundry-local.md, section 1). Elsewhere all are `public`.
 */
export type Family = "public" | "local";

/** A model and the family of its routes, as dialects need it. */
export interface KnownModel extends ModelInfo {
  readonly family: Family;
}

/** A model as a service lists it. */
export interface ListedModel {
  /** As listed; C1 leaves the version out. */
  readonly id: string;
  readonly alias: string | null;
  readonly family: Family;
  /** Whether being listed means being downloaded: on C1 it does, on C2 it says nothing. */
  readonly downloaded: boolean | null;
  readonly contextLength: number | null;
  /** Further facts in its list; S gives most of them. */
  readonly details?: ModelDetails;
}

/** Members as in `ModelInfo`; absent or `null` is unknown. */
export type ModelDetails = Partial<
  Pick<
    ModelInfo,
    | "sizeMb"
    | "device"
    | "executionProvider"
    | "task"
    | "maxOutputTokens"
    | "toolCalling"
    | "vision"
    | "license"
  >
>;

export type LoadedModel = Pick<KnownModel, "id" | "family">;

/** The name that stands for any model that can do what a request needs. */
export const AUTO = "auto";

/** Tasks of models that answer chat completions; `coding` is a task of core 2.3 and later. */
const CHAT_TASK = /chat|text-generation|completion|^coding$/i;

/** Families of embedding models, each as a whole word of a name, digits behind it allowed. */
const EMBEDDERS =
  /(?:all-)?minilm|all-mpnet|m3e|text2vec|paraphrase-(?:multilingual|minilm|mpnet)|sentence-t(?:ransformers)?|bge|gte|e5|gtr-t|labse|uae-large|colbert(?:v\d+)?/
    .source;
/** Families of models for other tasks. */
const OTHER_FAMILIES = [
  // Reranking and moderation.
  /rerank|rerankers?|ms-marco|ranker|moderation|granite-guardian|llama-guard|shieldgemma/,
  // Speech to text, and text to speech.
  /whisper|moonshine|vad|wav2vec|parakeet|sensevoice|asr|stt|speecht?|transcribe|transcription|tts|xtts|outetts|kokoro|piper|chatterbox|bark/,
  // Images and video.
  /flux|(?:stable)?diffusion|sdxl|sd|dall-?e|gpt-image|qwen-image|z-image|hidream|imagen|kandinsky|clip|siglip|mmproj|sora/,
]
  .map(({ source }) => source)
  .join("|");
/** A border is anything but a letter or a digit, so that "bge" is not read in the middle of a word. */
const word = (pattern: string): RegExp => new RegExp(`(?<![a-z0-9])(?:${pattern})(?![a-z])`, "i");
const EMBEDDER_NAME = word(`\\w*embed(?:s|ding|dings|der)?|embeddinggemma|(?:${EMBEDDERS})\\d*`);
const OTHER_NAME = word(`(?:${OTHER_FAMILIES})\\d*`);

/**
 * Whether a model answers chat completions: `null` where neither its task nor its name says so.
 * A task decides; without one, names such as `…-embedding-…` and `whisper-…` rule it out.
 */
export function canChat(model: Pick<ModelInfo, "task" | "id">): boolean | null {
  if (model.task !== null) return CHAT_TASK.test(model.task);
  // A router lists `openai/*` for all models of a provider.
  if (model.id.includes("*")) return false;
  return EMBEDDER_NAME.test(model.id) || OTHER_NAME.test(model.id) ? false : null;
}

/**
 * Whether a model makes embeddings: `null` where neither its task nor its name says so. A reranker,
 * whose name often contains that of an embedding model, makes none.
 */
export function canEmbed(model: Pick<ModelInfo, "task" | "id">): boolean | null {
  if (model.task !== null) return /embed/i.test(model.task);
  if (OTHER_NAME.test(model.id)) return false;
  return EMBEDDER_NAME.test(model.id) ? true : null;
}

/** Whether a model takes images: `null` where neither the service nor its catalog says so. */
export const canSee = ({ vision, task }: Pick<ModelInfo, "vision" | "task">): boolean | null =>
  vision === true || (task !== null && /vision/i.test(task)) ? true : vision;

/** Whether a model is made for code. Before core 2.3, which has the task `coding`, only its name says so. */
export const isForCode = ({ task, name }: Pick<ModelInfo, "task" | "name">): boolean =>
  task === "coding" || /(?<![a-z])coder(?![a-z])/i.test(name);

/** The key of a model within a service: both families may contain the same id. */
export const modelKey = ({ family, id }: Pick<KnownModel, "family" | "id">): string =>
  `${family}/${id}`;

/** Whether two entries are of one variant. A disk that is not seen hides the version until it is loaded. */
export const isSameVariant = (one: KnownModel, other: KnownModel): boolean =>
  one.family === other.family &&
  one.name === other.name &&
  (one.version === null || other.version === null || one.version === other.version);

/** The higher, the sooner a model can answer: 2 when it is loaded, 1 when it is downloaded. */
export const readiness = ({ loaded, downloaded }: KnownModel): number =>
  loaded === true ? 2 : downloaded === true ? 1 : 0;

/**
 * The grammar of model ids: `base-hardware-device:version`, of which only the base is certain; models
 * that users registered need not follow it (docs/foundry-local.md, section 2).
 */
const VARIANT =
  /^(?<base>.+)-(?<hardware>generic|cuda|trtrtx|openvino|qnn|vitis|migraphx)-(?<device>cpu|gpu|npu)$/i;
const VERSION = /^(?<name>.*):(?<version>\d+)$/s;

const PROVIDERS: Readonly<Record<string, string>> = {
  "generic-cpu": "CPUExecutionProvider",
  "cuda-gpu": "CUDAExecutionProvider",
  "trtrtx-gpu": "NvTensorRTRTXExecutionProvider",
  "openvino-cpu": "OpenVINOExecutionProvider",
  "openvino-gpu": "OpenVINOExecutionProvider",
  "openvino-npu": "OpenVINOExecutionProvider",
  "qnn-npu": "QNNExecutionProvider",
  "vitis-npu": "VitisAIExecutionProvider",
  "migraphx-gpu": "MIGraphXExecutionProvider",
};

interface ModelIdParts {
  /** The id without `:version`. */
  readonly name: string;
  readonly version: number | null;
  /** The name without hardware and device; the whole name where it has none. */
  readonly base: string;
  /**
   * The most likely alias where no source contains one: `phi-4-mini` for
   * `Phi-4-mini-instruct-generic-cpu:5`. A guess, to try and to match what users type.
   */
  readonly likelyAlias: string;
  readonly device: Device | null;
  /** Certain only where the hardware names one; `generic-gpu` is CUDA or WebGPU, so `null`. */
  readonly executionProvider: string | null;
}

/**
 * The parts of an id.
 *
 * @example
 * parseModelId("qwen2.5-0.5b-instruct-cuda-gpu:4");
 * // { name: "qwen2.5-0.5b-instruct-cuda-gpu", version: 4, base: "qwen2.5-0.5b-instruct", device: "gpu", … }
 */
export function parseModelId(id: string): ModelIdParts {
  const versioned = VERSION.exec(id)?.groups;
  const name = versioned?.["name"] ?? id;
  const number = Number(versioned?.["version"]);
  const version = Number.isSafeInteger(number) ? number : null;
  const variant = VARIANT.exec(name)?.groups;
  const hardware = variant?.["hardware"]?.toLowerCase();
  const device = deviceOf(variant?.["device"]);
  const base = variant?.["base"] ?? name;
  return {
    name,
    version,
    base,
    likelyAlias: base.toLowerCase().replace(/-instruct$/, ""),
    device,
    executionProvider: PROVIDERS[`${hardware}-${device}`] ?? null,
  };
}

/**
 * The name that users know: the alias, or, where no source contains one, the most likely one. For
 * display and for comparing variants, not for requests.
 */
export const shortName = ({ alias, id }: { alias: string | null; id: string }): string =>
  alias ?? parseModelId(id).likelyAlias;

/** The name to show where users may type it: the alias, or the name as the service spells it. */
export function spelledName({ alias, id }: { alias: string | null; id: string }): string {
  const { name, device, likelyAlias } = parseModelId(id);
  return alias ?? (device === null ? name : likelyAlias);
}

/** `CPU`, `Gpu`, `npu` … as a device; anything else is unknown. */
export function deviceOf(text: string | null | undefined): Device | null {
  const device = text?.toLowerCase();
  return device === "cpu" || device === "gpu" || device === "npu" ? device : null;
}
