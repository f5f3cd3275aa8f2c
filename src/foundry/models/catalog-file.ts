import { join } from "node:path";
import * as z from "zod";
import { CATALOG_FILE_BYTES, jsonFrom } from "../../lib/index.js";
import type { Logger } from "../../log.js";
import { readSmallFile } from "../../platform/index.js";
import { deviceOf, type ModelInfo, parseModelId } from "./model.js";

/**
 * The catalog that Foundry Local keeps beside its models. REST shows neither aliases nor sizes on
 * C2, this file does (docs/foundry-local.md, section 6). Another program writes it, so it is parsed
 * leniently, and nothing depends on it.
 */

/** The facts in a catalog file about a model. */
export type CatalogFacts = Omit<ModelInfo, "name" | "version" | "loaded" | "downloaded">;

/** A model that the user registered, and its folder. */
export interface RegisteredModel extends CatalogFacts {
  readonly modelPath: string | null;
}

const optional = <T extends z.ZodType>(schema: T) => schema.nullish().catch(null);
const text = optional(z.string());
const count = optional(z.number().int().nonnegative());
const flag = optional(z.boolean());
const properties = z.record(z.string(), z.unknown());

const entrySchema = z.object({
  id: z.string().min(1),
  alias: text,
  task: text,
  license: text,
  fileSizeMb: optional(z.number().nonnegative()),
  contextLength: count,
  maxOutputTokens: count,
  supportsToolCalling: flag,
  inputModalities: text,
  runtime: optional(z.object({ deviceType: text, executionProvider: text })),
  /** From 2.1 on some facts are only here, as strings and integers by snake_case name. */
  stringProperties: optional(properties),
  intProperties: optional(properties),
});
type Entry = z.infer<typeof entrySchema>;

const publicFileSchema = z.object({ models: z.array(z.unknown()) });
const localFileSchema = z.object({
  models: z.array(z.object({ model_info: z.unknown(), model_path: text })),
});

const PUBLIC_FILE = "foundry.modelinfo.json";
const LOCAL_FILE = "foundry.local.modelinfo.json";

/** The catalog of the public models under `directory`; empty when there is none or it cannot be read. */
export async function readPublicCatalog(directory: string, log: Logger): Promise<CatalogFacts[]> {
  const file = publicFileSchema.safeParse(await readJson(join(directory, PUBLIC_FILE), log));
  return file.success ? file.data.models.flatMap((entry) => factsOf(entry)) : [];
}

export async function readLocalCatalog(directory: string, log: Logger): Promise<RegisteredModel[]> {
  const file = localFileSchema.safeParse(await readJson(join(directory, LOCAL_FILE), log));
  if (!file.success) return [];
  return file.data.models.flatMap(({ model_info, model_path }) =>
    factsOf(model_info).map((facts) => ({ ...facts, modelPath: model_path || null })),
  );
}

function factsOf(raw: unknown): CatalogFacts[] {
  const parsed = entrySchema.safeParse(raw);
  if (!parsed.success) return [];
  const entry = parsed.data;
  const modalities = entry.inputModalities ?? textProperty(entry, "input_modalities");
  const callsTools = intProperty(entry, "supports_tool_calling");
  const provider = entry.runtime?.executionProvider ?? textProperty(entry, "execution_provider");
  const facts = {
    id: entry.id,
    alias: entry.alias ?? null,
    task: entry.task ?? textProperty(entry, "task"),
    license: entry.license ?? textProperty(entry, "license"),
    // Rounded down: 0 means "less than a megabyte" or "unknown".
    sizeMb: entry.fileSizeMb || intProperty(entry, "filesize_mb") || null,
    device: deviceOf(entry.runtime?.deviceType ?? textProperty(entry, "device_type")),
    executionProvider: provider,
    contextLength: entry.contextLength ?? intProperty(entry, "context_length"),
    maxOutputTokens: entry.maxOutputTokens ?? intProperty(entry, "max_output_tokens"),
    toolCalling: entry.supportsToolCalling ?? (callsTools === null ? null : callsTools !== 0),
    vision: modalities ? /image/i.test(modalities) : null,
  };
  return [facts];
}

function textProperty(entry: Entry, name: string): string | null {
  const value = entry.stringProperties?.[name];
  return typeof value === "string" && value !== "" ? value : null;
}

function intProperty(entry: Entry, name: string): number | null {
  const value = entry.intProperties?.[name];
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : null;
}

async function readJson(path: string, log: Logger): Promise<unknown> {
  const limits = { maxBytes: CATALOG_FILE_BYTES };
  const read = await readSmallFile(path, limits);
  const value = "text" in read ? jsonFrom(read.text) : undefined;
  // It is often absent: on another machine, with another application, with an older service.
  const fault = "fault" in read ? read.fault : value === undefined ? "damaged" : null;
  if (fault === "absent") log.debug({ file: path, fault }, "catalog file not read");
  else if (fault !== null) log.warn({ file: path, fault }, "catalog file not read");
  return value;
}

/** The alias of a model that the user registered: its name without the variant (section 2). */
export function aliasOfRegistered(id: string): string {
  const { name } = parseModelId(id);
  return name.replace(/-generic-(cpu|gpu|npu)$/i, "");
}
