import { toFoundryError } from "../../lib/index.js";
import { assertCanChat, type ModelLoader, type ResolveOptions } from "../loading/index.js";
import type { KnownModel } from "../models/index.js";
import { checkTools, loadToolbox } from "../tools/index.js";
import type { CompletionRequest } from "./completion.js";
import { ModelOrder } from "./model-order.js";
import { needsOf } from "./needs.js";
import { prepareMessages } from "./request.js";
import { structureOf } from "./structured.js";

/**
 * The first model of a request, in its order, that can be used as far as the list of models says.
 *
 * @throws FoundryError `INVALID_ARGUMENT` also for a schema or tools that a completion would refuse.
 */
export async function modelFor(
  loader: ModelLoader,
  request: CompletionRequest,
  maxTokens: number,
  call: Pick<ResolveOptions, "signal" | "trace" | "onStatus">,
): Promise<KnownModel> {
  const { schema, tools = [], toolChoice } = request;
  if (schema !== undefined) await structureOf(schema);
  checkTools(tools, toolChoice);
  if (tools.length > 0 && toolChoice !== "none") await loadToolbox(tools);
  const { messages } = prepareMessages(request);
  const order = new ModelOrder(request, () => needsOf(request, messages, maxTokens));
  for (;;) {
    try {
      const resolved = await loader.resolveModel(order.name, { ...call, auto: order.wish });
      order.chose(resolved);
      assertCanChat(resolved.model);
      return resolved.model;
    } catch (thrown) {
      const error = toFoundryError(thrown);
      if (!order.next(error, false)) throw order.explained(error);
    }
  }
}
