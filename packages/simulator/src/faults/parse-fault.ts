import * as z from "zod";
import { kinds } from "./kinds.js";
import { settingsSentence } from "./settings.js";

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

export interface ArmedFault {
  readonly fault: FaultKind;
  readonly matches: (method: string, path: string) => boolean;
  left: number;
}

/** @throws when the kind is unknown, or a setting is not one of that kind's. */
export function parseFault(given: Readonly<Record<string, unknown>>): ArmedFault {
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
