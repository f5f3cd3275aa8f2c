import { randomInt } from "node:crypto";
import type { ToolCall } from "../../engine/script.js";
import { type DeclaredTool, parseCalls, type ToolChoice } from "../../engine/tool-calls.js";
import type { SimulatedModel } from "../../models/model.js";
import { JsonFailure, plainValue } from "./json-reader.js";
import type { Fields } from "./request-fields.js";
import { toJson } from "./system-text-json.js";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** The tools of a request, of a chat or (without `function` around them) of a response. */
export function declaredTools(fields: Fields): DeclaredTool[] {
  const type = "System.Collections.Generic.IList`1[ToolDefinition]";
  return fields.objects("tools", type).flatMap((tool) => {
    const definition = tool.node("function")?.kind === "object" ? tool.object("function") : tool;
    const name = definition.text("name");
    const parameters = definition.node("parameters");
    return name === null
      ? []
      : [{ name, parameters: parameters === undefined ? undefined : plainValue(parameters) }];
  });
}

/** @throws {JsonFailure} for a word that is none of the three. */
export function toolChoice(fields: Fields): ToolChoice {
  const node = fields.node("tool_choice");
  if (node?.kind === "string") {
    const { text } = node;
    if (text === "auto" || text === "none" || text === "required") return text;
    throw new JsonFailure(`Invalid string value for tool_choice: ${text}`);
  }
  const choice = fields.object("tool_choice");
  const name = choice.object("function").text("name") ?? choice.text("name");
  return name === null ? "auto" : { name };
}

/** The calls between the markers that the catalog names; a model without them has none. */
export function callsIn(model: SimulatedModel, text: string): ToolCall[] {
  if (model.toolMarkers === null) return [];
  const { start, end } = model.toolMarkers;
  return text
    .split(start)
    .slice(1)
    .flatMap((rest) => {
      const length = rest.indexOf(end);
      return length < 0 ? [] : (parseCalls(rest.slice(0, length)) ?? []);
    });
}

/** Arguments as they are sent: a text over several lines. */
export function argumentsText(call: ToolCall): string {
  return toJson(call.arguments, 2);
}

/** Nine letters or digits, without a prefix. */
export function shortId(): string {
  return Array.from({ length: 9 }, () => LETTERS[randomInt(LETTERS.length)]).join("");
}
