import { type ParseArgsConfig, parseArgs } from "node:util";
import * as z from "zod";
import { FoundryError, meantName } from "../lib/index.js";
import { folderSeparator } from "../platform/index.js";
import { parsedFlags, SETTING_FLAGS, withJoinedFolders } from "../settings.js";

type Flags = NonNullable<ParseArgsConfig["options"]>;

/** What a command accepts besides its own flags. */
interface Accepted {
  /** One letter for some of its own flags, by their names. */
  readonly short?: Readonly<Record<string, string>>;
  /** Default: false. */
  readonly takesWords?: boolean;
  /** What to write in place of a word that is not taken. Default: "Leave it out." */
  readonly inPlaceOfWords?: string;
  /** Default: true. */
  readonly takesSettings?: boolean;
}

/**
 * The flags of a schema, and `--help`: a flag that takes `true` has no value, one that takes a list may be
 * given several times, and all others have a value.
 */
function flagsOf({ shape }: z.ZodObject, short: NonNullable<Accepted["short"]>): Flags {
  const flags: Flags = { help: { type: "boolean", short: "h" } };
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
 * @returns the values of these, the words that are not flags, and the flags that are settings, for `readSettings`.
 * @throws FoundryError `INVALID_SETTING` for a flag that is unknown or does not fit, and for a word where
 *   none is taken.
 */
export function readArguments<S extends z.ZodObject>(
  command: string,
  args: readonly string[],
  schema: S,
  {
    short = {},
    takesWords = false,
    inPlaceOfWords = "Leave it out.",
    takesSettings = true,
  }: Accepted = {},
) {
  const help = helpOf(command);
  const options: Flags = { ...(takesSettings ? FLAGS : {}), ...flagsOf(schema, short) };
  const known = Object.keys(options);
  const end = args.indexOf("--");
  const beforeEnd = end === -1 ? args : args.slice(0, end);
  const unknown = beforeEnd
    .flatMap((arg) => /^--([^=]*)/s.exec(arg)?.slice(1) ?? [])
    .find((name) => !known.includes(name));
  const meant = unknown === undefined ? null : meantName(unknown, known);
  const joined = takesSettings && !takesWords ? withJoinedFolders(args) : args;
  // Help is shown beside any mistake.
  const given = beforeEnd.some((arg) => arg === "--help" || arg === "-h") ? ["--help"] : joined;
  const { values, positionals } = parsedFlags(
    () => parseArgs({ args: [...given], options, strict: true, allowPositionals: true }),
    meant === null ? help : `Did you mean --${meant}? ${help}`,
  );
  const asksForHelp = values["help"] === true;
  const own = schema.safeParse(values);
  if (!own.success) {
    const [issue] = own.error.issues;
    const name = String(issue?.path[0]);
    throw refused(command, name, values[name], issue?.message ?? "something else");
  }
  if (positionals.length > 0 && !takesWords && !asksForHelp) {
    throw misuse(`${command} takes no argument.`, `${inPlaceOfWords} ${help}`);
  }
  const flags = Object.keys(SETTING_FLAGS).flatMap((flag) => {
    const value = settingOf(values[flag]);
    return value === null ? [] : [`--${flag}=${value}`];
  });
  return { own: own.data, words: positionals, flags, asksForHelp };
}

/**
 * `--files` may be given several times, as for the server. Where a command takes words, it takes one folder
 * each time: the words after it are the command's own, where the server takes them as further folders.
 */
const FLAGS: Flags = { ...SETTING_FLAGS, files: { type: "string", multiple: true } };

/** The value of a setting. `null`: it was not given. */
function settingOf(value: ReturnType<typeof parseArgs>["values"][string]): string | null {
  if (!Array.isArray(value)) return typeof value === "string" ? value : null;
  return value.filter((each) => each !== "").join(folderSeparator(process.platform));
}

/** A mistake in how a command was called, in words. */
export const misuse = (message: string, action: string): FoundryError =>
  new FoundryError("INVALID_SETTING", message, { action });

/** A value of a flag that does not fit. */
export const refused = (
  command: string,
  flag: string,
  value: unknown,
  allowed: string,
): FoundryError =>
  misuse(
    `Invalid value for --${flag}: ${JSON.stringify(value)}.`,
    `Allowed: ${allowed}. ${helpOf(command)}`,
  );

const helpOf = (command: string): string => `See \`foundry-local-mcp ${command} --help\`.`;
