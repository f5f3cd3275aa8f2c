import * as z from "zod";

/** What a model answers. Default: a text that says it is simulated, made from the prompt. */
export interface Script {
  /** The answer. Cut into tokens at the words. */
  readonly text?: string;
  /** The answer, token by token, exactly; markers of the model may stand among them. */
  readonly tokens?: readonly string[];
  /** The thought before the answer, between the model's reasoning markers. */
  readonly think?: string;
  /** Calls of tools instead of a text, between the model's tool markers. */
  readonly toolCalls?: readonly { readonly name: string; readonly arguments: object }[];
  /** Repeats, so that only a limit ends it. */
  readonly forever?: boolean;
  /** Fails when so many tokens have been made. */
  readonly failAfterTokens?: number;
  /** The native engine's message for that failure. */
  readonly failure?: string;
}

/** The prompt that a script is called with. */
export interface PromptSeen {
  /** The text of the last message of the user. */
  readonly text: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly tools: readonly string[];
}

/** The tokens before and after a tool call or a thought. */
export interface Markers {
  readonly start: string;
  readonly end: string;
}

/** A model as it is given to the simulator: an id, and whatever differs from the defaults. */
export interface ModelOptions {
  /** `name:version`, such as `qwen2.5-0.5b-instruct-generic-cpu:4`. */
  readonly id: string;
  /** Default: the name without `-generic-cpu` and the like. */
  readonly alias?: string | undefined;
  /** Default `Microsoft`. */
  readonly publisher?: string | undefined;
  /** Seconds since 1970. */
  readonly created?: number | undefined;
  /** Default: the name. */
  readonly displayName?: string | undefined;
  /** Default `chat-completion`. */
  readonly task?: string | undefined;
  /** Default: as the name says, or else the processor. */
  readonly device?: Device | undefined;
  /** Default: as the name says. */
  readonly executionProvider?: string | undefined;
  readonly sizeMb?: number | null | undefined;
  /** The limit that is enforced, in tokens. Default 4096. */
  readonly contextLength?: number | undefined;
  /** The limit that the catalog advertises. Default: the enforced one. */
  readonly advertisedContextLength?: number | undefined;
  readonly maxOutputTokens?: number | null | undefined;
  /** Default `MIT`. */
  readonly license?: string | undefined;
  readonly toolCalling?: boolean | undefined;
  /** Around a call in the raw text. Default for a model with tool calling: those of Qwen. */
  readonly toolMarkers?: Markers | null | undefined;
  /** Around a thought in the raw text. Default: the model does not think. */
  readonly reasoningMarkers?: Markers | null | undefined;
  /** The family of routes that serves it. Default `public`. */
  readonly family?: "public" | "local" | undefined;
  /** Default `true`. */
  readonly downloaded?: boolean | undefined;
  /** Default `false`. */
  readonly loaded?: boolean | undefined;
  readonly script?: Script | ((prompt: PromptSeen) => Script) | undefined;
  /** Its loads fail with this message of the native engine. */
  readonly loadError?: string | undefined;
  /** Speeds of its own; default: the simulator's. */
  readonly tokensPerSecond?: number | undefined;
  readonly firstTokenMs?: number | undefined;
  readonly loadMs?: number | undefined;
  readonly downloadMs?: number | undefined;
  /** How its prompts are counted: a token a word piece, or a token a byte with `role:` before each message. */
  readonly tokenizer?: "pieces" | "bytes" | undefined;
  /** Tokens that the chat template adds to a prompt counted in pieces. Default 14. */
  readonly templateTokens?: number | undefined;
  /** Its directory in the model cache. Default: `publisher/name-version/vversion`. */
  readonly directory?: string | undefined;
}

type Device = "CPU" | "GPU" | "NPU";

