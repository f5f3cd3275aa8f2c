import { createHash } from "node:crypto";
import { errorWordsOf, type HttpTransport } from "../../http/index.js";
import {
  type FoundryError,
  isMembers,
  MOST_SCHEMAS_REMEMBERED,
  RecentMap,
} from "../../lib/index.js";
import { mapSchemas, type Schema, schemasIn } from "./schema-parts.js";

/**
 * What an engine refuses of one JSON Schema. Other schemas of the same model can still be sent. The answer
 * is checked by this client, so a schema may be sent without the keywords that the engine does not know.
 */

/** The keywords that a schema is sent without. `all`: the schema is not sent. */
type Omitted = readonly string[] | "all";

const NOTHING_OMITTED: Omitted = [];

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

const UNEVALUATED = ["unevaluatedItems", "unevaluatedProperties"] as const;

/** Keywords that depend on another one are removed with it. */
const TOGETHER: ReadonlyMap<string, readonly string[]> = new Map([
  ["if", ["if", "then", "else", ...UNEVALUATED]],
  ["contains", ["contains", "minContains", "maxContains", ...UNEVALUATED]],
  // Without it, one element at least would have to match.
  ["minContains", ["contains", "minContains", "maxContains", ...UNEVALUATED]],
  ["patternProperties", ["patternProperties", "additionalProperties", "unevaluatedProperties"]],
  // `unevaluated…` refuses the members and elements that these would have named.
  ...["then", "else", "oneOf", "anyOf", "allOf", "dependentSchemas"].map(
    (keyword): [string, readonly string[]] => [keyword, [keyword, ...UNEVALUATED]],
  ),
]);

/** Inside these, a removal allows fewer values. */
const INVERTED = new Set(["if", "not"]);

/** The schema without these keywords wherever they are keywords, and not names of members of the value. */
export function withoutKeywords(schema: Schema, keywords: readonly string[]): Schema {
  return Object.fromEntries(
    Object.entries(schema).flatMap(([name, value]) => {
      if (keywords.includes(name)) return [];
      if (INVERTED.has(name)) return hasKeyword(value, keywords) ? [] : [[name, value]];
      return [[name, mapSchemas(name, value, (each) => withoutKeywords(each, keywords))]];
    }),
  );
}

const hasKeyword = (value: unknown, keywords: readonly string[]): boolean => {
  const used = isMembers(value) ? usedKeywords(value) : new Set<string>();
  return keywords.some((keyword) => used.has(keyword));
};

function usedKeywords(schema: Schema, used: Set<string> = new Set()): ReadonlySet<string> {
  for (const [name, value] of Object.entries(schema)) {
    used.add(name);
    for (const each of schemasIn(name, value)) usedKeywords(each, used);
    if (INVERTED.has(name) && isMembers(value)) usedKeywords(value, used);
  }
  return used;
}

/** OpenAI quotes the path to the part of the schema, whose steps are keywords as well. */
const PATH = /in context ?=? ?\([^)]*\)/gi;

/** The keywords of a schema that the words of an engine name as the reason of a refusal. */
function keywordsIn(text: string, schema: Schema): readonly string[] {
  const words = text.replace(PATH, " ");
  const used = usedKeywords(schema);
  const named = OMITTABLE.filter(
    (keyword) => used.has(keyword) && patternOf(keyword).test(words),
  ).flatMap((keyword) => TOGETHER.get(keyword) ?? [keyword]);
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
export function isAboutSchema(text: string, schema: Schema): boolean {
  if (NO_CONSTRAINTS.test(text)) return false;
  if (ABOUT_SCHEMA.test(text) || keywordsIn(text, schema).length > 0) return true;
  return !NOT_SUPPORTED.test(text);
}

const omittedBy = new WeakMap<HttpTransport, Map<string, Omitted>>();

/**
 * One schema for one model of an endpoint, as it is sent. After a refusal it is sent once more without the
 * keywords that the engine names, then not at all. That is remembered for the same schema.
 */
export class SchemaOffer {
  readonly #transport: HttpTransport;
  readonly #schema: Schema | undefined;
  readonly #key: string;
  #omitted: Omitted;

  constructor(transport: HttpTransport, model: string, schema: Schema | undefined) {
    this.#transport = transport;
    this.#schema = schema;
    this.#key = schema === undefined ? "" : `${hashOf(schema)} ${model}`;
    this.#omitted = omittedBy.get(transport)?.get(this.#key) ?? NOTHING_OMITTED;
  }

  /** `undefined`: no schema is sent. */
  get schema(): Schema | undefined {
    if (this.#schema === undefined || this.#omitted === "all") return undefined;
    return this.#omitted.length === 0 ? this.#schema : withoutKeywords(this.#schema, this.#omitted);
  }

  refused({ detail }: FoundryError): void {
    const wasWhole = this.#omitted !== "all" && this.#omitted.length === 0;
    const { text } = errorWordsOf(detail ?? "", "", "");
    const named = wasWhole ? keywordsIn(text, this.#schema ?? {}) : [];
    this.#omitted = named.length === 0 ? "all" : named;
  }

  remember(): void {
    if (this.#omitted === NOTHING_OMITTED) return;
    const all =
      omittedBy.get(this.#transport) ?? new RecentMap<string, Omitted>(MOST_SCHEMAS_REMEMBERED);
    omittedBy.set(this.#transport, all.set(this.#key, this.#omitted));
  }
}

const hashOf = (schema: Schema): string =>
  createHash("sha256").update(JSON.stringify(schema)).digest("base64");
