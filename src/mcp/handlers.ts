import { guardedClock } from "./progress-reporter.js";
import type { Backend, Handlers } from "./request-handler.js";
import { type ResourceOptions, resourceHandlers } from "./resources/index.js";
import { callHandler } from "./tool-registry.js";
import { TOOLS } from "./tools/index.js";

interface HandlerOptions extends Omit<ResourceOptions, "clock" | "kept"> {
  /** Whose calls these are, where several hosts share the queue. */
  readonly caller: string | undefined;
}

/** All that a server does besides introducing itself and listing its tools. */
export function createHandlers(backend: Backend, { caller, ...options }: HandlerOptions): Handlers {
  const clock = guardedClock(backend.log);
  const resources = resourceHandlers(backend.client.completions, {
    ...options,
    kept: backend.kept,
    clock,
  });
  return {
    methods: {
      ...resources.methods,
      "tools/call": callHandler(TOOLS, { ...backend, clock, caller }),
    },
    close: resources.close,
  };
}
