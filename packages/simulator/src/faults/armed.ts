import * as z from "zod";
import type { Fault } from "./fault.js";
import { kinds } from "./kinds.js";
import { settingsSentence, unwrapped } from "./settings.js";

const cut = z.number().int().min(1);

const faultKind = z.discriminatedUnion("kind", kinds);

const meetingSchema = z.strictObject({
  /** The requests that it is applied to; all by default. */
  on: z
    .strictObject({
      method: z.string().optional(),
      /** The whole path without its query, or a beginning that ends with `*`. */
      path: z.string().startsWith("/").optional(),
    })
    .default({}),
  /** How many requests it is applied to; every one by default. */
  times: z.union([cut, z.literal(Infinity)]).default(Infinity),
});

export type FaultKind = z.output<typeof faultKind>;

interface ArmedFault {
  readonly fault: FaultKind;
  readonly matches: (method: string, path: string) => boolean;
  left: number;
}

/** @throws when the kind is unknown, or a setting is not one of that kind's. */
function parseFault(given: Readonly<Record<string, unknown>>): ArmedFault {
  const { on, times, ...kind } = given;
  const known = kinds.map(({ shape }): string => shape.kind.value);
  if (!known.includes(String(kind["kind"]))) {
    throw new Error(
      `fault: ${JSON.stringify(kind["kind"])} is unknown; allowed: ${known.join(", ")}`,
    );
  }
  const fault = faultKind.safeParse(kind);
  const meeting = meetingSchema.safeParse({ on, times });
  if (!fault.success || !meeting.success) {
    const issues = [...(fault.error?.issues ?? []), ...(meeting.error?.issues ?? [])];
    const problem = issues.map((issue) => `${problemText(issue)}; `).join("");
    throw new Error(`fault ${kind["kind"]}: ${problem}${settingsSentence(String(kind["kind"]))}`);
  }
  const { method, path } = meeting.data.on;
  return { fault: fault.data, matches: matcher(method, path), left: meeting.data.times };
}

/** What is wrong, in words for the author of the line. */
function problemText(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") return `there is no setting ${issue.keys.join(", ")}`;
  // `method=` and `path=` of the line are members of `on`.
  const name = String(issue.path.find((part) => part !== "on") ?? "it");
  if (issue.code === "invalid_type" && issue.message.endsWith("received undefined")) {
    return `the setting ${name} is missing`;
  }
  return `the value of ${name} does not fit`;
}

function matcher(method: string | undefined, path: string | undefined) {
  return (actualMethod: string, target: string): boolean => {
    if (method !== undefined && method !== actualMethod) return false;
    if (path === undefined) return true;
    const actual = target.split("?")[0] ?? target;
    return path.endsWith("*") ? actual.startsWith(path.slice(0, -1)) : actual === path;
  };
}

/**
 * A fault from one line of text, such as a command's argument: the kind, then settings with commas
 * between them. Several numbers have a `+` between them; `header=Name:value` adds a header.
 *
 * @throws when the kind or a setting is unknown, or a value does not fit.
 * @example faultFromText("status,status=503,header=Retry-After:2,times=1,path=/v1/*")
 */
function faultFromText(text: string): ArmedFault {
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
  const { inner: type } = unwrapped(name === "times" ? z.number() : Reflect.get(shape, name));
  if (type instanceof z.ZodBoolean && /^(?:true|false)$/.test(value)) return value === "true";
  if (type instanceof z.ZodArray) return value.split("+").map(numberIn);
  return type instanceof z.ZodNumber ? numberIn(value) : value;
}

/** Anything else stays a text, which the check of the setting refuses. */
const numberIn = (value: string): unknown =>
  /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : value;

/** The faults that were added. */
export class Faults {
  readonly #armed: ArmedFault[] = [];

  /** Returns a function that removes the fault. */
  add(fault: Fault | string): () => void {
    const armed = typeof fault === "string" ? faultFromText(fault) : parseFault(fault);
    this.#armed.push(armed);
    return () => {
      armed.left = 0;
    };
  }

  /** The first added fault that matches this request, which is counted. */
  take(method: string, path: string): ArmedFault | null {
    const met = this.#armed.find((armed) => armed.left > 0 && armed.matches(method, path));
    if (met === undefined) return null;
    met.left -= 1;
    return met;
  }
}
