import { FoundryError } from "../../lib/index.js";
import {
  type AutoModel,
  autoModels,
  DEFAULT_MODEL,
  findModel,
  isAuto,
  type KnownModel,
  missingAbility,
  modelKey,
  type RequestNeeds,
  spelledName,
} from "../models/index.js";

/** What "auto" stands for: a model that can do what a request needs. */
export interface AutoWish {
  readonly needs: () => RequestNeeds;
  /** Keys of models that could not be used. */
  readonly without: ReadonlySet<string>;
}

/** @throws FoundryError `MODEL_NOT_CACHED` or, of another engine, `MODEL_NOT_FOUND` where there is none. */
export function chooseAuto(
  models: readonly KnownModel[],
  { needs, without }: AutoWish,
  defaultModel: string | undefined,
  isFoundryLocal: boolean,
): AutoModel & { readonly typed: string; readonly isAuto: true } {
  const preferred = isAuto(defaultModel, models) ? undefined : defaultModel;
  const defaultId = findModel(preferred ?? DEFAULT_MODEL, models)?.id ?? null;
  const left = models.filter((model) => !without.has(modelKey(model)));
  const [best] = autoModels(left, needs(), defaultId);
  if (best === undefined) throw noneForRequest(models, needs(), isFoundryLocal);
  // By its alias a service may load another variant of it, which is as good.
  return { ...best, typed: spelledName(best.model), isAuto: true };
}

/** The error of "auto" where no model that is there can do what the request needs. */
function noneForRequest(
  models: readonly KnownModel[],
  needs: RequestNeeds,
  isFoundryLocal: boolean,
): FoundryError {
  const whose = isFoundryLocal ? "that are downloaded" : "that this engine lists";
  return new FoundryError(
    isFoundryLocal ? "MODEL_NOT_CACHED" : "MODEL_NOT_FOUND",
    `None of the models ${whose} ${missingAbility(models, needs)}.`,
    {
      action: isFoundryLocal
        ? "The service lists no other model that can. Change the request, or name a model."
        : "Change the request, name a model, or get one that can with the tools of the engine.",
    },
  );
}
