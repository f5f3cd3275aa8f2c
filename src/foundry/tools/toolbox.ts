import { randomUUID } from "node:crypto";
import {
  answerFrom,
  FoundryError,
  hasMoreValues,
  isMembers,
  jsonFrom,
  LONGEST_CALL_ID,
  MOST_ANSWER_VALUES,
  printable,
  quoted,
  referredTo,
} from "../../lib/index.js";
import { type JsonSchema, loadCheck, loadRepair, type SchemaCheck } from "../structured/index.js";
import type { RawCall, ToolCall, ToolChoice, ToolDefinition } from "./tool.js";
import type { Repair } from "./written-calls.js";

interface Offered {
  readonly name: string;
  readonly parameters: JsonSchema;
  readonly check: SchemaCheck;
}

/** The tools of a request, which the calls of an answer are checked by. */
export class Toolbox {
  readonly repair: Repair;
  readonly #tools: readonly Offered[];

  constructor(tools: readonly Offered[], repair: Repair) {
    this.#tools = tools;
    this.repair = repair;
  }

  isOffered(name: string): boolean {
    return this.#toolOf(name) !== undefined;
  }

  /** A call with its arguments as an object; with `error` where it should not be run. */
  checked(raw: RawCall, id: string): ToolCall {
    const tool = this.#toolOf(raw.name);
    // The message that gives the call back to the model needs a name that is not empty.
    const name = tool?.name ?? (printable(raw.name, LONGEST_CALL_ID) || "unknown");
    const given = raw.broken === undefined ? this.#argumentsOf(raw, tool) : null;
    const call = { id, name, arguments: given ?? {} };
    if (tool === undefined) {
      const names = this.#tools.map((each) => each.name).join(", ");
      return { ...call, error: `There is no tool ${quoted(name)}. There are: ${names}.` };
    }
    if (given === null) {
      const shown = printable(raw.broken ?? String(raw.arguments), 200);
      return { ...call, error: `The arguments are no JSON object: ${shown}` };
    }
    const complaints = complaintsOf(tool, given);
    if (complaints.length === 0) return call;
    return { ...call, error: `The arguments do not fit: ${complaints.join("; ")}.` };
  }

  #toolOf(name: string): Offered | undefined {
    const plain = plainName(name);
    return (
      this.#tools.find((tool) => tool.name === name) ??
      this.#tools.find((tool) => tool.name === plain)
    );
  }

  #argumentsOf(raw: RawCall, tool: Offered | undefined): Readonly<Record<string, unknown>> | null {
    const value = this.#valueOf(raw.arguments);
    if (value === null) return null;
    if (raw.areTexts !== true) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, text]) => [key, typedValue(text, tool, key)]),
    );
  }

  /** An object may be a text of JSON, also one in quotes. */
  #valueOf(given: unknown): Readonly<Record<string, unknown>> | null {
    let value: unknown = given ?? {};
    for (let depth = 0; depth < 2 && typeof value === "string"; depth += 1) {
      const text: string = plainArguments(value);
      if (text === "") return {};
      if (hasMoreValues(text, MOST_ANSWER_VALUES)) return null;
      value = jsonFrom(text);
      // Some engines send `null` where there are no arguments.
      if (value === null) return {};
      if (value === undefined) value = this.repair(text);
    }
    return isMembers(value) ? value : null;
  }
}

/** The name without a namespace, the number of Kimi, and a token of gpt-oss behind it, which engines leave in it. */
const plainName = (name: string): string =>
  name
    .trim()
    .replace(/^(?:functions?|default_api)[./:]/, "")
    .replace(/(?::\d{1,9}|<\|.{0,100})$/, "");

