import { parseArgs } from "node:util";
import type * as z from "zod";
import { FoundryError, meantName } from "../lib/index.js";
import { parsedFlags, SETTING_FLAGS } from "../settings.js";

/** The flags of one command, besides those of the settings. */
export type OwnFlags = Readonly<
  Record<
    string,
    {
      readonly type: "string" | "boolean";
      readonly multiple?: boolean;
      readonly short?: string;
    }
  >
>;

/** What a command was started with. */
export interface CommandArguments<T> {
  readonly own: T;
  /** The words that are not flags. */
  readonly words: readonly string[];
  /** The flags that are settings, for `readSettings`. */
  readonly flags: readonly string[];
  readonly asksForHelp: boolean;
}

/**
 * The arguments of a command: its own flags, those of the settings, and words.
 *
 * @param schema Of its own flags.
 * @throws FoundryError `INVALID_SETTING` for a flag that is unknown or does not fit.
 */
export function readArguments<T>(
  command: string,
  args: readonly string[],
  ownFlags: OwnFlags,
  schema: z.ZodType<T>,
): CommandArguments<T> {
  const help = `See \`foundry-local-mcp ${command} --help\`.`;
  const options = {
    ...SETTING_FLAGS,
    ...ownFlags,
    help: { type: "boolean", short: "h" },
  } as const;
  const unknown = args.find((arg) => arg.startsWith("--") && !isKnown(arg, Object.keys(options)));
  const end = args.indexOf("--");
  const isFlag = unknown !== undefined && (end === -1 || args.indexOf(unknown) < end);
  const name = unknown?.slice(2).split("=")[0] ?? "";
  const meant = isFlag ? meantName(name, Object.keys(options)) : null;
  const action = meant === null ? help : `Did you mean --${meant}? ${help}`;
  let words: readonly string[] = [];
  const values = parsedFlags(() => {
    const parsed = parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
    words = parsed.positionals;
    return { values: new Map<string, unknown>(Object.entries(parsed.values)) };
  }, action);
  const own = schema.safeParse(
    Object.fromEntries(Object.keys(ownFlags).map((flag) => [flag, values.get(flag)])),
  );
  if (!own.success) {
    const [issue] = own.error.issues;
    const flag = String(issue?.path[0]);
    throw new FoundryError("INVALID_SETTING", `Invalid value for --${flag}.`, {
      action: `Allowed: ${issue?.message ?? "something else"}. ${help}`,
    });
  }
  const flags = Object.keys(SETTING_FLAGS).flatMap((flag) => {
    const value = values.get(flag);
    return typeof value === "string" && !(flag in ownFlags) ? [`--${flag}=${value}`] : [];
  });
  return { own: own.data, words, flags, asksForHelp: values.get("help") === true };
}

const isKnown = (arg: string, names: readonly string[]): boolean =>
  arg === "--" || names.includes(arg.slice(2).split("=")[0] ?? "");

/** A mistake in how a command was called, in words. */
export const misuse = (message: string, action: string): FoundryError =>
  new FoundryError("INVALID_SETTING", message, { action });
