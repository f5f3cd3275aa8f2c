import * as z from "zod";
import { completionFields, type ModelInfo } from "../../foundry/index.js";
import { counted, wholeNumber } from "../../lib/index.js";
import { defineTool } from "../tool.js";

const FILTERS = ["downloaded", "loaded", "all"] as const;
const DEFAULT_LIMIT = 25;

export const listModels = defineTool({
  name: "list_models",
  title: "List local models",
  description:
    "Lists local models: name, downloaded, loaded, size, device, task, context length. Absent means unknown.",
  arguments: z.strictObject({
    filter: z
      .enum(FILTERS, { error: `one of ${FILTERS.join(", ")}` })
      .describe("Default: downloaded")
      .optional(),
    search: completionFields.model.describe("Part of a name").optional(),
    task: completionFields.model.describe("e.g. embeddings").optional(),
    limit: wholeNumber({ min: 1, max: 500 }).describe(`Default: ${DEFAULT_LIMIT}`).optional(),
  }),
  result: z.object({
    models: z.array(
      z.looseObject({
        alias: z.string().nullable(),
        id: z.string(),
        downloaded: z.boolean().nullable(),
        loaded: z.boolean().nullable(),
      }),
    ),
    default_model: z.string().nullable(),
    truncated: z.boolean().nullable(),
  }),
  effect: "reads",

  async handle(
    { filter = "downloaded", search, task, limit = DEFAULT_LIMIT },
    { client, signal, trace, progress },
  ) {
    const [listed] = await Promise.all([
      client.listModels({
        signal,
        trace,
        onStatus: (news) => progress.news(news, "Reading the list of models"),
      }),
      client.service.speeds?.read(),
    ]);
    const speedOf = (model: ModelInfo): number | null =>
      client.service.speeds?.of(model)?.tokensPerSecond ?? null;
    const matching = listed.models.filter((model) => isFound(model, search) && isFor(model, task));
    const fitting = matching.filter((model) => passes(model, filter));
    const models = fitting.slice(0, limit);
    const isNarrow = search !== undefined || task !== undefined;
    const asked = { filter, isNarrow, all: listed.models.length, matching: matching.length };
    const { defaultModel } = listed;
    const text = [
      ...(models.length === 0 ? [] : [headline(models.length, fitting.length)]),
      ...models.map((model) => lineOf(model, speedOf(model))),
      `Default model: ${defaultModel ?? "none, name one"}.`,
    ].join("\n");
    return {
      next: models.length === 0 ? nothingFits(asked) : null,
      notes: notes(models, filter, listed.warning),
      text,
      result: {
        models: models.map((model) => resultOf(model, speedOf(model))),
        default_model: defaultModel,
        truncated: fitting.length > models.length || null,
      },
    };
  },
});

/** Models of unknown download state are included, since they may be usable. */
function passes({ downloaded, loaded }: ModelInfo, filter: (typeof FILTERS)[number]): boolean {
  if (filter === "loaded") return loaded === true;
  return filter === "all" || downloaded !== false;
}

function isFound({ id, alias }: ModelInfo, search: string | undefined): boolean {
  const wanted = search?.trim().toLowerCase() ?? "";
  return `${alias ?? ""} ${id}`.toLowerCase().includes(wanted);
}

function isFor({ task }: ModelInfo, wanted: string | undefined): boolean {
  if (wanted === undefined || task === null) return true;
  return task.toLowerCase().includes(wanted.trim().toLowerCase());
}

interface Asked {
  readonly filter: (typeof FILTERS)[number];
  /** With `search` or `task`. */
  readonly isNarrow: boolean;
  /** Models of the service. */
  readonly all: number;
  /** Models that match `search` and `task`, whatever the filter. */
  readonly matching: number;
}

function headline(shown: number, fitting: number): string {
  if (fitting === shown) return `${counted(shown, "model")}:`;
  return `${shown} of ${counted(fitting, "model")}; ${fitting - shown} more with a higher limit, or narrow the search:`;
}

function nothingFits({ filter, isNarrow, all, matching }: Asked): string {
  if (all === 0) {
    return "The service lists no models; health_check reports why. Engines other than Foundry Local may have models that they do not list: try one by its name in complete.";
  }
  if (filter === "loaded" && !isNarrow) {
    return "No model is known to be loaded. complete loads one by itself.";
  }
  if (matching === 0)
    return `None of the service's ${counted(all, "model")} fits; leave search and task out.`;
  const which = isNarrow ? "No matching model" : "No model";
  return `${which} is ${filter}; filter "all" lists ${counted(matching, "model")}.`;
}

function lineOf(model: ModelInfo, speed: number | null): string {
  const { alias, id, loaded, downloaded, sizeMb, device, task, contextLength } = model;
  const facts = [
    loaded === true ? "loaded" : downloaded === false ? "not downloaded" : null,
    device,
    task,
    sizeMb === null ? null : `${Math.round(sizeMb)} MB`,
    contextLength === null ? null : `${contextLength} tokens of context`,
    speed === null ? null : `${counted(speed, "token")} a second measured`,
  ].filter((fact) => fact !== null);
  const name = alias === null || alias === id ? id : `${alias} (${id})`;
  return `- ${name}${facts.length > 0 ? `: ${facts.join(", ")}` : ""}`;
}

function notes(
  models: readonly ModelInfo[],
  filter: (typeof FILTERS)[number],
  warning: string | null,
): string[] {
  const unknown = models.filter(({ downloaded }) => downloaded === null).length;
  const isUnclear = filter !== "loaded" && unknown > 0;
  return [
    ...(isUnclear ? ["The service does not report which of these models are downloaded."] : []),
    ...(warning === null ? [] : [warning]),
  ];
}

function resultOf(model: ModelInfo, speed: number | null) {
  return {
    alias: model.alias === model.id ? null : model.alias,
    id: model.id,
    downloaded: model.downloaded,
    loaded: model.loaded,
    size_mb: model.sizeMb,
    device: model.device,
    task: model.task,
    context_length: model.contextLength,
    max_output_tokens: model.maxOutputTokens,
    tool_calling: model.toolCalling || null,
    vision: model.vision || null,
    license: model.license,
    tokens_per_second: speed,
  };
}
