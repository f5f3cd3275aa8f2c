import type { ModelOptions, SimulatorOptions } from "../src/index.js";
import type { RecordedService } from "./recording.js";

const OPENVINO = "qwen2.5-0.5b-instruct-openvino-gpu:2";
const PHI_4: ModelOptions = { id: "Phi-4-generic-gpu:1", alias: "phi-4", sizeMb: 8570 };
/** Seen in a list, but not in the catalog published with it. */
const outsideCatalog = (model: ModelOptions): ModelOptions => ({ ...model, family: "local" });

const oneMachine: readonly ModelOptions[] = [
  { ...PHI_4, downloaded: false },
  outsideCatalog({ id: OPENVINO, created: 1_763_466_301, contextLength: 32_768 }),
  outsideCatalog({ id: "Phi-4-cuda-gpu:1", downloaded: false }),
];

const SCIENCE = { tokens: ["Sci", "ence", "."] };
const variousModels: readonly ModelOptions[] = [
  { id: "qwen2.5-1.5b-instruct-generic-gpu:3", script: SCIENCE },
  { id: "qwen2.5-0.5b-instruct-generic-cpu:3", downloaded: false },
  {
    id: "qwen3.5-0.8b-generic-cpu:2",
    loadError:
      'Error parsing C:\\Users\\user\\.foundry\\cache\\models\\Microsoft\\qwen3.5-0.8b-generic-cpu-2\\v2\\genai_config.json: JSON Error: Unknown value "spatial_merge_size" at line 45 index 36',
  },
  {
    id: "Phi-4-mini-instruct-generic-cpu:5",
    toolCalling: true,
    toolMarkers: null,
    script: { text: 'functools[{"name": "get_weather", "arguments": {"city": "Zürich"}}]' },
  },
  { id: "fails-midway-generic-cpu:1", script: { ...SCIENCE, failAfterTokens: 2 } },
];

/**
 * A service for each group of exchanges that are consistent with each other. The differences between them were
 * seen on different machines, or are only documented.
 */
export const SERVICE_0_8: readonly RecordedService[] = [
  service({ models: oneMachine }, [
    "status",
    "catalog",
    "downloaded",
    "loaded-none",
    "models",
    "load",
    "load-again",
    "loaded-one",
    "unload",
    "load-by-encoded-id",
    "unload-all",
    "loaded-none-later",
    "load-not-downloaded",
    "no-route",
    "wrong-method",
  ]),
  service({ models: variousModels }, [
    "load-broken",
    "download",
    "download-again",
    "chat-stream",
    "chat",
    "chat-not-downloaded",
    "tool-call-as-text",
    "chat-fails-midway-stream",
  ]),
  service(
    {
      models: [{ ...PHI_4, downloaded: false }],
      switches: { statusNames: "PascalCase", registration: "absent", catalogForm: "object" },
    },
    ["status-documented", "catalog-documented"],
  ),
  service({ models: [], switches: { catalog: "empty" } }, ["catalog-offline", "models-fresh"]),
  service(
    { models: variousModels, switches: { downloadLines: "tuples", downloadEnd: "Success" } },
    ["download-documented"],
  ),
  service(
    {
      models: variousModels,
      switches: { downloadTrouble: { atPercent: 80, kind: "fails" } },
    },
    ["download-fails"],
  ),
  service(
    {
      models: variousModels,
      switches: { downloadTrouble: { atPercent: 80, kind: "breaks" } },
    },
    ["download-breaks", "download-resumed"],
  ),
  service({ models: variousModels, switches: { usage: "null", errorBody: "empty" } }, [
    "chat-usage-null",
  ]),
];

function service(options: SimulatorOptions, only: readonly string[]): RecordedService {
  return {
    file: "service-0.8.json",
    options: { dialect: "S", ...options },
    only,
    onlyShape: {},
  };
}
