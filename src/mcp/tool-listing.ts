import type { ToolAnnotations, Tool as ToolListing } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { Effect, Tool } from "./tool.js";

/**
 * Hosts use these to decide whether to ask the user first. `openWorldHint` is false: the tools use models
 * of this machine only. No data is lost: an unloaded model is loaded again when it is used.
 */
const ANNOTATIONS: Readonly<Record<Effect, ToolAnnotations>> = {
  reads: { readOnlyHint: true, openWorldHint: false },
  // May load a model, which takes memory; and each call is a new answer.
  generates: { readOnlyHint: false, destructiveHint: false, openWorldHint: false },
  changes: {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
};

/** Claude Code cuts longer results than this off: here above every text that we return, as JSON. */
const LONG_RESULT = { "anthropic/maxResultSizeChars": 200_000 };

/** Arguments that are listed only where the user allowed folders; they are taken, and refused, always. */
const FILE_ARGUMENTS: ReadonlySet<string> = new Set(["files", "whole", "write_to"]);
/** With `files` they need not be given. */
const REPLACED_BY_FILES = "texts";

/** A tool as `tools/list` has it, with or without the arguments for files. */
export function listingOf(tool: Tool, withFiles = false): ToolListing {
  return {
    name: tool.name,
    title: tool.title,
    description: tool.description,
    inputSchema: jsonSchemaOf(tool.arguments, (schema) => {
      withoutBounds(schema);
      if (withFiles) needNoTexts(schema);
      else dropFileArguments(schema);
    }),
    outputSchema: jsonSchemaOf(tool.result, withoutBounds),
    annotations: ANNOTATIONS[tool.effect],
    ...(tool.quotesModel === true && { _meta: LONG_RESULT }),
  };
}

/**
 * A zod object as JSON Schema, as short as it can be without saying less: hosts put it into the
 * context of their model, where each byte costs.
 */
export function jsonSchemaOf(
  schema: z.ZodObject,
  change: (schema: MutableSchema) => void = () => {},
): { [key: string]: unknown; type: "object" } {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io: "input",
    // Its listed form is another one.
    unrepresentable: "any",
    override: ({ jsonSchema, zodSchema }) => {
      // Hosts add arguments of their own, which are ignored.
      delete jsonSchema.additionalProperties;
      delete jsonSchema.propertyNames;
      // What every JSON number is limited to needs no saying.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (zodSchema instanceof z.ZodNullable) takeFirst(jsonSchema);
      if ("listed" in jsonSchema) takeListed(jsonSchema);
      if (zodSchema instanceof z.ZodObject) dropNullable(jsonSchema, zodSchema);
      change(jsonSchema);
    },
  });
  return { ...rest, type: "object" };
}

type MutableSchema = z.core.JSONSchema.BaseSchema;

/** A schema may bring a shorter form of itself, of which the text of a tool says the rest. */
function takeListed(schema: MutableSchema): void {
  const { listed } = schema;
  for (const key of Object.keys(schema)) delete schema[key];
  Object.assign(schema, listed);
}

/** A member of a result that is `null` is left out, so its schema has no `null`. */
function takeFirst(schema: MutableSchema): void {
  const [value] = schema.anyOf ?? [];
  delete schema.anyOf;
  Object.assign(schema, value);
}

function dropNullable(schema: MutableSchema, { shape }: z.ZodObject): void {
  const required = schema.required?.filter((name) => !(shape[name] instanceof z.ZodNullable)) ?? [];
  delete schema.required;
  if (required.length > 0) schema.required = required;
}

function needNoTexts(schema: MutableSchema): void {
  const { required } = schema;
  if (required !== undefined)
    schema.required = required.filter((name) => name !== REPLACED_BY_FILES);
}

function dropFileArguments(schema: MutableSchema): void {
  const { properties } = schema;
  if (properties === undefined) return;
  // A copy: it may be the listed schema of a tool itself.
  schema.properties = Object.fromEntries(
    Object.entries(properties).filter(([name]) => !FILE_ARGUMENTS.has(name)),
  );
}

/**
 * A host that checks the arguments itself would refuse what the server takes, such as an empty list of an
 * optional argument. The refusal of a value says what is allowed.
 */
function withoutBounds(schema: MutableSchema): void {
  delete schema.minimum;
  delete schema.maximum;
  delete schema.minLength;
  delete schema.minItems;
  delete schema.maxItems;
  delete schema.pattern;
}
