import { type ParseArgsConfig, parseArgs } from "node:util";
import * as z from "zod";
import { FoundryError, meantName } from "../lib/index.js";
import { folderSeparator } from "../platform/index.js";
import { parsedFlags, SETTING_FLAGS } from "../settings.js";

type Values = ReturnType<typeof parseArgs>["values"];

/** What a command was started with. */
interface CommandArguments<T> {
  readonly own: T;
  /** The words that are not flags. */
  readonly words: readonly string[];
  /** The flags that are settings, for `readSettings`. */
  readonly flags: readonly string[];
  readonly asksForHelp: boolean;
}

/**
 * The flags of a schema, and `--help`: a flag that takes `true` has no value, one that takes a list may be
 * given several times, and all others have a value.
 *
 * @param short One letter for some flags, by their names.
 */
export function flagsOf({ shape }: z.ZodObject, short: Readonly<Record<string, string>> = {}) {
  const flags: NonNullable<ParseArgsConfig["options"]> = { help: { type: "boolean", short: "h" } };
  for (const [name, value] of Object.entries(shape)) {
    flags[name] = {
      type: z.safeParse(value, true).success ? "boolean" : "string",
      multiple: z.safeParse(value, []).success,
      ...(short[name] === undefined ? {} : { short: short[name] }),
    };
  }
  return flags;
}

/**
 * The arguments of a command: its own flags, those of the settings, and words.
 *
 * @param schema Of its own flags.
 * @param short One letter for some of them.
 * @throws FoundryError `INVALID_SETTING` for a flag that is unknown or does not fit.
 */
export function readArguments<S extends z.ZodObject>(
  command: string,
  args: readonly string[],
  schema: S,
  short?: Readonly<Record<string, string>>,
): CommandArguments<z.output<S>> {
  const help = `See \`foundry-local-mcp ${command} --help\`.`;
  const options: ReturnType<typeof flagsOf> = { ...FLAGS, ...flagsOf(schema, short) };
  const known = Object.keys(options);
  const end = args.indexOf("--");
  const unknown = (end === -1 ? args : args.slice(0, end))
    .flatMap((arg) => /^--([^=]*)/s.exec(arg)?.slice(1) ?? [])
    .find((name) => !known.includes(name));
  const meant = unknown === undefined ? null : meantName(unknown, known);
  const { values, positionals } = parsedFlags(
    () => parseArgs({ args: [...args], options, strict: true, allowPositionals: true }),
    meant === null ? help : `Did you mean --${meant}? ${help}`,
  );
  const own = schema.safeParse(values);
  if (!own.success) {
    const [issue] = own.error.issues;
    throw misuse(
      `Invalid value for --${String(issue?.path[0])}.`,
      `Allowed: ${issue?.message ?? "something else"}. ${help}`,
    );
  }
  const flags = Object.keys(SETTING_FLAGS).flatMap((flag) => {
    const value = flag in schema.shape ? null : settingOf(values[flag]);
    return value === null ? [] : [`--${flag}=${value}`];
  });
  return { own: own.data, words: positionals, flags, asksForHelp: values["help"] === true };
}

/**
 * `--files` may be given several times, as for the server, but takes one folder each time: the words after
 * it are the command's own, where the server takes them as further folders.
 */
const FLAGS: NonNullable<ParseArgsConfig["options"]> = {
  ...SETTING_FLAGS,
  files: { type: "string", multiple: true },
};

/** The value of a setting. `null`: it was not given. */
function settingOf(value: Values[string]): string | null {
  if (!Array.isArray(value)) return typeof value === "string" ? value : null;
  return value.filter((each) => each !== "").join(folderSeparator(process.platform));
}

/** A mistake in how a command was called, in words. */
export const misuse = (message: string, action: string): FoundryError =>
  new FoundryError("INVALID_SETTING", message, { action });
