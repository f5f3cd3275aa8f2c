import type { ModelOptions } from "./model.js";

interface Entry {
  readonly alias: string;
  /** Name without the hardware. */
  readonly base: string;
  /** `hardware:version` and the size in GB, `null` where it is not known. */
  readonly variants: readonly (readonly [suffix: string, sizeGb: number | null])[];
  readonly more?: Partial<ModelOptions>;
}

const THINK = { start: "<think>", end: "</think>" };
const APACHE = { license: "apache-2.0" };
const TOOLS = { license: "apache-2.0", toolCalling: true };
const QWEN3 = { ...TOOLS, reasoningMarkers: THINK, contextLength: 40_960 };

/** Aliases, ids, versions and sizes as a Windows machine with an NVIDIA GPU lists them. */
const ENTRIES: readonly Entry[] = [
  {
    alias: "phi-4",
    base: "Phi-4",
    variants: [
      ["cuda-gpu:1", 8.37],
      ["trtrtx-gpu:1", 8.37],
      ["generic-gpu:1", 8.37],
      ["generic-cpu:1", 10.16],
    ],
    more: { contextLength: 16_384 },
  },
  {
    alias: "phi-3.5-mini",
    base: "Phi-3.5-mini-instruct",
    variants: [
      ["cuda-gpu:1", 2.13],
      ["openvino-gpu:1", 1.95],
      ["generic-gpu:1", 2.16],
      ["generic-cpu:1", 2.53],
    ],
    more: { contextLength: 131_072 },
  },
  {
    alias: "phi-3-mini-4k",
    base: "Phi-3-mini-4k-instruct",
    variants: [
      ["cuda-gpu:1", 2.13],
      ["trtrtx-gpu:1", 2.13],
      ["generic-gpu:1", 2.13],
      ["generic-cpu:2", 2.53],
    ],
  },
  {
    alias: "mistral-7b-v0.2",
    base: "mistralai-Mistral-7B-Instruct-v0-2",
    variants: [
      ["cuda-gpu:1", 3.98],
      ["generic-gpu:1", 4.07],
      ["generic-cpu:2", 4.07],
    ],
    more: { ...APACHE, contextLength: 32_768 },
  },
  {
    alias: "deepseek-r1-7b",
    base: "deepseek-r1-distill-qwen-7b",
    variants: [
      ["cuda-gpu:3", 5.28],
      ["generic-gpu:3", 5.58],
      ["generic-cpu:3", 6.43],
    ],
    more: { reasoningMarkers: THINK, contextLength: 131_072 },
  },
  {
    alias: "deepseek-r1-1.5b",
    base: "DeepSeek-R1-Distill-Qwen-1.5B",
    variants: [["trtrtx-gpu:1", 1.43]],
    more: { reasoningMarkers: THINK },
  },
  {
    alias: "phi-4-mini-reasoning",
    base: "Phi-4-mini-reasoning",
    variants: [
      ["cuda-gpu:3", 3.15],
      ["openvino-gpu:2", 2.47],
      ["generic-gpu:3", 3.15],
      ["generic-cpu:3", 4.52],
    ],
    more: { reasoningMarkers: THINK, contextLength: 131_072 },
  },
  {
    alias: "phi-4-mini",
    base: "Phi-4-mini-instruct",
    variants: [
      ["cuda-gpu:5", 3.6],
      ["generic-gpu:5", 3.72],
      ["generic-cpu:5", 4.8],
    ],
    more: { toolCalling: true, contextLength: 131_072 },
  },
  {
    alias: "qwen2.5-0.5b",
    base: "qwen2.5-0.5b-instruct",
    variants: [
      ["cuda-gpu:4", 0.52],
      ["openvino-gpu:2", 0.36],
      ["generic-gpu:4", 0.68],
      ["generic-cpu:4", 0.8],
    ],
    more: { ...TOOLS, contextLength: 32_768 },
  },
  {
    alias: "qwen2.5-0.5b",
    base: "qwen2.5-0.5b-instruct",
    variants: [["openvino-npu:3", 0.52]],
    more: { ...TOOLS, contextLength: 4224, advertisedContextLength: 32_768 },
  },
  {
    alias: "qwen2.5-1.5b",
    base: "qwen2.5-1.5b-instruct",
    variants: [
      ["cuda-gpu:4", 1.25],
      ["generic-gpu:4", 1.51],
      ["generic-cpu:4", 1.78],
    ],
    more: { ...TOOLS, contextLength: 32_768 },
  },
  {
    alias: "qwen2.5-7b",
    base: "qwen2.5-7b-instruct",
    variants: [
      ["cuda-gpu:4", 4.73],
      ["generic-gpu:4", 5.2],
      ["generic-cpu:4", 6.16],
    ],
    more: { ...TOOLS, contextLength: 32_768 },
  },
  {
    alias: "qwen2.5-coder-0.5b",
    base: "qwen2.5-coder-0.5b-instruct",
    variants: [
      ["cuda-gpu:4", 0.52],
      ["generic-gpu:4", 0.52],
      ["generic-cpu:4", 0.8],
    ],
    more: { ...TOOLS, contextLength: 32_768 },
  },
  {
    alias: "qwen2.5-coder-7b",
    base: "qwen2.5-coder-7b-instruct",
    variants: [
      ["cuda-gpu:4", 4.73],
      ["generic-gpu:4", 4.73],
      ["generic-cpu:4", 6.16],
    ],
    more: { ...TOOLS, contextLength: 32_768 },
  },
  {
    alias: "gpt-oss-20b",
    base: "gpt-oss-20b",
    variants: [
      ["cuda-gpu:1", 9.65],
      ["generic-gpu:1", 11.78],
      ["generic-cpu:1", 12.26],
    ],
    more: { ...APACHE, contextLength: 8192, advertisedContextLength: 131_072 },
  },
  {
    alias: "qwen3-0.6b",
    base: "qwen3-0.6b",
    variants: [
      ["generic-gpu:4", null],
      ["generic-cpu:4", null],
    ],
    more: QWEN3,
  },
  {
    alias: "qwen3-8b",
    base: "qwen3-8b",
    variants: [
      ["cuda-gpu:2", null],
      ["generic-gpu:2", null],
    ],
    more: QWEN3,
  },
  {
    alias: "gemma-4-e2b-it",
    base: "gemma-4-e2b-it",
    variants: [["generic-gpu:2", null]],
    more: { task: "vision-language-chat", advertisedContextLength: 131_072 },
  },
  {
    alias: "qwen3.5-4b",
    base: "qwen3.5-4b",
    variants: [
      ["cuda-gpu:2", 5.36],
      ["generic-gpu:2", 5.36],
      ["generic-cpu:2", 4.28],
    ],
    more: { ...TOOLS, task: "vision-language-chat", contextLength: 32_768 },
  },
  {
    alias: "qwen3-embedding-0.6b",
    base: "qwen3-embedding-0.6b",
    variants: [["generic-cpu:1", null]],
    more: { ...APACHE, task: "embeddings", contextLength: 32_768 },
  },
  {
    alias: "whisper-tiny",
    base: "whisper-tiny",
    variants: [["generic-cpu:1", null]],
    more: { task: "automatic-speech-recognition" },
  },
];

/** The models that are downloaded by default. */
const DOWNLOADED = new Set([
  "qwen2.5-0.5b-instruct-generic-cpu:4",
  "Phi-4-mini-instruct-generic-cpu:5",
  "qwen3-0.6b-generic-cpu:4",
  "qwen3-embedding-0.6b-generic-cpu:1",
]);

/** A catalog like a real one, with four models downloaded and none loaded. */
export const SAMPLE_CATALOG: readonly ModelOptions[] = ENTRIES.flatMap((entry) =>
  entry.variants.map(([suffix, sizeGb]) => {
    const id = `${entry.base}-${suffix}`;
    return {
      id,
      alias: entry.alias,
      sizeMb: sizeGb === null ? null : Math.round(sizeGb * 1024),
      downloaded: DOWNLOADED.has(id),
      ...entry.more,
    };
  }),
);

/** The same with a model in memory: a completion needs no load and no knowledge of the model cache. */
export const SAMPLE_WITH_LOADED: readonly ModelOptions[] = SAMPLE_CATALOG.map((model) =>
  model.id === "Phi-4-mini-instruct-generic-cpu:5" ? { ...model, loaded: true } : model,
);
