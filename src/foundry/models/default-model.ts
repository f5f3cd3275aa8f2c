import { FoundryError } from "../../lib/index.js";
import { canChat, type KnownModel } from "./model.js";
import { findModel } from "./resolve.js";

/** The default where no model is named: small, able, and in every catalog. */
export const DEFAULT_MODEL = "phi-4-mini";

export interface ChosenModel {
  readonly model: KnownModel;
  /** Why it is this one, where it is not the default. */
  readonly reason: string | null;
}

/**
 * The model to use when the caller names none and the user set none: `phi-4-mini` when it is ready,
 * else the one that is loaded, else the first downloaded one that can chat.
 *
 * @param isFoundryLocal Whether models can be downloaded for the service. Default `true`.
 * @throws FoundryError `MODEL_NOT_CACHED` or, of another engine, `MODEL_NOT_FOUND` when there is none
 *   that can chat.
 */
export function chooseDefaultModel(
  models: readonly KnownModel[],
  isFoundryLocal = true,
): ChosenModel {
  const preferred = findModel(DEFAULT_MODEL, models);
  if (preferred?.loaded === true || preferred?.downloaded === true) {
    return { model: preferred, reason: null };
  }
  const able = models.filter((model) => canChat(model) !== false);
  const loaded = able.find((model) => model.loaded === true);
  if (loaded !== undefined) {
    return instead(loaded, preferred, "it is the model that is loaded");
  }
  const downloaded = able.find((model) => model.downloaded === true);
  if (downloaded !== undefined) {
    return instead(downloaded, preferred, "it is the first downloaded model that can chat");
  }
  // The disk is unknown: a remote core, or an engine that serves every model that it lists.
  if (preferred !== undefined && preferred.downloaded === null) {
    return { model: preferred, reason: null };
  }
  const [first] = able.filter((model) => model.downloaded === null);
  if (first !== undefined) {
    return instead(first, preferred, "it is the first model that the service lists");
  }
  if (!isFoundryLocal) throw noneOfEngine(models);
  throw new FoundryError("MODEL_NOT_CACHED", "No model that can chat is downloaded.", {
    action: "Download one, then try again.",
  });
}

const noneOfEngine = (models: readonly KnownModel[]): FoundryError =>
  new FoundryError(
    "MODEL_NOT_FOUND",
    models.length === 0
      ? "This engine lists no models, and no model was named."
      : "None of the models that this engine lists can chat.",
    {
      action:
        "Name a model in the call or in the option `model`: the engine may have it although it is not listed. Or get a model with the tools of the engine.",
    },
  );

function instead(model: KnownModel, preferred: KnownModel | undefined, why: string): ChosenModel {
  const missing =
    preferred === undefined ? "is not among this service's models" : "is not downloaded";
  const reason = `Used ${model.id}: no model was asked for, the default ${DEFAULT_MODEL} ${missing}, and ${why}. Name a model, or set the option \`model\`, to choose.`;
  return { model, reason };
}
