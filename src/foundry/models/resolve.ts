import leven from "leven";
import {
  FoundryError,
  LETTERS_COMPARED,
  LONGEST_MODEL_NAME,
  MOST_NAMES_COMPARED,
  truncate,
} from "../../lib/index.js";
import {
  AUTO,
  canChat,
  type Device,
  type KnownModel,
  parseModelId,
  readiness,
  shortName,
  spelledName,
} from "./model.js";

/**
 * Resolves what a user types (alias, name or id, in any case) to a model. Among several variants the
 * loaded one wins, then the downloaded one, then the service's own order; among versions of the same
 * variant that are equally ready, the newest.
 *
 * @throws FoundryError `MODEL_NOT_FOUND`, naming similar models, or the downloaded ones.
 * @example
 * resolveModel("Phi-4-Mini", models).id; // "phi-4-mini-instruct-generic-cpu:5"
 */
export function resolveModel(
  typed: string,
  models: readonly KnownModel[],
  device?: Device,
): KnownModel {
  const matches = matchesOf(typed, models);
  if (matches.length === 0) throw notFound(typed, models);
  const best = readiest(
    device === undefined || !hasDevices(matches)
      ? matches
      : matches.filter((model) => model.device === device),
  );
  if (best === undefined) throw noVariantFor(typed, device, matches);
  return best;
}

/** Other engines name neither devices nor downloads: then the load answers, as it does without a device. */
const hasDevices = (models: readonly KnownModel[]): boolean =>
  models.some((model) => model.device !== null || model.downloaded !== null);

/** {@link resolveModel} for a name that may well be absent. */
export function findModel(typed: string, models: readonly KnownModel[]): KnownModel | undefined {
  return readiest(matchesOf(typed, models));
}

/**
 * A model of which a service lists nothing, by the name that the caller gave.
 *
 * @throws FoundryError `MODEL_NOT_FOUND` for what is too long to be a name.
 */
export function unlistedModel(id: string): KnownModel {
  if (id.length > LONGEST_MODEL_NAME) {
    throw new FoundryError("MODEL_NOT_FOUND", `There is no model "${shown(id)}".`, {
      action: `The name of a model has at most ${LONGEST_MODEL_NAME} characters.`,
    });
  }
  const { name, version, device, executionProvider } = parseModelId(id);
  return {
    id,
    name,
    version,
    device,
    executionProvider,
    family: "public",
    alias: null,
    downloaded: null,
    loaded: null,
    sizeMb: null,
    task: null,
    contextLength: null,
    maxOutputTokens: null,
    toolCalling: null,
    vision: null,
    license: null,
  };
}

/** Whether a name stands for any model that can do what is needed: a model of that name comes first. */
export const isAuto = (typed: string | undefined, models: readonly KnownModel[]): boolean =>
  typed?.trim().toLowerCase() === AUTO && matchesOf(typed, models).length === 0;

/** All models that a name matches; the narrowest interpretation with a match wins. */
function matchesOf(typed: string, models: readonly KnownModel[]): KnownModel[] {
  // Engines may list names that differ only in their case.
  const exact = models.filter(({ id }) => id === typed.trim());
  if (exact.length > 0) return exact;
  const word = withoutLatest(typed.trim().toLowerCase());
  // Both parts that are looked for begin the id, and taking an id apart costs more than that comparison.
  const partsOf = ({ id }: KnownModel) =>
    id.toLowerCase().startsWith(word) ? parseModelId(id) : null;
  const readings = [
    (model: KnownModel) => withoutLatest(model.id.toLowerCase()),
    (model: KnownModel) => model.name,
    (model: KnownModel) => model.alias,
    // C1 lists bare names where no source has the version: a typed id with a version means that name.
    (model: KnownModel) =>
      model.version === null && /:\d+$/.test(word)
        ? `${model.name}${/:\d+$/.exec(word)?.[0]}`
        : null,
    // Where no source has an alias, users type the part of the name that looks like one.
    (model: KnownModel) => partsOf(model)?.base,
    (model: KnownModel) => partsOf(model)?.likelyAlias,
  ];
  for (const reading of readings) {
    const matches = models.filter((model) => reading(model)?.toLowerCase() === word);
    if (matches.length > 0) return matches;
  }
  return [];
}

/** Ollama takes a name without a tag as `:latest`, and lists the tag. */
const withoutLatest = (name: string): string => name.replace(/:latest$/, "");

