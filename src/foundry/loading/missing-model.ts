import type { FoundryError } from "../../lib/index.js";
import type { ModelDownloader } from "../downloads/index.js";
import {
  canChat,
  DEFAULT_MODEL,
  findModel,
  type KnownModel,
  modelKey,
  modelToDownload,
  type RequestNeeds,
  shortName,
} from "../models/index.js";
import type { Service } from "../service/index.js";

/** Names of models that one advice contains. */
const MOST_NAMES = 3;

/**
 * What to do about a model that is not downloaded. The answer depends on the service: some
 * download over HTTP, some through the command line, and others cannot download at all.
 */
export class MissingModels {
  readonly #service: Service;
  readonly #downloader: Pick<ModelDownloader, "advice">;

  constructor(service: Service, downloader: Pick<ModelDownloader, "advice">) {
    this.#service = service;
    this.#downloader = downloader;
  }

  /** The same error with advice that is possible on this service. */
  async explained(error: FoundryError, model: KnownModel): Promise<FoundryError> {
    if (error.code !== "MODEL_NOT_CACHED") return error;
    const { models } = await this.#service.models.recent().catch(() => ({ models: [] }));
    const isThere = models.some((each) => isSame(each, model) && each.downloaded === true);
    const { can } = await this.#service.dialect();
    if (isThere && model.downloaded === true && !can.isOldGeneration) {
      return error.reworded(unseen(model));
    }
    const others = models.filter((other) => shortName(other) !== shortName(model));
    // By its short name, a call would take the variant that is downloaded.
    const isOnly = !models.some((each) => !others.includes(each) && each.downloaded === true);
    const advice = await this.#downloader.advice(model, isOnly ? undefined : model.id);
    const action = `${advice}${insteadOf(others)}`;
    return error.reworded({ action });
  }

  /**
   * The error of a completion without a model, where none that can chat is downloaded.
   *
   * @param needs Of a completion that asks for "auto".
   */
  async noneToChoose(
    error: FoundryError,
    models: readonly KnownModel[],
    needs?: RequestNeeds,
  ): Promise<FoundryError> {
    if (error.code !== "MODEL_NOT_CACHED") return error;
    if (needs === undefined) return error.reworded({ action: await this.adviceForAny(models) });
    const model = modelToDownload(models, needs, DEFAULT_MODEL);
    if (model !== null) return error.reworded({ action: await this.#downloader.advice(model) });
    return models.some((each) => canChat(each) !== false && each.downloaded !== false)
      ? error
      : error.reworded({ action: await this.adviceForAny(models) });
  }

  /** What to do where no model that can chat is downloaded. */
  async adviceForAny(models: readonly KnownModel[]): Promise<string> {
    const { can } = await this.#service.dialect();
    if (!can.isFoundryLocal) {
      return "Let the engine serve a model that can chat, with its own tools, then try again.";
    }
    const model =
      findModel(DEFAULT_MODEL, models) ?? models.find((other) => canChat(other) !== false);
    if (model !== undefined) return this.#downloader.advice(model);
    const where = this.#service.isOnThisMachine ? "" : " on the machine of the service";
    return `The service lists no model that \`loadModel\` could download. Run \`foundry model download ${DEFAULT_MODEL}\`${where}, or download a model in the application that brought the service, then try again.`;
  }
}

const isSame = (one: KnownModel, other: KnownModel): boolean => modelKey(one) === modelKey(other);

/** Core 2 does not see files that come after it has looked for them (docs/foundry-local.md, section 6). */
const unseen = ({ id, family }: KnownModel) =>
  family === "local"
    ? {
        message: `The service does not see the files of ${id}, which is registered with it.`,
        action: `Put its folder back to where it was, or register it again. ${RESTART}`,
      }
    : {
        message: `The service does not see ${id}, although it is on its disk.`,
        action: RESTART,
      };

const RESTART =
  "Restart the service, by `foundry server restart` or with the application that brought it: it looks for its models at its start. Then try again.";

/** The downloaded models as an alternative; an empty text without any. */
function insteadOf(models: readonly KnownModel[]): string {
  const usable = models.filter((model) => model.downloaded === true && canChat(model) !== false);
  const names = [...new Set(usable.map(shortName))].slice(0, MOST_NAMES);
  if (names.length === 0) return "";
  const which = names.length === 1 ? "the downloaded model" : "a downloaded model:";
  return ` Or use ${which} ${names.map((name) => `"${name}"`).join(", ")}.`;
}
