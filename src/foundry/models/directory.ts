import { REGISTERED_MODELS_READ, SharedTasks } from "../../lib/index.js";
import type { Logger } from "../../log.js";
import {
  aliasOfRegistered,
  type CatalogFacts,
  readLocalCatalog,
  readPublicCatalog,
} from "./catalog-file.js";
import {
  type Family,
  type KnownModel,
  type ListedModel,
  type LoadedModel,
  type ModelDetails,
  modelKey,
  parseModelId,
} from "./model.js";
import {
  FolderWalk,
  type ModelFolder,
  readContextLimits,
  readModelFolders,
} from "./model-folders.js";

/** The facts on the disk of this machine about a service's models. */
interface DiskFacts {
  readonly public: ReadonlyMap<string, CatalogFacts>;
  readonly local: ReadonlyMap<string, CatalogFacts>;
  /** Downloaded models by id; `null` when the model cache is not on this machine. */
  readonly folders: ReadonlyMap<string, ModelFolder> | null;
  /** `false` where not all folders were read: the others are unknown. */
  readonly isComplete: boolean;
}

export const NO_DISK_FACTS: DiskFacts = {
  public: new Map(),
  local: new Map(),
  folders: null,
  isComplete: true,
};

/** Running reads, by directory. */
const reads = new SharedTasks<DiskFacts>({ runsOn: true });

/** Reads catalog files and model folders under a service's model cache; concurrent callers share it. */
export const readDiskFacts = (directory: string, log: Logger): Promise<DiskFacts> =>
  reads.get(directory, () => readOnce(directory, log)).wait();

async function readOnce(directory: string, log: Logger): Promise<DiskFacts> {
  const walk = new FolderWalk();
  const [catalog, registered, scanned] = await Promise.all([
    readPublicCatalog(directory, log),
    readLocalCatalog(directory, log),
    readModelFolders(directory, walk),
  ]);
  const folders =
    scanned === null ? null : new Map(scanned.folders.map((folder) => [folder.id, folder]));
  // A registered model may be stored anywhere; the registration names its folder.
  for (const facts of registered.slice(0, REGISTERED_MODELS_READ)) {
    if (folders === null || walk.leftMs <= 0) break;
    if (facts.modelPath === null || folders.has(facts.id)) continue;
    folders.set(facts.id, { id: facts.id, ...(await readContextLimits(facts.modelPath)) });
  }
  const isComplete = scanned?.isComplete ?? true;
  if (!isComplete) log.warn({ directory }, "the model cache was not read completely");
  return {
    public: new Map(catalog.map((facts) => [facts.id, facts])),
    local: new Map(registered.map((facts) => [facts.id, facts])),
    folders,
    isComplete,
  };
}

export interface Sources {
  readonly listed: readonly ListedModel[];
  readonly loaded: readonly LoadedModel[] | null;
  readonly disk: DiskFacts;
  /** Whether the catalog may contain more models than the list. */
  readonly listsOnlyDownloaded: boolean;
  /** Which of a folder's two lengths this service enforces. */
  readonly contextLimit: "max_length" | "context_length";
  /** Limits that the service named when it refused a request, by id. They override all other sources. */
  readonly learnedContext: ReadonlyMap<string, { readonly value: number }>;
}

/**
 * Merges all sources into one list of models: those that the service lists, in its order; loaded ones
 * that it does not list; and, where it lists downloaded models only, the rest of the catalog.
 * Downloaded models come first.
 */
export function mergeModels(sources: Sources): KnownModel[] {
  const merged = new Map<string, KnownModel>();
  // Indexes, so that merging takes linear time.
  const loaded = sources.loaded && new Set(sources.loaded.map(modelKey));
  const versions = versionsOf(sources);
  const add = (id: string, family: Family, listed?: ListedModel): void => {
    const key = modelKey({ family, id });
    if (!merged.has(key)) merged.set(key, describe(id, family, listed, sources, loaded));
  };
  for (const listed of sources.listed) {
    for (const id of idsOf(listed, sources, versions)) add(id, listed.family, listed);
  }
  for (const { id, family } of sources.loaded ?? []) add(id, family);
  if (sources.listsOnlyDownloaded) {
    for (const id of sources.disk.public.keys()) add(id, "public");
  }
  return [...merged.values()].sort((a, b) => readyFirst(a) - readyFirst(b));
}

