import type { DeclaredTool, ToolChoice } from "../../engine/tool-calls.js";
import type { Switches } from "../../switches.js";
import { C2Error } from "./errors.js";
import { asString, at, isObject } from "./shape.js";

const COMPLETIONS = "chat_completions.cc";
const JSON_REF = "const nlohmann::json_abi_v3_11_3::json&";

/** The `tools` of a chat request. Anything but an array counts as none. */
export function declaredTools(value: unknown, switches: Switches): DeclaredTool[] {
  if (!Array.isArray(value)) return [];
  return value.map((tool: unknown) =>
    switches.toolChecks === "loose" ? loose(tool) : strict(tool),
  );
}

function loose(tool: unknown): DeclaredTool {
  const definition = at(tool, "function");
  return { name: asString(at(definition, "name")), parameters: parametersOf(definition) };
}

function strict(tool: unknown): DeclaredTool {
  const type = isObject(tool) && typeof tool["type"] === "string" ? tool["type"] : "function";
  if (type !== "function" && type !== "custom") {
    throw invalid(
      `${COMPLETIONS}:277 void fl::from_json(${JSON_REF}, ChatCompletionTool&) unsupported tool type '${type}'; expected 'function' or 'custom'`,
    );
  }
  const definition = isObject(tool) ? tool[type] : undefined;
  if (!isObject(definition)) {
    throw invalid(
      `${COMPLETIONS}:29 ${JSON_REF} fl::{anonymous}::RequiredObject(${JSON_REF}, const char*, const char*) tool of type '${type}' must contain a '${type}' object`,
    );
  }
  const { name } = definition;
  if (typeof name !== "string" || name === "") {
    throw invalid(
      `${COMPLETIONS}:17 std::string fl::{anonymous}::RequiredName(${JSON_REF}, const char*) tool ${type} must contain a non-empty string 'name'`,
    );
  }
  if (definition["strict"] === true) {
    throw invalid(
      `tool_definitions.cc:170 std::optional<bool> fl::tools::ParseFunctionStrict(${JSON_REF}) function tool 'strict' true is not supported until constrained decoding is implemented`,
    );
  }
  return { name, parameters: parametersOf(definition) };
}

function parametersOf(definition: unknown): unknown {
  return isObject(definition) ? definition["parameters"] : undefined;
}

/** `tool_choice`. The older versions look at its spelling only when they generate. */
export function toolChoice(
  value: unknown,
  tools: readonly DeclaredTool[],
  switches: Switches,
): ToolChoice | { readonly unknown: string } {
  const strictly = switches.toolChecks === "strict";
  const site = `void fl::from_json(${JSON_REF}, ChatCompletionToolChoice&)`;
  if (value === undefined || value === null) return "auto";
  if (value === "auto" || value === "none" || value === "required") {
    if (value === "required" && tools.length === 0 && strictly) {
      throw invalid(
        "chat_completions_converter.cc:219 std::vector<fl::ToolDefinition> fl::chat_completions::ExtractToolDefinitions(const fl::ChatCompletionRequest&, fl::Request&) tool_choice 'required' requires at least one declared tool",
      );
    }
    return value;
  }
  if (typeof value === "string") {
    if (!strictly) return { unknown: value };
    throw invalid(
      `${COMPLETIONS}:292 ${site} invalid tool_choice '${value}'; expected 'auto', 'none' or 'required'`,
    );
  }
  const named = isObject(value) && isObject(value["function"]) ? value["function"]["name"] : null;
  if (typeof named === "string") return { name: named };
  if (!strictly) return "auto";
  if (!isObject(value)) {
    throw invalid(`${COMPLETIONS}:300 ${site} tool_choice must be a string or an object`);
  }
  return "auto";
}

/** The names are matched when generating begins. */
export function undeclared(name: string): string {
  return `tool_definitions.cc:235 void fl::tools::NarrowToForcedTool(std::vector<fl::ToolDefinition>&, const std::string&, fl::ToolKind) tool_choice references an undeclared tool or the wrong tool kind: ${name}`;
}

function invalid(message: string): C2Error {
  return new C2Error(400, `Invalid request: ${message}`);
}
