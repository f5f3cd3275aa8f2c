import { hash } from "node:crypto";
import { errorWordsOf, type HttpTransport } from "../../http/index.js";
import {
  type FoundryError,
  isMembers,
  LONGEST_SCHEMA,
  MOST_SCHEMAS_REMEMBERED,
  RecentMap,
  referredTo,
} from "../../lib/index.js";
import type { JsonSchema } from "../structured/index.js";
import { parametersOf, type ToolDefinition } from "../tools/index.js";

/**
 * JSON Schemas in the form that a service takes: without the keywords that it refuses, and without references
 * where it cannot follow them. The answer is checked by this client, so the schema that is sent may allow more.
 */

/** Members whose values are schemas, lists of schemas, and schemas by a name. */
const SCHEMA = new Set([
  "additionalItems",
  "additionalProperties",
  "contains",
  "contentSchema",
  "else",
  "items",
  "propertyNames",
  "then",
  "unevaluatedItems",
  "unevaluatedProperties",
]);
const SCHEMAS = new Set(["allOf", "anyOf", "items", "oneOf", "prefixItems"]);
const NAMED_SCHEMAS = new Set([
  "$defs",
  "definitions",
  "dependencies",
  "dependentSchemas",
  "patternProperties",
  "properties",
]);

/** The schema with those directly within it changed. A member of `properties` is one whatever its name is. */
function mapSchemas(schema: JsonSchema, change: (schema: JsonSchema) => JsonSchema): JsonSchema {
  const changed = (each: unknown): unknown => (isMembers(each) ? change(each) : each);
  const changedIn = (name: string, value: unknown): unknown => {
    if (SCHEMAS.has(name) && Array.isArray(value)) return value.map(changed);
    if (!isMembers(value)) return value;
    if (SCHEMA.has(name)) return change(value);
    if (!NAMED_SCHEMAS.has(name)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, changed(each)]));
  };
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [name, changedIn(name, value)]),
  );
}

/** Inside these, a removal can allow fewer values. */
const INVERTED = ["if", "not", "contains"];

const UNEVALUATED = ["unevaluatedItems", "unevaluatedProperties"] as const;

/** The schema without these keywords wherever they are keywords, and not names of members of the value. */
function withoutKeywords(schema: JsonSchema, keywords: readonly string[]): JsonSchema {
  // `unevaluated…` refuses the members and elements that a removed keyword would have named.
  const all = usesOne(usedKeywords(schema), keywords) ? [...keywords, ...UNEVALUATED] : keywords;
  const reduced = (each: JsonSchema): JsonSchema => {
    const changed = INVERTED.filter((name) => hasKeyword(each[name], all));
    const gone = [...all, ...changed.flatMap(withDependents)];
    const kept = Object.entries(each).filter(([name]) => !gone.includes(name));
    return mapSchemas(withoutOneOf(Object.fromEntries(kept), all), reduced);
  };
  return reduced(schema);
}

/** With `anyOf` where a keyword is removed: without it the alternatives can be equal, and no value fits just one. */
function withoutOneOf(schema: JsonSchema, keywords: readonly string[]): JsonSchema {
  const { oneOf, ...rest } = schema;
  if (!Array.isArray(oneOf) || !oneOf.some((each) => hasKeyword(each, keywords))) return schema;
  return "anyOf" in rest || keywords.includes("anyOf") ? rest : { ...rest, anyOf: oneOf };
}

/** Whether a schema has one of the keywords, or a reference, behind which it may be. */
const hasKeyword = (value: unknown, keywords: readonly string[]): boolean =>
  isMembers(value) && usesOne(usedKeywords(value), ["$ref", ...keywords]);

const usesOne = (used: ReadonlySet<string>, keywords: readonly string[]): boolean =>
  keywords.some((keyword) => used.has(keyword));

function usedKeywords(schema: JsonSchema, used: Set<string> = new Set()): ReadonlySet<string> {
  const addFrom = (each: JsonSchema): JsonSchema => {
    usedKeywords(each, used);
    return each;
  };
  for (const name of Object.keys(schema)) used.add(name);
  mapSchemas(schema, addFrom);
  for (const name of ["if", "not"]) if (isMembers(schema[name])) addFrom(schema[name]);
  return used;
}

/** Keywords that both refuse. The answer is checked here for what they demand. */
const UNKNOWN_THERE = ["uniqueItems", "not", "if", "then", "else"];
/** References to references can make a large schema of a small one. */
const MOST_REFERENCES = 500;
/** Code units of all definitions that take the place of a reference. One counts for each reference to it. */
const MOST_DEFINED = 4 * LONGEST_SCHEMA;
/** Members that say nothing about the value. */
const ANNOTATIONS = new Set(["title", "description", "default", "examples", "deprecated"]);