/** A model of which it is unknown counts as downloaded, as it does in lists. */
const readyFirst = ({ downloaded }: KnownModel): number => (downloaded === false ? 1 : 0);

type Versions = ReadonlyMap<string, ReadonlySet<string>>;

/** Ids with a version, on disk or loaded, by name. */
function versionsOf({ loaded, disk, listsOnlyDownloaded }: Sources): Versions {
  const versions = new Map<string, Set<string>>();
  const ids = [...(loaded ?? []).map(({ id }) => id), ...(disk.folders?.keys() ?? [])];
  for (const id of listsOnlyDownloaded ? ids : []) {
    const { name, version } = parseModelId(id);
    if (version === null) continue;
    const same = versions.get(name) ?? new Set<string>();
    versions.set(name, same.add(id));
  }
  return versions;
}

/** C1 lists names without versions, once per version: the disk and the loaded list have the versions. */
function idsOf(
  listed: ListedModel,
  { listsOnlyDownloaded }: Sources,
  allVersions: Versions,
): string[] {
  const { name, version } = parseModelId(listed.id);
  // S before 0.7 lists bare names, too, and has no other ids.
  const isExact = version !== null || !listsOnlyDownloaded;
  if (isExact || listed.downloaded !== true) return [listed.id];
  const versions = [...(allVersions.get(name) ?? [])].sort(newestFirst);
  return versions.length > 0 ? versions : [listed.id];
}

const newestFirst = (a: string, b: string): number =>
  (parseModelId(b).version ?? 0) - (parseModelId(a).version ?? 0);

function describe(
  id: string,
  family: Family,
  listed: ListedModel | undefined,
  sources: Sources,
  allLoaded: ReadonlySet<string> | null,
): KnownModel {
  const { disk } = sources;
  const parts = parseModelId(id);
  const facts = (family === "local" ? disk.local : disk.public).get(id);
  // S before 0.7 lists bare names.
  const folder = disk.folders?.get(parts.version === null ? `${id}:0` : id);
  const loaded = allLoaded?.has(modelKey({ family, id })) ?? null;
  const isSeen = disk.folders !== null && disk.isComplete;
  const onDisk = folder !== undefined ? true : isSeen ? false : null;
  // The service's own answer overrides the contents of its folders.
  const downloaded = loaded === true || family === "local" ? true : (listed?.downloaded ?? onDisk);
  const known = <K extends keyof ModelDetails>(key: K) =>
    listed?.details?.[key] ?? facts?.[key] ?? null;
  const enforced = folder === undefined ? null : enforcedBy(sources.contextLimit, folder);
  const aliasFromId = family === "local" ? aliasOfRegistered(id) : null;
  return {
    id,
    family,
    name: parts.name,
    version: parts.version,
    alias: facts?.alias ?? listed?.alias ?? aliasFromId,
    downloaded,
    loaded,
    sizeMb: known("sizeMb"),
    device: known("device") ?? parts.device,
    executionProvider: known("executionProvider") ?? parts.executionProvider,
    task: known("task"),
    contextLength:
      sources.learnedContext.get(modelKey({ family, id }))?.value ??
      enforced ??
      listed?.contextLength ??
      facts?.contextLength ??
      null,
    maxOutputTokens: known("maxOutputTokens"),
    toolCalling: known("toolCalling"),
    vision: known("vision"),
    license: known("license"),
  };
}

/** Where `max_length` is the limit, the engine below refuses what exceeds `context_length`, too. */
function enforcedBy(
  limit: Sources["contextLimit"],
  { maxLength, contextLength }: ModelFolder,
): number | null {
  if (limit === "context_length") return contextLength ?? maxLength;
  return maxLength === null || contextLength === null
    ? maxLength
    : Math.min(maxLength, contextLength);
}