/** Arguments without a fence, without tokens behind them, and without the empty ones that some engines begin with. */
const plainArguments = (text: string): string =>
  text
    .trim()
    .replace(/^(?:```)?(?:json)?\s{0,9}(?=\{)/, "")
    .replace(/^\{\}(?=\{)/, "")
    .replace(/(?<=\})\s{0,9}(?:```|<[|/][^<>{}"]{1,50}>)$/, "");

/** A check that takes too long is a complaint about this call, and no failure of the answer. */
function complaintsOf({ check }: Offered, value: unknown): readonly string[] {
  try {
    return check(value);
  } catch (thrown) {
    if (thrown instanceof FoundryError) return [thrown.message.replace(/\.$/, "")];
    throw thrown;
  }
}

/** The value of an argument that came as a text, by what its schema allows. */
function typedValue(text: unknown, tool: Offered | undefined, key: string): unknown {
  if (typeof text !== "string") return text;
  const properties = tool?.parameters["properties"];
  const schema = isMembers(properties) ? properties[key] : undefined;
  const { types, values } = allowedBy(schema, tool?.parameters ?? {});
  const word = text.trim();
  const value = answerFrom(PYTHON[word] ?? word);
  const listed = [text, word, value].find((each) => each !== undefined && values.includes(each));
  if (listed !== undefined) return listed;
  const kind = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  // A number, true and quoted words may be meant as a text; a list, an object and null are not.
  const isPlain = ["number", "boolean", "string"].includes(kind);
  if (!isPlain && types.includes(kind)) return value;
  return types.includes("string") || value === undefined ? text : value;
}

interface Allowed {
  /** Types of which any value is allowed. */
  readonly types: readonly unknown[];
  /** Values that are listed. */
  readonly values: readonly unknown[];
}

/** In schemas within schemas. */
const DEEPEST_TYPE = 5;

/** What a schema allows, also in its alternatives and in what it refers to. */
function allowedBy(schema: unknown, root: JsonSchema, depth = 0): Allowed {
  if (!isMembers(schema) || depth > DEEPEST_TYPE) return { types: [], values: [] };
  const { type, enum: listed, const: value, anyOf, oneOf, allOf, $ref: reference } = schema;
  if (Array.isArray(listed) || value !== undefined) {
    return { types: [], values: Array.isArray(listed) ? listed : [value] };
  }
  if (type !== undefined) return { types: Array.isArray(type) ? type : [type], values: [] };
  const others = [anyOf, oneOf, allOf].flatMap((all): unknown[] => (Array.isArray(all) ? all : []));
  const meant = typeof reference === "string" ? referredTo(reference, root) : undefined;
  const inside = [...others, meant].map((each) => allowedBy(each, root, depth + 1));
  return {
    types: inside.flatMap(({ types }) => types),
    values: inside.flatMap(({ values }) => values),
  };
}

const PYTHON: Readonly<Record<string, string | undefined>> = {
  True: "true",
  False: "false",
  None: "null",
};

/** The id of a call that came without one. Templates of Mistral take only nine letters and digits. */
export const newCallId = (): string => randomUUID().replaceAll("-", "").slice(0, 9);

/** The parameters of a tool as a schema of an object. Tools without parameters accept any. */
export const parametersOf = ({ function: { parameters } }: ToolDefinition): JsonSchema => ({
  type: "object",
  properties: {},
  ...parameters,
});

/** @throws FoundryError `INVALID_ARGUMENT` where two tools have one name, or none has the chosen one. */
function checkTools(tools: readonly ToolDefinition[], choice: ToolChoice): void {
  const names = tools.map((tool) => tool.function.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new FoundryError("INVALID_ARGUMENT", `Two tools have the name ${quoted(twice)}.`, {
      action: "Give each tool a name of its own.",
    });
  }
  if (choice === "required" && names.length === 0) {
    throw new FoundryError("INVALID_ARGUMENT", "A call is required, but no tool came.", {
      action: "Give at least one tool, or require no call.",
    });
  }
  if (typeof choice === "string" || names.includes(choice.function.name)) return;
  const chosen = quoted(choice.function.name);
  throw new FoundryError("INVALID_ARGUMENT", `The chosen tool ${chosen} is not among the tools.`, {
    action: "Give this tool, too, or choose another one.",
  });
}

/**
 * The tools that the model may call; `null` where there are none.
 *
 * @throws FoundryError `INVALID_ARGUMENT` for tools or a choice that cannot be used.
 */
export async function toolboxFor(
  tools: readonly ToolDefinition[] = [],
  choice: ToolChoice = "auto",
): Promise<Toolbox | null> {
  checkTools(tools, choice);
  return tools.length === 0 || choice === "none" ? null : loadToolbox(tools);
}

/** @throws FoundryError `INVALID_ARGUMENT` where the parameters of a tool are no valid schema. */
export async function loadToolbox(tools: readonly ToolDefinition[]): Promise<Toolbox> {
  const repair = await loadRepair();
  const offered = tools.map(async (tool): Promise<Offered> => {
    const { name } = tool.function;
    const parameters = parametersOf(tool);
    try {
      return { name, parameters, check: await loadCheck(parameters) };
    } catch (thrown) {
      if (!(thrown instanceof FoundryError)) throw thrown;
      throw thrown.reworded({
        message: `The parameters of the tool ${quoted(name)} cannot be used. ${thrown.message}`,
      });
    }
  });
  return new Toolbox(await Promise.all(offered), repair);
}
