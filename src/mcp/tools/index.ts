import type { Tool } from "../tool.js";
import { askDocuments } from "./ask-documents.js";
import { cancelCompletion } from "./cancel-completion.js";
import { complete } from "./complete.js";
import { completeBatch } from "./complete-batch.js";
import { embedTool } from "./embed.js";
import { getCompletion } from "./get-completion.js";
import { healthCheck } from "./health-check.js";
import { listModels } from "./list-models.js";
import { loadModel } from "./load-model.js";
import { unloadModel } from "./unload-model.js";

/** In the order in which hosts list them. */
export const TOOLS: readonly Tool[] = [
  complete,
  getCompletion,
  cancelCompletion,
  completeBatch,
  embedTool,
  listModels,
  loadModel,
  unloadModel,
  healthCheck,
];

/** With those that are listed only where the user allowed folders; a call is refused without. */
export const TOOLS_WITH_FILES: readonly Tool[] = [...TOOLS, askDocuments];
