import { FoundryError, type Trace, toFoundryError } from "../../lib/index.js";
import type { ChatMessage, Dialect } from "../dialects/index.js";
import type { KnownModel } from "../models/index.js";
import type { Service } from "../service/index.js";
import { promptMeasured, promptTokens } from "./prompt-size.js";

/** A prompt that by its estimate fills less of the context is not counted. */
const NEAR = 0.7;
/** The count is a help; a service that takes longer is not waited for. */
const COUNT_MS = 5000;

/** Services that failed to count once; most have no route for it. */
const without = new WeakSet<Service>();

interface Counted {
  readonly service: Service;
  readonly dialect: Dialect;
  readonly model: KnownModel;
  readonly messages: readonly ChatMessage[];
  /** Schemas and tools, which are part of the prompt and not of the count. */
  readonly besides: readonly object[];
}

/**
 * Refuses a prompt that does not fit, by the service's own count: where it counts, the model is loaded, and
 * the prompt is near the limit. A failure of the count is ignored.
 *
 * @throws FoundryError `CONTEXT_LENGTH_EXCEEDED`, `CANCELLED`
 */
export async function assertCounted(
  { service, dialect, model, messages, besides }: Counted,
  { signal, trace }: { readonly signal: AbortSignal; readonly trace?: Trace | undefined },
): Promise<void> {
  const limit = service.models.knownContext(model);
  const { countTokens } = dialect;
  // Another model would be loaded for it, and this can take minutes.
  if (countTokens === undefined || limit === null || model.loaded !== true) return;
  if (without.has(service) || promptTokens(messages, besides).likely < limit * NEAR) return;
  const call = { limits: { wholeMs: COUNT_MS }, signal, trace, retry: false };
  const tokens = await countTokens({ model, messages }, call).catch((thrown: unknown) => {
    if (signal.aborted) throw toFoundryError(thrown);
    return null;
  });
  if (tokens === null) {
    without.add(service);
    return;
  }
  promptMeasured(service, model.id, messages, tokens);
  // The answer needs a token, too.
  const excess = tokens + 1 - limit;
  if (excess <= 0) return;
  throw new FoundryError(
    "CONTEXT_LENGTH_EXCEEDED",
    `The prompt has ${tokens} tokens, by the count of the service, more than the ${limit} tokens of ${model.id}. It was not completed.`,
    {
      action: `Cut at least ${excess} tokens, and what the answer needs; or use a model with a longer context.`,
    },
  );
}
