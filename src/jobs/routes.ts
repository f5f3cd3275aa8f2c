import type { CompletionRequest } from "../foundry/index.js";
import { isMembers, MOST_MODELS_NAMED } from "../lib/index.js";

/** The settings of requests for one purpose. A request has them by the name of the route as its `model`. */
export type Route = Pick<
  CompletionRequest,
  | "model"
  | "models"
  | "system"
  | "temperature"
  | "topP"
  | "maxTokens"
  | "stop"
  | "seed"
  | "reasoning"
  | "reasoningBudget"
>;

/** Routes by name. The case of a name does not matter. */
export type Routes = Readonly<Record<string, Route>>;

/**
 * The request with the settings of the route that it names as its model; the same request where it names
 * none. The request's own settings come first. `model` and `models` of the route are tried before its `models`.
 */
export function routed(request: CompletionRequest, routes: Routes): CompletionRequest {
  const route = routeOf(request, routes);
  if (route === null) return request;
  const { model: _name, models: own = [], ...given } = request;
  // What is no list is refused when it begins.
  if (!Array.isArray(own)) return request;
  const { model, models = [], ...settings } = route;
  const present = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  );
  const order = [...models, ...own].slice(0, MOST_MODELS_NAMED);
  return { ...settings, ...present, model, models: order.length === 0 ? undefined : order };
}

function routeOf(request: unknown, routes: Routes): Route | null {
  // What is no request is refused when it begins.
  const model = isMembers(request) ? request["model"] : undefined;
  if (typeof model !== "string") return null;
  const name = model.trim().toLowerCase();
  const found = Object.entries(routes).find(([each]) => each.toLowerCase() === name);
  return found?.[1] ?? null;
}