/**
 * The parameters of a tool of C1 and C2 2.0. Both look for references outside of the parameters, where the
 * definitions are not, and refuse keywords that they do not know. A stream of C1 breaks off without a reason
 * then (docs/foundry-local.md, section 4).
 *
 * @returns `null` where the schema is not of an object, refers to itself or to what it does not define, or is
 *   far longer without its references.
 */
export function callParameters(schema: JsonSchema): JsonSchema | null {
  if (schema["type"] !== "object") return null;
  const whole = withoutReferences(schema);
  if (whole === null) return null;
  const { $schema: _draft, $defs: _defs, definitions: _definitions, ...rest } = whole;
  return withoutKeywords(rest, UNKNOWN_THERE);
}

/** The tools as one of them can be forced there; `null` where the parameters of one cannot be sent. */
export function forcedTools(tools: readonly ToolDefinition[]): readonly ToolDefinition[] | null {
  const sent: ToolDefinition[] = [];
  for (const tool of tools) {
    const parameters = callParameters(parametersOf(tool));
    if (parameters === null) return null;
    sent.push({ ...tool, function: { ...tool.function, parameters } });
  }
  return sent;
}

/** The schema with the definitions in place of the references to them; `null` where it has others. */
function withoutReferences(root: JsonSchema): JsonSchema | null {
  const open: string[] = [];
  let count = 0;
  let size = 0;
  let isResolved = true;

  const definitionOf = (reference: string): JsonSchema | null => {
    count += 1;
    if (open.includes(reference) || count > MOST_REFERENCES) return null;
    const at = referredTo(reference, root);
    if (!isMembers(at) || at === root) return null;
    size += JSON.stringify(at).length;
    return size > MOST_DEFINED ? null : at;
  };

  const within = (schema: JsonSchema): JsonSchema => {
    if (!isResolved) return schema;
    const { $ref: reference, ...beside } = schema;
    if (typeof reference !== "string") return mapSchemas(schema, within);
    const definition = definitionOf(reference);
    if (definition === null) {
      isResolved = false;
      return schema;
    }
    open.push(reference);
    const found = within(definition);
    open.pop();
    const rest = mapSchemas(beside, within);
    if (Object.keys(rest).every((name) => ANNOTATIONS.has(name))) return { ...found, ...rest };
    return { allOf: [found, rest] };
  };

  const { $defs: _defs, definitions: _definitions, ...rest } = root;
  const whole = within(rest);
  return isResolved ? whole : null;
}

/** Removing one of these allows more values, never fewer. */
const OMITTABLE = [
  "uniqueItems",
  "not",
  "if",
  "then",
  "else",
  "format",
  "pattern",
  "patternProperties",
  "propertyNames",
  "contains",
  "minContains",
  "maxContains",
  "minItems",
  "maxItems",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minProperties",
  "maxProperties",
  "dependencies",
  "dependentRequired",
  "dependentSchemas",
  "unevaluatedItems",
  "unevaluatedProperties",
  "contentEncoding",
  "contentMediaType",
  "contentSchema",
  "oneOf",
  "anyOf",
  "allOf",
] as const;

/** Without these, a model would no longer be shown what an argument is. */
const DESCRIBING: ReadonlySet<string> = new Set(["oneOf", "anyOf", "allOf"]);
const BOUNDS = OMITTABLE.filter((keyword) => !DESCRIBING.has(keyword));

/**
 * With `properties`, also of no parameters: LM Studio requires them, and templates of models read them.
 *
 * @param isUnbounded Without bounds, patterns and conditions: llama.cpp repeats rules of its grammar for each
 *   character of a `maxLength`, up to a limit.
 */
export function wireTool(tool: ToolDefinition, isUnbounded: boolean): ToolDefinition {
  const whole = parametersOf(tool);
  const parameters = isUnbounded ? withoutKeywords(whole, BOUNDS) : whole;
  return { ...tool, function: { ...tool.function, parameters } };
}

const CONTAINS = ["contains", "minContains", "maxContains"];

/** Keywords that are removed together, since they depend on each other. */
const TOGETHER: ReadonlyMap<string, readonly string[]> = new Map([
  ["if", ["if", "then", "else"]],
  ["contains", CONTAINS],
  // Without it, one element at least would have to match.
  ["minContains", CONTAINS],
  ["patternProperties", ["patternProperties", "additionalProperties"]],
]);

const withDependents = (keyword: string): readonly string[] => TOGETHER.get(keyword) ?? [keyword];

/** OpenAI quotes the path to the part of the schema, whose steps are keywords as well. */
const PATH = /in context ?=? ?\([^)]*\)/gi;

/** The keywords of a schema that the words of an engine name as the reason of a refusal. */
function keywordsIn(text: string, schema: JsonSchema): readonly string[] {
  const words = text.replace(PATH, " ");
  const used = usedKeywords(schema);
  const named = OMITTABLE.filter(
    (keyword) => used.has(keyword) && patternOf(keyword).test(words),
  ).flatMap(withDependents);
  return [...new Set(named)];
}

