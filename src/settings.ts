import path from "node:path";
import { parseArgs } from "node:util";
import leven from "leven";
import { FoundryError } from "./lib/index.js";
import { folderSeparator } from "./platform/index.js";
import { SETTING_NAMES, SETTINGS, type SettingName, type Settings } from "./setting-table.js";

export {
  type OnCancel,
  SETTING_NAMES,
  SETTINGS,
  type SettingName,
  type Settings,
} from "./setting-table.js";

/** Variables by their names, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** `FOUNDRY_MAX_TOKENS` is `max-tokens` on the command line. */
const flagOf = (name: SettingName): string =>
  name.replace("FOUNDRY_", "").toLowerCase().replaceAll("_", "-");

/**
 * Reads settings from flags and environment; a flag outranks its variable. An empty value counts as
 * unset, because hosts write `"FOUNDRY_API_KEY": ""` or `"${user_config.key}"` for a field the user left
 * blank.
 *
 * @throws FoundryError `INVALID_SETTING` with the name, the value and what is allowed, of all settings
 *   that are wrong.
 * @example
 * readSettings(["--model", "qwen2.5-0.5b"], process.env).FOUNDRY_MODEL; // "qwen2.5-0.5b"
 */
export function readSettings(flags: readonly string[], environment: Environment): Settings {
  const settings: Record<string, unknown> = {};
  const mistakes: Mistake[] = [];
  for (const { name, raw, isFlag } of rawSettings(flags, environment)) {
    if (raw === "") continue;
    const parsed = SETTINGS[name].schema.safeParse(raw);
    if (!parsed.success) {
      const shown = isSecret(name, raw) ? "(hidden)" : JSON.stringify(raw);
      const source = isFlag ? `--${flagOf(name)}` : name;
      const allowed = parsed.error.issues[0]?.message ?? "something else";
      mistakes.push({ name, source, shown, allowed });
    } else {
      settings[name] = parsed.data;
    }
  }
  if (mistakes.length > 0) throw invalidSettings(mistakes);
  return settings;
}

/**
 * The value of a setting, empty where it is unset: a host may leave `${user_config.model}` unfilled. Without
 * the quotes around it, which `set X="y"` of the Command Prompt and `docker run --env-file` leave.
 */
