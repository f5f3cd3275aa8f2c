import * as z from "zod";
import { kinds } from "./kinds.js";

/** The form of a fault in one line of text, for help texts. */
export const FAULT_SYNTAX = "KIND[,SETTING=VALUE…][,times=N][,method=M][,path=P]";

/** A kind of fault with the settings that it takes, as a line of text names them. */
export interface FaultSettings {
  readonly kind: string;
  /** `name=VALUE`; optional settings in brackets. */
  readonly settings: readonly string[];
}

/** For help texts and messages, read from the schemas themselves. */
export const FAULT_SETTINGS: readonly FaultSettings[] = kinds.map(({ shape }) => ({
  kind: shape.kind.value,
  settings: Object.entries(shape)
    .filter(([name]) => name !== "kind")
    .map(([name, schema]) => settingText(name, schema)),
}));

/** The settings of one kind, for messages. */
export function settingsSentence(kind: string): string {
  const settings = FAULT_SETTINGS.find((known) => known.kind === kind)?.settings ?? [];
  return settings.length === 0
    ? `${kind} has no settings of its own`
    : `the settings of ${kind}: ${settings.join(" ")}`;
}

function settingText(name: string, schema: unknown): string {
  const { inner, optional } = unwrapped(schema);
  const value = valueText(inner);
  const text = inner instanceof z.ZodRecord ? "header=NAME:VALUE" : `${name}=${value}`;
  return optional ? `[${text}]` : text;
}

/** A schema without what makes a setting optional. */
export function unwrapped(schema: unknown): { inner: unknown; optional: boolean } {
  const isWrapper =
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodNullable;
  if (!isWrapper) return { inner: schema, optional: false };
  const { inner } = unwrapped(schema.unwrap());
  return { inner, optional: true };
}

function valueText(schema: unknown): string {
  if (schema instanceof z.ZodBoolean) return "true|false";
  if (schema instanceof z.ZodArray) return "N+N+…";
  if (!(schema instanceof z.ZodNumber)) return "TEXT";
  const { minValue, maxValue } = schema;
  const isBounded = minValue !== null && maxValue !== null && maxValue < Number.MAX_SAFE_INTEGER;
  return isBounded ? `${minValue}…${maxValue}` : "N";
}
