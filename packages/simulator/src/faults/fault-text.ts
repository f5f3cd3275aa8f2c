import * as z from "zod";
import { kinds } from "./kinds.js";
import { type ArmedFault, parseFault } from "./parse-fault.js";

/**
 * A fault from one line of text, such as a command's argument: the kind, then settings with commas
 * between them. Several numbers have a `+` between them; `header=Name:value` adds a header.
 *
 * @throws when the kind or a setting is unknown, or a value does not fit.
 * @example faultFromText("status,status=503,header=Retry-After:2,times=1,path=/v1/*")
 */
export function faultFromText(text: string): ArmedFault {
  const [kind = "", ...parts] = text.split(",");
  const settings: Record<string, unknown> = {};
  const on: Record<string, string> = {};
  const headers: Record<string, string> = {};
  for (const part of parts) {
    const equals = part.indexOf("=");
    if (equals < 1) throw new Error(`fault ${kind}: ${JSON.stringify(part)} is not SETTING=VALUE`);
    const name = part.slice(0, equals);
    const value = part.slice(equals + 1);
    if (name === "method" || name === "path") on[name] = value;
    else if (name === "header")
      headers[value.split(":")[0] ?? ""] = value.replace(/^[^:]*:\s*/, "");
    else settings[name] = valueIn(kind, name, value);
  }
  const withHeaders = Object.keys(headers).length > 0 ? { headers } : {};
  return parseFault({ ...settings, ...withHeaders, kind, on });
}

/** A value in the type that the setting has. */
function valueIn(kind: string, name: string, value: string): unknown {
  const shape = kinds.find((each) => each.shape.kind.value === kind)?.shape ?? {};
  const type = typeOf(name === "times" ? z.number() : Reflect.get(shape, name));
  if (type instanceof z.ZodBoolean && /^(?:true|false)$/.test(value)) return value === "true";
  if (type instanceof z.ZodArray) return value.split("+").map(numberIn);
  return type instanceof z.ZodNumber ? numberIn(value) : value;
}

/** Anything else stays a text, which the check of the setting refuses. */
const numberIn = (value: string): unknown =>
  /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : value;

/** Without what makes a setting optional. */
const typeOf = (schema: unknown): unknown =>
  schema instanceof z.ZodOptional ||
  schema instanceof z.ZodDefault ||
  schema instanceof z.ZodNullable
    ? typeOf(schema.unwrap())
    : schema;
