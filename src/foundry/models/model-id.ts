import type { Device } from "./model.js";

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

export interface ModelIdParts {
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

/** `CPU`, `Gpu`, `npu` … as a device; anything else is unknown. */
export function deviceOf(text: string | null | undefined): Device | null {
  const device = text?.toLowerCase();
  return device === "cpu" || device === "gpu" || device === "npu" ? device : null;
}
