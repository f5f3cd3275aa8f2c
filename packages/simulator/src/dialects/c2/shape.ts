import { JsonError } from "./nlohmann.js";

/** How nlohmann calls the type of a value. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `json.at(key)`. */
export function at(value: unknown, key: string): unknown {
  if (!isObject(value)) {
    throw new JsonError(`[json.exception.type_error.304] cannot use at() with ${typeName(value)}`);
  }
  if (!(key in value)) {
    throw new JsonError(`[json.exception.out_of_range.403] key '${key}' not found`);
  }
  return value[key];
}

function wrongType(wanted: string, value: unknown): JsonError {
  return new JsonError(
    `[json.exception.type_error.302] type must be ${wanted}, but is ${typeName(value)}`,
  );
}

export function asString(value: unknown): string {
  if (typeof value !== "string") throw wrongType("string", value);
  return value;
}

export function asArray(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw wrongType("array", value);
  return value;
}

export function asObject(value: unknown): Record<string, unknown> {
  if (!isObject(value)) throw wrongType("object", value);
  return value;
}

export function asBoolean(value: unknown): boolean {
  if (typeof value !== "boolean") throw wrongType("boolean", value);
  return value;
}
