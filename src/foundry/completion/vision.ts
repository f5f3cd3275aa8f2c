import { FoundryError } from "../../lib/index.js";
import type { ChatMessage, Dialect } from "../dialects/index.js";
import { canSee, type KnownModel } from "../models/index.js";

/**
 * Refuses images for a model that takes none, before anything is loaded or sent. A service would drop them
 * without a word, or fail.
 *
 * @throws FoundryError `MODEL_CANNOT_SEE`
 */
export function assertCanSee(
  model: KnownModel,
  dialect: Dialect,
  messages: readonly ChatMessage[],
): void {
  if (messages.every(({ images }) => images === undefined)) return;
  if (!dialect.can.images) {
    throw new FoundryError("MODEL_CANNOT_SEE", `${dialect.title} gives no images to its models.`, {
      action: "Leave the images out, or use another engine with a model that takes images.",
    });
  }
  // A catalog that names the task of a model says so of every model that takes images.
  const sees = canSee(model) ?? (dialect.can.isFoundryLocal && model.task !== null ? false : null);
  if (sees !== false) return;
  throw new FoundryError("MODEL_CANNOT_SEE", `${model.id} takes no images. Nothing was sent.`, {
    action:
      'Leave the images out, or name a model that takes images: "auto" chooses one, and `listModels` shows them with the task vision-language-chat.',
  });
}
