import { argumentCompletion } from "./argument-completion.js";
import type { Backend } from "./backend.js";
import { HostLimits } from "./hosts.js";
import { guardedClock } from "./progress-reporter.js";
import type { Handlers } from "./requests.js";
import { resourceHandlers, type UpdateOptions } from "./resources/index.js";
import { type NamedRoutes, toolsWith } from "./route-tools.js";
import { skillHandlers } from "./skills.js";
import { Tasks } from "./tasks.js";
import { type CallOptions, callHandler } from "./tool-registry.js";
import { TOOLS_WITH_FILES } from "./tools/index.js";

interface HandlerOptions extends UpdateOptions, Omit<CallOptions, "clock" | "limits" | "tasks"> {
  readonly limits: HostLimits | undefined;
  readonly tasks: Tasks | undefined;
  /** Routes of the user, some of which are tools. */
  readonly routes: NamedRoutes;
}

/** All that a server does besides introducing itself and listing its tools. */
export function createHandlers(backend: Backend, options: HandlerOptions): Handlers {
  const clock = guardedClock(backend.log);
  const { limits = new HostLimits(), tasks = new Tasks() } = options;
  const tools = toolsWith(TOOLS_WITH_FILES, options.routes);
  const resources = resourceHandlers(backend, options);
  return {
    methods: {
      ...resources.methods,
      ...skillHandlers,
      "completion/complete": argumentCompletion(backend),
      "tools/call": callHandler(tools, backend, { ...options, limits, tasks, clock }),
      ...tasks.methods,
    },
    close: resources.close,
  };
}
