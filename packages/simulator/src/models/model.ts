import { z } from "zod";

/** What a model says. Without one it says a text about being simulated, made from the prompt. */
export interface Script {
  /** The answer. Cut into tokens at the words. */
  readonly text?: string;
  /** The answer, token by token, exactly; markers of the model may stand among them. */
  readonly tokens?: readonly string[];
  /** What it thinks before the answer, between the model's reasoning markers. */
  readonly think?: string;
  /** Calls of tools instead of a text, between the model's tool markers. */
  readonly toolCalls?: readonly { readonly name: string; readonly arguments: object }[];
  /** Starts again at its end, and so never stops by itself. */
  readonly forever?: boolean;
  /** Fails when so many tokens have been made. */
  readonly failAfterTokens?: number;
  /** What the native engine says then. */
  readonly failure?: string;
}

/** A prompt as a script sees it. */
export interface PromptSeen {
  /** The text of the last message of the user. */
  readonly text: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly tools: readonly string[];
}

const markers = z.object({ start: z.string(), end: z.string() });

const modelSchema = z.strictObject({
  /** `name:version`, such as `qwen2.5-0.5b-instruct-generic-cpu:4`. */
  id: z.string().regex(/^[^:]+:\d+$/, "an id is name:version"),
  /** Default: the name without `-generic-cpu` and the like. */
  alias: z.string().optional(),
  publisher: z.string().default("Microsoft"),
  /** Seconds since 1970. */
  created: z.number().int().default(1_748_779_200),
  displayName: z.string().optional(),
  task: z.string().default("chat-completion"),
  device: z.enum(["CPU", "GPU", "NPU"]).optional(),
  executionProvider: z.string().optional(),
  sizeMb: z.number().nullable().default(null),
  /** The limit that is enforced, in tokens. */
  contextLength: z.number().int().min(1).default(4096),
  /** The limit that the catalog advertises. Default: the enforced one. */
  advertisedContextLength: z.number().int().optional(),
  maxOutputTokens: z.number().int().nullable().default(null),
  license: z.string().default("MIT"),
  toolCalling: z.boolean().default(false),
  /** Around a call in the raw text. Default for a model with tool calling: those of Qwen. */
  toolMarkers: markers.nullable().optional(),
  reasoningMarkers: markers.nullable().default(null),
  /** Which family of routes serves it. */
  family: z.enum(["public", "local"]).default("public"),
  downloaded: z.boolean().default(true),
  loaded: z.boolean().default(false),
  script: z.custom<Script | ((prompt: PromptSeen) => Script)>().optional(),
  /** `native`: the file is broken, and the text is what ONNX Runtime says. `ep`: a provider is missing. */
  loadError: z.string().optional(),
  /** Own speed; default: the simulator's. */
  tokensPerSecond: z.number().positive().optional(),
  firstTokenMs: z.number().min(0).optional(),
  loadMs: z.number().min(0).optional(),
  downloadMs: z.number().min(0).optional(),
  /** How its prompts are counted: a token a word piece, or a token a byte with `role:` before each. */
  tokenizer: z.enum(["pieces", "bytes"]).default("pieces"),
  /** Tokens that the chat template adds to a prompt counted in pieces. */
  templateTokens: z.number().int().min(0).default(14),
  /** Its directory in the model cache. Default: `publisher/name-version/vversion`. */
  directory: z.string().optional(),
});

/** A model as it is given to the simulator: an id, and whatever differs from the defaults. */
export type ModelOptions = z.input<typeof modelSchema>;

export interface SimulatedModel extends z.output<typeof modelSchema> {
  readonly alias: string;
  /** The id without its version. */
  readonly name: string;
  readonly version: number;
  readonly device: "CPU" | "GPU" | "NPU";
  readonly executionProvider: string;
  readonly toolMarkers: { readonly start: string; readonly end: string } | null;
  readonly directory: string;
}

const HARDWARE = /-(generic|cuda|trtrtx|openvino|qnn|vitis|migraphx)-(cpu|gpu|npu)$/;
const PROVIDERS: Readonly<Record<string, string>> = {
  cuda: "CUDAExecutionProvider",
  trtrtx: "NvTensorRTRTXExecutionProvider",
  openvino: "OpenVINOExecutionProvider",
  qnn: "QNNExecutionProvider",
  vitis: "VitisAIExecutionProvider",
  migraphx: "MIGraphXExecutionProvider",
};
const QWEN_MARKERS = { start: "<tool_call>", end: "</tool_call>" };
const DEVICES = { cpu: "CPU", gpu: "GPU", npu: "NPU" } as const;

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
