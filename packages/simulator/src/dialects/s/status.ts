import type { DialectRequest } from "../dialect.js";
import { json } from "./answers.js";
import type { Service } from "./service.js";

const BUILT_IN = ["CPUExecutionProvider", "WebGpuExecutionProvider"];
const CUDA = "CUDAExecutionProvider";

/** `GET /openai/status`. Answers while a model loads. */
export async function status(service: Service, { reply }: DialectRequest): Promise<void> {
  const { context, switches } = service;
  const members = {
    endpoints: [context.url()],
    modelDirPath: context.modelCachePath,
    pipeName: null,
    ...registration(service),
  };
  const named = Object.entries(members).map(([name, value]) => [
    switches.statusNames === "camelCase" ? name : name.slice(0, 1).toUpperCase() + name.slice(1),
    value,
  ]);
  reply.whole(json(Object.fromEntries(named)));
}

function registration({ models, switches }: Service): object {
  if (switches.registration === "absent") return {};
  const used = new Set(models.map((model) => model.executionProvider));
  const fetched = [...used].filter((name) => !BUILT_IN.includes(name) && name !== CUDA);
  const valid = [...BUILT_IN, ...fetched, ...(used.has(CUDA) ? [CUDA] : [])];
  const first =
    fetched.length === 0
      ? "No EP bootstrappers configured."
      : `Successfully downloaded and registered the following EPs: ${fetched.join(", ")}.`;
  return {
    isAutoRegistrationResolved: true,
    autoRegistrationStatus: `${first}\r\nValid EPs: ${valid.join(", ")}`,
  };
}