/** A model with its defaults filled in. */
export interface SimulatedModel extends ModelOptions {
  readonly alias: string;
  /** The id without its version. */
  readonly name: string;
  readonly version: number;
  readonly publisher: string;
  readonly created: number;
  readonly task: string;
  readonly device: Device;
  readonly executionProvider: string;
  readonly sizeMb: number | null;
  readonly contextLength: number;
  readonly maxOutputTokens: number | null;
  readonly license: string;
  readonly toolCalling: boolean;
  readonly toolMarkers: Markers | null;
  readonly reasoningMarkers: Markers | null;
  readonly family: "public" | "local";
  readonly downloaded: boolean;
  readonly loaded: boolean;
  readonly tokenizer: "pieces" | "bytes";
  readonly templateTokens: number;
  readonly directory: string;
}

const markers = z.object({ start: z.string(), end: z.string() });
const text = z.string().optional();
const milliseconds = z.number().min(0).optional();

const modelSchema = z.strictObject({
  id: z.string().regex(/^[^:]+:\d+$/, "an id is name:version"),
  alias: text,
  publisher: z.string().default("Microsoft"),
  created: z.number().int().default(1_748_779_200),
  displayName: text,
  task: z.string().default("chat-completion"),
  device: z.enum(["CPU", "GPU", "NPU"]).optional(),
  executionProvider: text,
  sizeMb: z.number().nullable().default(null),
  contextLength: z.number().int().min(1).default(4096),
  advertisedContextLength: z.number().int().optional(),
  maxOutputTokens: z.number().int().nullable().default(null),
  license: z.string().default("MIT"),
  toolCalling: z.boolean().default(false),
  toolMarkers: markers.nullable().optional(),
  reasoningMarkers: markers.nullable().default(null),
  family: z.enum(["public", "local"]).default("public"),
  downloaded: z.boolean().default(true),
  loaded: z.boolean().default(false),
  script: z.custom<ModelOptions["script"]>().optional(),
  loadError: text,
  tokensPerSecond: z.union([z.number().positive(), z.literal(Infinity)]).optional(),
  firstTokenMs: milliseconds,
  loadMs: milliseconds,
  downloadMs: milliseconds,
  tokenizer: z.enum(["pieces", "bytes"]).default("pieces"),
  templateTokens: z.number().int().min(0).default(14),
  directory: text,
});

export const HARDWARE = /-(generic|cuda|trtrtx|openvino|qnn|vitis|migraphx)-(cpu|gpu|npu)$/;
const PROVIDERS: Readonly<Record<string, string>> = {
  cuda: "CUDAExecutionProvider",
  trtrtx: "NvTensorRTRTXExecutionProvider",
  openvino: "OpenVINOExecutionProvider",
  qnn: "QNNExecutionProvider",
  vitis: "VitisAIExecutionProvider",
  migraphx: "MIGraphXExecutionProvider",
};
export const QWEN_MARKERS: Markers = { start: "<tool_call>", end: "</tool_call>" };
const DEVICES = { cpu: "CPU", gpu: "GPU", npu: "NPU" } as const;

export const uriOf = ({ name, version }: Pick<SimulatedModel, "name" | "version">): string =>
  `azureml://registries/azureml/models/${name}/versions/${version}`;

/** @throws when a member is unknown or does not fit; says which. */
export function toModel(options: ModelOptions): SimulatedModel {
  const parsed = modelSchema.safeParse(options);
  if (!parsed.success) {
    throw new Error(`model ${JSON.stringify(options.id)}: ${z.prettifyError(parsed.error)}`);
  }
  const model = parsed.data;
  const colon = model.id.lastIndexOf(":");
  const name = model.id.slice(0, colon);
  const version = Number(model.id.slice(colon + 1));
  const [, vendor = "generic", suffix = "cpu"] = HARDWARE.exec(name) ?? [];
  const device = model.device ?? DEVICES[suffix === "gpu" || suffix === "npu" ? suffix : "cpu"];
  const generic = device === "GPU" ? "WebGpuExecutionProvider" : "CPUExecutionProvider";
  const published = model.toolCalling ? QWEN_MARKERS : null;
  return {
    ...model,
    name,
    version,
    alias: model.alias ?? name.replace(HARDWARE, ""),
    device,
    executionProvider: model.executionProvider ?? PROVIDERS[vendor] ?? generic,
    toolMarkers: model.toolMarkers === undefined ? published : model.toolMarkers,
    directory: model.directory ?? `${model.publisher}/${name}-${version}/v${version}`,
  };
}
