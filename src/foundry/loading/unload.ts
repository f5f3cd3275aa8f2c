import { FoundryError, pause, toFoundryError } from "../../lib/index.js";
import type { UnloadOptions } from "../calls.js";
import type { KnownModel } from "../models/index.js";
import type { Service } from "../service/index.js";

/** How long an unload waits for an abandoned generation, in milliseconds. */
const LONGEST_REST_MS = 15_000;

/**
 * Takes a model out of memory. Where the service would crash on unloading a model in use, an unload
 * under one of our generations is refused, and an abandoned generation is waited for; generations of
 * other clients cannot be seen.
 *
 * @throws FoundryError `MODEL_BUSY`, also from services that refuse by themselves.
 */
export async function unloadModel(
  service: Service,
  model: KnownModel,
  { signal, trace, force = false }: Pick<UnloadOptions, "signal" | "trace" | "force">,
): Promise<"unloaded" | "not_loaded"> {
  const dialect = await service.dialect(signal);
  const { unloadInUse, forceUnload } = dialect.can;
  const isForced = force && forceUnload === true;
  try {
    // Where it is not known, our own completions would be the ones to break.
    if (unloadInUse !== "refused" && !isForced) {
      const consequence = unloadInUse === null ? MAY_BREAK : CRASHES;
      await restOf(service, model, consequence, signal);
      const running = service.uses.running(model);
      if (running > 0) throw inUse(model, running, consequence);
    }
    // A completion must not begin on a model that is being unloaded.
    return await service.uses.reserve(model, () =>
      dialect.unload(model, service.patient(signal, trace), isForced),
    );
  } catch (thrown) {
    throw force && !isForced ? withoutForce(toFoundryError(thrown)) : thrown;
  } finally {
    service.forgetModels();
  }
}

/** Waits until no abandoned generation can be running on a model any more. */
async function restOf(
  { uses }: Service,
  model: KnownModel,
  consequence: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const until = performance.now() + LONGEST_REST_MS;
  // Another generation may be abandoned during the wait.
  for (let ms = uses.restMs(model); ms > 0; ms = uses.restMs(model)) {
    if (performance.now() + ms > until) throw mayBeInUse(model, ms, consequence);
    await pause(ms, signal);
  }
}

const CRASHES = "this version of Foundry Local would crash";
const MAY_BREAK = "it might be interrupted";

function inUse(model: KnownModel, running: number, consequence: string): FoundryError {
  const completions = running === 1 ? "a completion is" : `${running} completions are`;
  return new FoundryError(
    "MODEL_BUSY",
    `${model.id} was not unloaded: ${completions} running on it, and ${consequence}.`,
    {
      action: `Wait until ${running === 1 ? "it has ended, or cancel it" : "they have ended, or cancel them"}, then try again.`,
      retryable: true,
    },
  );
}

/** The same refusal where force was asked for and the service has none. */
const withoutForce = (error: FoundryError): FoundryError =>
  error.code === "MODEL_BUSY"
    ? error.reworded({ action: `${error.action} force does nothing on this service.` })
    : error;

function mayBeInUse(model: KnownModel, restMs: number, consequence: string): FoundryError {
  const seconds = Math.ceil(restMs / 1000);
  return new FoundryError(
    "MODEL_BUSY",
    `${model.id} was not unloaded: a slow completion on it was cancelled a moment ago and may still run, and ${consequence}.`,
    { action: `Try again in ${seconds} s.`, retryable: true, retryAfterMs: restMs },
  );
}