/** The words that name a keyword. Words of everyday language are keywords only in quotes. */
function patternOf(keyword: string): RegExp {
  if (keyword === "format") return UNKNOWN_FORMAT;
  if (keyword === "pattern" || keyword === "patternProperties") return BAD_PATTERN;
  const isEveryday = /^[a-z]+$/.test(keyword);
  return new RegExp(isEveryday ? `["'\`]${keyword}["'\`]` : `(?<!\\w)${keyword}(?!\\w)`);
}

const UNKNOWN_FORMAT =
  /["'`]format["'`]|(?:unknown|unsupported|unimplemented) (?:string )?format\b/i;
/** llama.cpp wants patterns that begin with `^`; others know no expressions that look ahead. */
const BAD_PATTERN =
  /["'`]pattern(?:Properties)?["'`]|patternProperties|\bpattern must\b|\bregex(?:es)?\b|\bregular expression/i;

/** The engine names the schema as what is wrong. */
const ABOUT_SCHEMA =
  /(?:invalid|unrecogni[sz]ed|unsupported|malformed|bad|broken) (?:json[_ ]?)?(?:sub)?schema\b|schema (?:conversion|is (?:invalid|malformed|too))|(?:schema|grammar)[^.]{0,60}\b(?:keyword|key|feature|constraint)s?\b|features? (?:that (?:is|are) )?not supported|unimplemented (?:key|feature)|error (?:creating|resolving)|(?:creat|pars|compil|build|generat|convert|process|initiali[sz])\w* (?:(?:a|the|json|samplers?) )*(?:grammar|schema)|(?:grammar|schema) (?:error|too)/i;

/** The engine, or this model of it, holds no answer to any schema. */
const NO_CONSTRAINTS =
  /\bdisabled\b|\bnot (?:enabled|available|installed|configured|loaded)\b|without (?:support|grammar)|['"`]?response_format(?:\.type)?['"`]? (?:must|should|has to) be|extra (?:inputs|fields?) (?:are )?not permitted|no parameters/i;
const NOT_SUPPORTED =
  /unsupported|unimplemented|unknown|unrecogni[sz]ed|unexpected|unpermitted|\bnot (?:yet |currently |an? )?(?:supported|implemented|allowed|permitted|recogni[sz]ed|accepted|known|valid)\b|(?:does|do|can)(?:n't|not| not)(?: yet| currently)? (?:support|accept|allow|use)/i;

/**
 * Whether an engine that refuses to hold an answer to a schema refuses this schema. Otherwise it refuses
 * each one. In doubt it is the schema: another schema costs a request then, and works where it can.
 */
export function isAboutSchema(text: string, schema: JsonSchema): boolean {
  if (NO_CONSTRAINTS.test(text)) return false;
  if (ABOUT_SCHEMA.test(text) || keywordsIn(text, schema).length > 0) return true;
  return !NOT_SUPPORTED.test(text);
}

/** The keywords that a schema is sent without. `all`: the schema is not sent. */
type Omitted = readonly string[] | "all";

const NOTHING_OMITTED: Omitted = [];

const omittedBy = new WeakMap<HttpTransport, Map<string, Omitted>>();

/**
 * One schema for one model of an endpoint, as it is sent. After a refusal it is sent once more without the
 * keywords that the engine names, then not at all. That is remembered for the same schema.
 */
export class SchemaOffer {
  readonly #transport: HttpTransport;
  readonly #schema: JsonSchema;
  readonly #key: string;
  #omitted: Omitted;

  constructor(transport: HttpTransport, model: string, schema: JsonSchema) {
    this.#transport = transport;
    this.#schema = schema;
    const digest = hash("sha256", JSON.stringify(schema), "base64");
    this.#key = `${digest} ${model}`;
    this.#omitted = omittedBy.get(transport)?.get(this.#key) ?? NOTHING_OMITTED;
  }

  /** `undefined`: no schema is sent. */
  get schema(): JsonSchema | undefined {
    if (this.#omitted === "all") return undefined;
    return this.#omitted.length === 0 ? this.#schema : withoutKeywords(this.#schema, this.#omitted);
  }

  refused({ detail }: FoundryError): void {
    const wasWhole = this.#omitted !== "all" && this.#omitted.length === 0;
    const { text } = errorWordsOf(detail ?? "", "", "");
    const named = wasWhole ? keywordsIn(text, this.#schema) : [];
    this.#omitted = named.length === 0 ? "all" : named;
  }

  remember(): void {
    if (this.#omitted === NOTHING_OMITTED) return;
    const all =
      omittedBy.get(this.#transport) ?? new RecentMap<string, Omitted>(MOST_SCHEMAS_REMEMBERED);
    omittedBy.set(this.#transport, all.set(this.#key, this.#omitted));
  }
}
