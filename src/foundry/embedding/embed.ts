import { FoundryError, formatDuration, toFoundryError } from "../../lib/index.js";
import type { Connection } from "../current-service.js";
import { type Dialect, type Embeddings, ofOtherEngine, unsupported } from "../dialects/index.js";
import type { ResolvedModel } from "../loading/index.js";
import { canEmbed, type KnownModel, spelledName } from "../models/index.js";
import { worded } from "../service/index.js";
import type { WorkCall } from "../work-call.js";
import type { EmbedOptions, EmbedResult } from "./embedding.js";

interface EmbedContext extends Pick<EmbedOptions, "model" | "onStatus">, WorkCall {
  readonly stallTimeoutMs: number;
}

/** Texts in one request: an answer of so many long vectors has some megabytes. */
const TEXTS_AT_ONCE = 32;

/**
 * The vectors of texts, by requests one after the other. Loads the model if needed.
 *
 * @throws FoundryError `MODEL_CANNOT_EMBED`, `MODEL_NOT_CACHED`, `UNSUPPORTED_BY_SERVER` …
 */
export async function embed(
  { service, loader }: Pick<Connection, "service" | "loader">,
  texts: readonly string[],
  context: EmbedContext,
): Promise<EmbedResult> {
  const { stallTimeoutMs, signal, onStatus, trace } = context;
  const dialect = await service.dialect(signal);
  if (dialect.embed === undefined) throw noEmbeddings();
  const makeVectors = dialect.embed;
  const resolved = await chosen({ service, loader }, dialect, context);
  let { model } = resolved;
  context.onModel(model.id);
  const load = async (): Promise<void> => {
    ({ model } = await loader.load({ ...resolved, model }, signal, { onStatus, trace }));
  };
  if (dialect.can.load && model.loaded !== true) await load();
  const limits = { firstByteMs: stallTimeoutMs, silenceMs: stallTimeoutMs };
  const request = (inputs: readonly string[]): Promise<Embeddings> =>
    makeVectors({ model, inputs }, { limits, signal, trace }).catch((thrown: unknown) => {
      throw worded(toFoundryError(thrown), () => noVectors(model.id, stallTimeoutMs));
    });
  const use = await service.uses.begin(model, signal);
  try {
    const vectors: (readonly number[])[] = [];
    let inputTokens: number | null = 0;
    let mayReload = dialect.can.load;
    let most = TEXTS_AT_ONCE;
    while (vectors.length < texts.length) {
      const inputs = texts.slice(vectors.length, vectors.length + most);
      const part = await request(inputs).catch(async (thrown: unknown) => {
        if (inputs.length > 1 && isTooMany(thrown)) return null;
        const isUnloaded = thrown instanceof FoundryError && thrown.code === "MODEL_NOT_LOADED";
        if (!isUnloaded || !mayReload) throw thrown;
        mayReload = false;
        await load();
        return request(inputs);
      });
      if (part === null) {
        most = Math.ceil(inputs.length / 2);
        continue;
      }
      vectors.push(...part.vectors);
      inputTokens =
        inputTokens === null || part.inputTokens === null ? null : inputTokens + part.inputTokens;
      if (texts.length > TEXTS_AT_ONCE) onStatus?.(progressOf(vectors.length, texts.length));
    }
    use.end("finished");
    return { model: model.id, vectors, inputTokens };
  } catch (thrown) {
    const error = toFoundryError(thrown);
    use.failed(error);
    throw dialect.can.isFoundryLocal ? error : ofOtherEngine(error);
  }
}

/** Whether an engine takes fewer texts or tokens at once: Text Embeddings Inference, LM Studio, DashScope, Mistral behind a router. */
const isTooMany = (thrown: unknown): boolean =>
  thrown instanceof FoundryError &&
  thrown.code === "INVALID_REQUEST" &&
  (thrown.status === 413 || TOO_MANY.test(thrown.detail ?? ""));

const TOO_MANY =
  /\bbatch(?:es)?\b|tokens per request|too many (?:inputs|texts|tokens)|array too long|llama_decode returned|list should have at most/i;

const progressOf = (done: number, all: number) => ({
  step: "embedding" as const,
  message: `Embedded ${done} of ${all} texts`,
  percent: Math.floor((100 * done) / all),
});

const noEmbeddings = (): FoundryError =>
  unsupported(
    "the service of the old command line makes no embeddings",
    "Install the newest Foundry Local, or use another engine.",
  );

const noVectors = (model: string, limitMs: number) => ({
  message: `${model} gave no embeddings within ${formatDuration(limitMs)}.`,
  action: "Give fewer or shorter texts, or raise the option `stallTimeoutMs`.",
  retryable: false,
});

/**
 * The model to use. A chat model would kill a service of core 2.x, so only a model that is known to
 * embed is sent to Foundry Local; other engines refuse one that cannot.
 */
async function chosen(
  { service, loader }: Pick<Connection, "service" | "loader">,
  dialect: Dialect,
  { model: typed, signal, onStatus, trace }: EmbedContext,
): Promise<ResolvedModel> {
  if (typed === undefined) {
    const { models } = await service.models.recent({ signal, trace });
    const model = readiest(models.filter((each) => canEmbed(each) === true));
    if (model === undefined) throw noEmbedder(dialect);
    if (model.downloaded === false) {
      throw await loader.missing.explained(notDownloaded(model), model);
    }
    return { model, typed: spelledName(model), reason: null };
  }
  const resolved = await loader.resolveModel(typed, { signal, onStatus, trace });
  const can = canEmbed(resolved.model);
  if (can === true || (can === null && !dialect.can.isFoundryLocal)) return resolved;
  throw cannotEmbed(resolved.model);
}

const readiest = (models: readonly KnownModel[]): KnownModel | undefined =>
  models.find(({ loaded }) => loaded === true) ??
  models.find(({ downloaded }) => downloaded === true) ??
  models.find(({ downloaded }) => downloaded === null) ??
  models[0];

const notDownloaded = (model: KnownModel): FoundryError =>
  new FoundryError("MODEL_NOT_CACHED", "No embedding model is downloaded.", {
    action: `Download ${model.id}, then try again.`,
  });

const noEmbedder = ({ can }: Dialect): FoundryError =>
  new FoundryError("MODEL_CANNOT_EMBED", "The service lists no embedding model.", {
    action: can.isFoundryLocal
      ? "Get one, such as `foundry model download qwen3-embedding-0.6b`, then try again."
      : "Let the engine serve an embedding model, or name one in the call.",
  });

const cannotEmbed = (model: KnownModel): FoundryError =>
  new FoundryError(
    "MODEL_CANNOT_EMBED",
    model.task === null
      ? `${model.id} is not known to make embeddings.`
      : `${model.id} is a model for ${model.task}, not for embeddings.`,
    { action: "Leave the model out, or choose one whose task is embeddings from `listModels`." },
  );