function writtenValue(flag: unknown, variable: string | undefined): string {
  const given = (typeof flag === "string" ? flag : variable)?.trim() ?? "";
  const raw = given.replace(/^(["'])((?:(?!\1).)*)\1$/s, "$2").trim();
  return /^\$\{[^{}]*\}$/.test(raw) ? "" : raw;
}

/** A relative path of a program is made absolute: a host, and the keeper, start in another folder. */
const inAnyFolder = (name: SettingName, raw: string): string =>
  name === "FOUNDRY_CLI" && /^[^~%"'].*[\\/]/.test(raw) && !path.isAbsolute(raw)
    ? path.resolve(raw)
    : raw;

interface Mistake {
  readonly name: SettingName;
  readonly source: string;
  /** The value, or that it is hidden. */
  readonly shown: string;
  readonly allowed: string;
}

function invalidSettings(mistakes: readonly Mistake[]): FoundryError {
  const whats = mistakes.map(({ source, shown }) => `Invalid value for ${source}: ${shown}.`);
  const fixes = mistakes.map(({ name, source, allowed }) => {
    const subject = mistakes.length === 1 ? "it" : source;
    return `Set ${subject} to ${allowed}, or leave it out (default: ${SETTINGS[name].defaultText}).`;
  });
  return new FoundryError("INVALID_SETTING", whats.join(" "), { action: fixes.join(" ") });
}

export const SETTING_SOURCES = ["flag", "environment", "default"] as const;

/** A setting as it is in force, and where it came from. */
export interface SettingInForce {
  readonly name: SettingName;
  /** As it was written; of a secret only that there is one. */
  readonly value: string;
  readonly source: (typeof SETTING_SOURCES)[number];
}

/** Every setting as {@link readSettings} understands it, for `doctor` and the log. */
export function settingsInForce(
  flags: readonly string[],
  environment: Environment,
): SettingInForce[] {
  return rawSettings(flags, environment).map(({ name, raw, isFlag }) => {
    if (raw === "") return { name, value: SETTINGS[name].defaultText, source: "default" };
    const value = isSecret(name, raw) ? "(hidden)" : raw;
    return { name, value, source: isFlag ? "flag" : "environment" };
  });
}

/** Every setting as it was written, empty where it was not: a flag outranks its variable. */
function rawSettings(
  flags: readonly string[],
  environment: Environment,
): { readonly name: SettingName; readonly raw: string; readonly isFlag: boolean }[] {
  const given = parseFlags(flags);
  return SETTING_NAMES.map((name) => {
    const flag = given[flagOf(name)];
    const isFlag = typeof flag === "string";
    return { name, raw: inAnyFolder(name, writtenValue(flag, environment[name])), isFlag };
  });
}

/** The flags of the settings, for `parseArgs`. */
export const SETTING_FLAGS: Readonly<Record<string, { readonly type: "string" }>> =
  Object.fromEntries(SETTING_NAMES.map((name) => [flagOf(name), { type: "string" }]));

/** The settings that flags give, each with its flag. */
export function settingsOfFlags(
  flags: readonly string[],
): { readonly name: SettingName; readonly flag: string; readonly raw: string }[] {
  return rawSettings(flags, {}).flatMap(({ name, raw, isFlag }) =>
    isFlag && raw !== "" ? [{ name, flag: `--${flagOf(name)}`, raw }] : [],
  );
}

/**
 * `--files A B`, also in several flags, as one value: the form of a host gives each folder as an argument
 * of its own, and no argument where none was chosen. The folders end at the next flag, also a short one.
 */
export function withJoinedFolders(flags: readonly string[]): readonly string[] {
  const folders: string[] = [];
  const others: string[] = [];
  let isFolder = false;
  for (const flag of flags) {
    if (flag.startsWith("-")) isFolder = flag === "--files";
    else if (isFolder) folders.push(flag);
    if (flag.startsWith("--files=")) folders.push(flag.slice("--files=".length));
    else if (!isFolder) others.push(flag);
  }
  if (!flags.some((flag) => /^--files(?:=|$)/.test(flag))) return flags;
  // In front: behind a `--` it would not be a flag.
  return [`--files=${folders.join(folderSeparator(process.platform))}`, ...others];
}

function parseFlags(flags: readonly string[]): Record<string, string | boolean | undefined> {
  const known = SETTING_NAMES.map((name) => `--${flagOf(name)}`).join(", ");
  return parsedFlags(
    () => parseArgs({ args: [...withJoinedFolders(flags)], options: SETTING_FLAGS }),
    `Known flags: ${known}. See --help.`,
  ).values;
}

/**
 * What `parseArgs` reads of a command line.
 *
 * @throws FoundryError `INVALID_SETTING` with what Node says of it, and with `action`.
 */
export function parsedFlags<T>(parse: () => T, action: string): T {
  try {
    return parse();
  } catch (error) {
    // What follows in Node's words is advice about positional arguments, which there are none of.
    const first = error instanceof Error ? (error.message.split(/\.\s|\.$|\n/)[0] ?? "") : "";
    throw new FoundryError("INVALID_SETTING", `Invalid arguments: ${first}.`, {
      action,
      cause: error,
    });
  }
}

/** Settings that only a service or a client of this server may see. */
export const SECRETS: ReadonlySet<string> = new Set<SettingName>([
  "FOUNDRY_API_KEY",
  "FOUNDRY_HEADERS",
  "FOUNDRY_HTTP_KEY",
]);

/** Also an address with a password or a key in it, and routes, whose `system` may be a text of the user. */
export const isSecret = (name: string, raw: string): boolean =>
  SECRETS.has(name) ||
  name === "FOUNDRY_ROUTES" ||
  (["FOUNDRY_ENDPOINT", "FOUNDRY_OTEL"].includes(name) && /[@?#]/.test(raw));

/** The values of flags that are secret. The flags may be of another version. */
export const secretFlags = (flags: readonly string[]): string[] =>
  flags.flatMap((word, at) => {
    const [flag = "", ...behind] = word.split("=");
    const raw = behind.length > 0 ? behind.join("=") : (flags[at + 1] ?? "");
    const name = SETTING_NAMES.find((each) => `--${flagOf(each)}` === flag);
    return name !== undefined && raw !== "" && isSecret(name, raw) ? [raw] : [];
  });

/** What concerns the server alone and not its client of the service. */
const OF_SERVER: ReadonlySet<SettingName> = new Set([
  "FOUNDRY_FILES",
  "FOUNDRY_HTTP_KEY",
  "FOUNDRY_KEEP",
  "FOUNDRY_LOG_LEVEL",
  "FOUNDRY_ON_CANCEL",
  "FOUNDRY_OTEL",
  "FOUNDRY_REPLY_WITHIN",
  "FOUNDRY_VECTORS",
]);

/** The settings with which another process of this package makes the same client: their variables. */
export function passedSettings(
  flags: readonly string[],
  environment: Environment,
): Record<string, string> {
  const given = rawSettings(flags, environment).filter(
    ({ name, raw }) => raw !== "" && !OF_SERVER.has(name),
  );
  return Object.fromEntries(given.map(({ name, raw }) => [name, raw]));
}

/** Variables without any setting: for a process that gets them in another way. */
export const withoutSettings = (environment: Environment): Environment =>
  without(environment, (name) => Object.hasOwn(SETTINGS, name));

/** Variables as other programs may have them, which we start: without what is meant for a service. */
export const withoutSecrets = (environment: Environment): Environment =>
  without(environment, isSecret);

/** In any case, since Windows reads `Foundry_Api_Key` as `FOUNDRY_API_KEY`. */
const without = (
  environment: Environment,
  isLeftOut: (name: string, raw: string) => boolean,
): Environment =>
  Object.fromEntries(
    Object.entries(environment).filter(([name, raw = ""]) => !isLeftOut(name.toUpperCase(), raw)),
  );

/** A variable that is no setting, and the setting that was probably meant. */
export interface MisspelledSetting {
  readonly variable: string;
  readonly meant: SettingName;
}

/** A longer name resembles none of ours. */
const LONGEST_NAME = 60;

/**
 * Variables whose names resemble a setting, such as `FOUNDRY_MODLE`. Others are left alone: other
 * programs have names that begin with `FOUNDRY_`, too.
 */
export function misspelledSettings(environment: Environment): MisspelledSetting[] {
  return Object.entries(environment).flatMap(([variable, value]) => {
    const isSet = value !== undefined && value.trim() !== "";
    if (!isSet || variable.length > LONGEST_NAME || !/^f/i.test(variable)) return [];
    const upper = variable.toUpperCase();
    // On Windows the case of a name does not matter, so this variable is read.
    if (Object.hasOwn(SETTINGS, upper) && environment[upper] === value) return [];
    const distance = (name: SettingName): number => leven(upper, name);
    const [meant] = SETTING_NAMES.toSorted((a, b) => distance(a) - distance(b));
    if (meant === undefined || distance(meant) > mostTypos(meant)) return [];
    return [{ variable, meant }];
  });
}

/** Short names resemble many a word: `FOUNDRY_DLL` does not mean `FOUNDRY_CLI`. */
const mostTypos = (name: SettingName): number => (name.length < "FOUNDRY_".length + 5 ? 1 : 2);

/** Every setting with its flag, default and meaning, for `--help`. */
export function describeSettings(broken: (text: string) => readonly string[]): string {
  return SETTING_NAMES.map((name) => {
    const { defaultText, meaning } = SETTINGS[name];
    const title = `  ${name}, --${flagOf(name)}  (default: ${defaultText})`;
    return [title, ...broken(meaning).map((line) => `      ${line}`)].join("\n");
  }).join("\n");
}
