import { argumentCompletion } from "./argument-completion.js";
import type { Backend } from "./backend.js";
import { guardedClock } from "./progress-reporter.js";
import type { Handlers } from "./requests.js";
import { type ResourceOptions, resourceHandlers } from "./resources/index.js";
import { type NamedRoutes, toolsWith } from "./route-tools.js";
import { skillHandlers } from "./skills.js";
import { Tasks } from "./tasks.js";
import { type CallOptions, callHandler } from "./tool-registry.js";
import { TOOLS_WITH_FILES } from "./tools/index.js";

interface HandlerOptions
  extends Omit<ResourceOptions, "clock" | "kept" | "secrets">,
    Omit<CallOptions, "clock"> {
  /** Routes of the user that are tools. Default: none. */
  readonly routes?: NamedRoutes | undefined;
}

/** All that a server does besides introducing itself and listing its tools. */
export function createHandlers(backend: Backend, options: HandlerOptions): Handlers {
  const clock = guardedClock(backend.log);
  const { tasks = new Tasks(), routes = {} } = options;
  const tools = toolsWith(TOOLS_WITH_FILES, routes);
  const { kept, secrets } = backend;
  const resources = resourceHandlers(backend.client, { ...options, kept, secrets, clock });
  return {
    methods: {
      ...resources.methods,
      ...skillHandlers,
      "completion/complete": argumentCompletion(backend),
      "tools/call": callHandler(tools, backend, { ...options, tasks, clock }),
      ...tasks.methods,
    },
    close: resources.close,
  };
}
