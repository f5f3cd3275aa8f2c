import { FoundryError } from "../../lib/index.js";
import {
  AUTO,
  canChat,
  canSee,
  isForCode,
  type KnownModel,
  modelKey,
  readiness,
  spelledName,
} from "./model.js";
import { DEFAULT_MODEL, findModel, isAuto } from "./resolve.js";

/** What a request needs of its model. */
export interface RequestNeeds {
  readonly tools: boolean;
  readonly images: boolean;
  /** It is about code: a model for code comes first, though any other can answer it, too. */
  readonly code: boolean;
  /** Tokens that the prompt has at least, whatever the tokenizer. */
  readonly leastTokens: number;
  /** Tokens that prompt and answer have together, by an estimate. */
  readonly likelyTokens: number;
}

/** Every model has a context of so many tokens at least. */
const SMALLEST_CONTEXT = 2048;

/** Something that a model is needed for. */
interface Need {
  /** What completes "a model that …". */
  readonly words: string;
  /** Whether a model can do it; `null`: not known. */
  readonly isMetBy: (model: KnownModel) => boolean | null;
  /** `false`: a model that does not meet it can answer, too. */
  readonly isRequired: boolean;
}

function needsIn({ tools, images, code, leastTokens, likelyTokens }: RequestNeeds): Need[] {
  const fits = ({ contextLength }: KnownModel): boolean | null => {
    if (contextLength === null) return likelyTokens <= SMALLEST_CONTEXT ? true : null;
    // The answer needs a token, too.
    if (leastTokens + 1 > contextLength) return false;
    return likelyTokens <= contextLength ? true : null;
  };
  const all: (Need | null)[] = [
    tools
      ? { words: "calls tools", isMetBy: ({ toolCalling }) => toolCalling, isRequired: true }
      : null,
    images ? { words: "takes images", isMetBy: canSee, isRequired: true } : null,
    code
      ? { words: "is for code", isMetBy: (model) => isForCode(model) || null, isRequired: false }
      : null,
    { words: `has a context of ${likelyTokens} tokens`, isMetBy: fits, isRequired: true },
  ];
  return all.filter((need) => need !== null);
}

interface Candidate {
  readonly model: KnownModel;
  /** Needs of which it is not known whether the model meets them. */
  readonly unknown: readonly Need[];
}

/** The models that meet all needs, as far as it is known. */
function candidatesAmong(models: readonly KnownModel[], needs: readonly Need[]): Candidate[] {
  return models
    .filter(
      (model) => canChat(model) !== false && needs.every(({ isMetBy }) => isMetBy(model) !== false),
    )
    .map((model) => ({ model, unknown: needs.filter(({ isMetBy }) => isMetBy(model) === null) }));
}

const isThere = ({ downloaded }: KnownModel): boolean => downloaded !== false;

/** A model that "auto" stands for. */
interface AutoModel {
  readonly model: KnownModel;
  /** Why it is this one, a sentence. */
  readonly reason: string;
}

/**
 * The best of the models that can do what a request needs: one of which it is known, then a loaded one, then
 * the default model, then the largest. A model that would have to be downloaded is none of them.
 *
 * @param defaultId Exact id of the default model, where the service has it.
 */
export function autoModel(
  models: readonly KnownModel[],
  request: RequestNeeds,
  defaultId: string | null,
): AutoModel | null {
  const needs = needsIn(request);
  const isDefault = ({ id }: KnownModel): number => (id === defaultId ? 1 : 0);
  const order = (a: Candidate, b: Candidate): number =>
    a.unknown.length - b.unknown.length || readiness(b.model) - readiness(a.model);
  const [best, next] = candidatesAmong(newest(models.filter(isThere)), needs).sort(
    (a, b) =>
      order(a, b) ||
      isDefault(b.model) - isDefault(a.model) ||
      (b.model.sizeMb ?? 0) - (a.model.sizeMb ?? 0),
  );
  if (best === undefined) return null;
  const { model } = best;
  const isLargest =
    next !== undefined &&
    order(best, next) === 0 &&
    next.model.sizeMb !== null &&
    (model.sizeMb ?? 0) > next.model.sizeMb;
  const rank = isDefault(model) === 1 ? "is the default model" : isLargest ? "is the largest" : "";
  return { model, reason: reasonFor(best, needs, request, rank) };
}

/** The models without the versions of which a newer one is as ready. */
function newest(models: readonly KnownModel[]): KnownModel[] {
  const best = new Map<string, KnownModel>();
  const keyOf = ({ family, name }: KnownModel): string => `${family}/${name}`;
  for (const model of models) {
    const other = best.get(keyOf(model));
    const isBetter =
      other === undefined ||
      readiness(model) > readiness(other) ||
      (readiness(model) === readiness(other) && (model.version ?? 0) > (other.version ?? 0));
    if (isBetter) best.set(keyOf(model), model);
  }
  return models.filter((model) => best.get(keyOf(model)) === model);
}

function reasonFor(
  { model, unknown }: Candidate,
  needs: readonly Need[],
  { likelyTokens }: RequestNeeds,
  rank: string,
): string {
  const state =
    model.loaded === true ? "is loaded" : model.downloaded === true ? "is downloaded" : "is listed";
  // Every model has room for a short prompt.
  const shown = likelyTokens <= SMALLEST_CONTEXT ? needs.slice(0, -1) : needs;
  const met = shown.filter((need) => !unknown.includes(need)).map(({ words }) => words);
  const doubted = unknown.filter(({ isRequired }) => isRequired).map(({ words }) => words);
  const facts = listOf([state, ...(rank === "" ? [] : [rank]), ...met]);
  const doubt = doubted.length === 0 ? "" : `; it is not known whether it ${listOf(doubted)}`;
  return `"${AUTO}" chose ${model.id}, which ${facts}${doubt}.`;
}

/** What no model that is there can do, as words that complete "a model that …". */
export function missingAbility(models: readonly KnownModel[], request: RequestNeeds): string {
  const there = models.filter((model) => isThere(model) && canChat(model) !== false);
  if (there.length === 0) return "can chat";
  const needs = needsIn(request).filter(({ isRequired }) => isRequired);
  const isUnmet = ({ isMetBy }: Need): boolean => there.every((model) => isMetBy(model) === false);
  const unmet = needs.filter(isUnmet);
  return listOf((unmet.length > 0 ? unmet : needs).map(({ words }) => words));
}

/**
 * The model to download for a request that no model that is there can answer; `null` where none is listed
 * that may. The default model comes first, then the order of the catalog.
 */
export function modelToDownload(
  models: readonly KnownModel[],
  request: RequestNeeds,
  defaultName: string,
): KnownModel | null {
  const missing = models.filter((model) => !isThere(model));
  const isDefault = ({ alias, name, id }: KnownModel): number =>
    [alias, name, id].includes(defaultName) ? 1 : 0;
  const [best] = candidatesAmong(missing, needsIn(request)).sort(
    (a, b) => a.unknown.length - b.unknown.length || isDefault(b.model) - isDefault(a.model),
  );
  return best?.model ?? null;
}

function listOf(words: readonly string[]): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} and ${last}`;
}

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
  const best = autoModel(left, needs(), defaultId);
  if (best === null) throw noneForRequest(models, needs(), isFoundryLocal);
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