function readiest(variants: readonly KnownModel[]): KnownModel | undefined {
  // Sorting is stable, so that equals keep the service's order.
  const [best] = [...variants].sort((a, b) => readiness(b) - readiness(a));
  // S lists the versions of a variant in any order.
  return variants
    .filter((model) => model.name === best?.name && readiness(model) === readiness(best))
    .sort((a, b) => (b.version ?? 0) - (a.version ?? 0))[0];
}

/** Similar names; without a similar one that can be used, the models that can be used. */
function namesInstead(typed: string, models: readonly KnownModel[]): string {
  const near = byDistance(typed, models)
    .filter(({ distance }) => distance <= FARTHEST_SUGGESTION)
    .map(({ name }) => name);
  const usable = models.filter(({ downloaded }) => downloaded !== false);
  const able = usable.filter((model) => canChat(model) !== false);
  const names = [...new Set((able.length > 0 ? able : usable).map(spelledName))];
  const meant = near.length === 0 ? "" : `Did you mean ${listOf(near)}? `;
  if (names.length === 0) return `${meant}No model is downloaded. `;
  if (near.some((name) => names.includes(name))) return meant;
  const isKnown = usable.every(({ downloaded }) => downloaded === true);
  return `${meant}${isKnown ? "Downloaded" : "Available"}: ${listOf(names.slice(0, 3))}. `;
}

const listOf = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(", ");

function notFound(typed: string, models: readonly KnownModel[]): FoundryError {
  return new FoundryError("MODEL_NOT_FOUND", `There is no model "${shown(typed)}".`, {
    action:
      models.length === 0
        ? "The service lists no model at all: its catalog may be out of reach, so check the network. Where Foundry Local's command line is installed, `foundry model download phi-4-mini` gets one."
        : `${namesInstead(typed, models)}\`listModels\` lists all models.`,
  });
}

function noVariantFor(
  typed: string,
  device: Device | undefined,
  matches: readonly KnownModel[],
): FoundryError {
  const devices = [...new Set(matches.flatMap((model) => model.device ?? []))].join(", ");
  const ready = readiest(matches.filter(({ downloaded }) => downloaded === true));
  const loads = ready === undefined ? "" : `, which loads ${ready.id}`;
  const action =
    devices === ""
      ? `The devices of its variants are not known. Leave device out${loads}.`
      : `It has variants for: ${devices}. Choose one of these, or leave device out${loads}.`;
  return new FoundryError(
    "MODEL_NOT_FOUND",
    `The model "${shown(typed)}" has no variant for the ${device}.`,
    { action },
  );
}

/**
 * The three names nearest to an unknown one, by the share of characters to edit; a name that contains
 * the other is near, whatever their lengths.
 */
export const nearestNames = (typed: string, models: readonly KnownModel[]): string[] =>
  byDistance(typed, models).map(({ name }) => name);

function byDistance(typed: string, models: readonly KnownModel[]) {
  const word = letters(typed);
  const distanceOf = (name: string): number => {
    const candidate = letters(name);
    const share = leven(word, candidate) / Math.max(word.length, candidate.length, 1);
    if (word.length > 1 && candidate.startsWith(word)) return Math.min(share, NEAR_AS_A_BEGINNING);
    const isPart =
      (word.length > 1 && candidate.includes(word)) ||
      (candidate.length > 1 && word.includes(candidate));
    return isPart ? Math.min(share, NEAR_AS_A_PART) : share;
  };
  const compared = models.slice(0, MOST_NAMES_COMPARED);
  const names = new Map(compared.map((model) => [spelledName(model), shortName(model)]));
  return [...names]
    .map(([name, short]) => ({ name, distance: distanceOf(short) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3);
}

const NEAR_AS_A_BEGINNING = 0.15;
const NEAR_AS_A_PART = 0.25;
/** A name with a larger share of changed characters is no misspelling. */
const FARTHEST_SUGGESTION = 0.4;

/** The letters and digits of a name: users misplace dashes and dots. */
const letters = (name: string): string =>
  name
    .slice(0, 4 * LETTERS_COMPARED)
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "")
    .slice(0, LETTERS_COMPARED);

/** Truncated, without lone surrogates. */
const shown = (typed: string): string =>
  (typed.length > 80 ? `${truncate(typed, 80)}…` : typed).toWellFormed();

/** The default where no model is named: small, able, and in every catalog. */
export const DEFAULT_MODEL = "phi-4-mini";

interface ChosenModel {
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
