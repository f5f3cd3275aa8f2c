import { isMembers } from "../../lib/index.js";
import { parametersOf, type ToolDefinition } from "../tools/index.js";
import { mapSchemas, type Schema } from "./schema-parts.js";
import { withoutKeywords } from "./schema-refusals.js";

/**
 * A JSON Schema as the parameters of a tool of C1 and C2 2.0. Both look for references outside of the
 * parameters, where the definitions are not, and refuse keywords that they do not know. A stream of C1
 * breaks off without a reason then (docs/foundry-local.md, section 4).
 */

/** The answer is checked here for what they demand. */
const UNKNOWN_THERE = ["uniqueItems", "not", "if", "then", "else"];
/** References to references can make a large schema of a small one. */
const MOST_REFERENCES = 500;
/** Members that say nothing about the value. */
const ANNOTATIONS = new Set(["title", "description", "default", "examples", "deprecated"]);

/** `null` where the schema is not of an object, or refers to itself or to what it does not define. */
export function callParameters(schema: Schema): Schema | null {
  if (schema["type"] !== "object") return null;
  const whole = new References(schema).resolved();
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

class References {
  readonly #root: Schema;
  readonly #open: string[] = [];
  #count = 0;
  #isResolved = true;

  constructor(root: Schema) {
    this.#root = root;
  }

  /** The schema with the definitions in place of the references to them. */
  resolved(): Schema | null {
    const { $defs: _defs, definitions: _definitions, ...rest } = this.#root;
    const whole = this.#within(rest);
    return this.#isResolved ? whole : null;
  }

  #within(schema: Schema): Schema {
    if (!this.#isResolved) return schema;
    const { $ref: reference, ...beside } = schema;
    if (typeof reference !== "string") return this.#members(schema);
    const definition = this.#definition(reference);
    if (definition === null) {
      this.#isResolved = false;
      return schema;
    }
    this.#open.push(reference);
    const found = this.#within(definition);
    this.#open.pop();
    const rest = this.#members(beside);
    if (Object.keys(rest).every((name) => ANNOTATIONS.has(name))) return { ...found, ...rest };
    return { allOf: [found, rest] };
  }

  #members(schema: Schema): Schema {
    return Object.fromEntries(
      Object.entries(schema).map(([name, value]) => [
        name,
        mapSchemas(name, value, (each) => this.#within(each)),
      ]),
    );
  }

  #definition(reference: string): Schema | null {
    this.#count += 1;
    if (this.#open.includes(reference) || this.#count > MOST_REFERENCES) return null;
    const [root, ...steps] = reference.split("/");
    if (root !== "#" || steps.length === 0) return null;
    let at: unknown = this.#root;
    for (const step of steps) {
      const name = step.replaceAll("~1", "/").replaceAll("~0", "~");
      at = isMembers(at) && Object.hasOwn(at, name) ? at[name] : undefined;
    }
    return isMembers(at) ? at : null;
  }
}
