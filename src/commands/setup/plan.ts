import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { jsonFrom, printable, SecretMask } from "../../lib/index.js";
import { type Machine, pathsOf, thisMachine } from "../../platform/index.js";
import { isSecret, secretFlags } from "../../settings.js";
import {
  backupOf,
  type ConfigFile,
  readBackup,
  readConfigFile,
  removeBackup,
  removeConfigFile,
  replaceConfigFile,
  Unusable,
} from "./config-file.js";
import { isBare, serverIn, withoutServer, withServer } from "./edit.js";
import { CannotEdit } from "./formats/index.js";
import { type Entry, evidenceOf, type HostKind, hostsFor } from "./hosts.js";
import { commandLine, flagsIn, mainFileIn, mergedEntry, programOf } from "./server-command.js";

/** What is to be done with the file of one host. */
export interface Plan {
  readonly host: HostKind;
  readonly file: string;
  readonly action: "add" | "update" | "remove" | "nothing" | "refused";
  /** Of `refused`: why, in words that follow the name of the file. */
  readonly reason: string | null;
  /** The lines that the file gets, or loses. */
  readonly preview: string;
  /** Makes the change. Resolves with the backup, where there is one. @throws Unusable */
  readonly run: () => Promise<string | null>;
}

/** The hosts of this machine: those whose folder or file is there. */
export async function hostsOn(hosts: readonly HostKind[], machine: Machine): Promise<HostKind[]> {
  const isThere = await Promise.all(
    hosts.map(async (host) => {
      const places = [evidenceOf(host, machine), host.file(machine)];
      const found = await Promise.all(places.map((place) => stat(place).catch(() => null)));
      return found.some((facts) => facts !== null);
    }),
  );
  return hosts.filter((_, index) => isThere[index]);
}

/** Reads the file of a host, and says what adding the server would change. */
export function additionTo(
  host: HostKind,
  machine: Machine,
  entryOf: (before: unknown) => Entry,
): Promise<Plan> {
  return planned(host, machine, (config) => {
    const edit = withServer(config.text, host, entryOf);
    if (edit === null) return null;
    return {
      action: edit.isNew ? "add" : "update",
      preview: shownLines(config.text, edit.text, host),
      run: async () => {
        await replaceConfigFile(config, edit.text);
        return config.bytes === null ? null : backupOf(config.path);
      },
    };
  });
}

/** Reads the file of a host, and says what taking the server out would change. */
export function removalFrom(host: HostKind, machine: Machine): Promise<Plan> {
  return planned(host, machine, async (config) => {
    const edit = withoutServer(config.text, host);
    if (edit === null) return null;
    const original = await originalOf(config, host);
    const text = original ?? edit.text;
    return {
      action: "remove",
      preview: shownLines(text, config.text, host),
      run: () => restore(config, text, original !== null, host),
    };
  });
}

/** The file as it was before the server was added, where nothing else has changed since. */
async function originalOf(config: ConfigFile, host: HostKind): Promise<string | null> {
  const backup = await readBackup(config.path);
  const entry = serverIn(config.text, host);
  if (backup === null || entry === null) return null;
  try {
    if (serverIn(backup, host) !== null) return null;
    const again = withServer(backup, host, () => entry);
    return again?.text === config.text ? backup : null;
  } catch {
    return null;
  }
}

async function restore(
  config: ConfigFile,
  text: string,
  isOriginal: boolean,
  host: HostKind,
): Promise<string | null> {
  if (isOriginal) {
    await replaceConfigFile(config, text);
    await removeBackup(config.path);
    return null;
  }
  const hasBackup = (await readBackup(config.path)) !== null;
  if (!hasBackup && isBare(text, host)) {
    await removeConfigFile(config);
    return null;
  }
  await replaceConfigFile(config, text);
  return backupOf(config.path);
}

type Change = Pick<Plan, "action" | "preview" | "run">;

async function planned(
  host: HostKind,
  machine: Machine,
  changeOf: (config: ConfigFile) => Change | null | Promise<Change | null>,
): Promise<Plan> {
  const file = host.file(machine);
  const nothing = { host, file, preview: "", reason: null, run: async () => null };
  try {
    const change = await changeOf(await readConfigFile(file));
    return { ...nothing, ...(change ?? { action: "nothing" }) };
  } catch (error) {
    return { ...nothing, action: "refused", reason: reasonOf(error) };
  }
}

/** Why a file was left as it is. An error that is not expected leaves the other hosts alone, too. */
export function reasonOf(error: unknown): string {
  if (error instanceof Unusable) return error.message;
  if (error instanceof CannotEdit) return `was left as it is: ${error.message}`;
  // A parser that gives up, such as on a file that is nested without end.
  if (error instanceof RangeError) return "was left as it is: it is nested too deeply";
  const [words = ""] = String(error).split("\n");
  return `was left as it is: it could not be understood (${printable(words, 200)})`;
}

/** {@link addedLines} without the values of secret settings: a terminal may be shared or logged. */
function shownLines(before: string, after: string, host: HostKind): string {
  const secrets = [before, after].flatMap((text) => secretsIn(serverIn(text, host)));
  return new SecretMask(secrets).hide(addedLines(before, after));
}

function secretsIn(entry: unknown): string[] {
  if (typeof entry !== "object" || entry === null) return [];
  const ofFlags = secretFlags(flagsIn(entry));
  const inside = Object.entries(entry).flatMap(([name, value]) =>
    typeof value === "string" && isSecret(name, value) ? [value] : secretsIn(value),
  );
  return [...ofFlags, ...inside];
}

/** The lines of `after` that are not in `before`. */
function addedLines(before: string, after: string): string {
  const [old, now] = [before.split(/\r?\n/), after.split(/\r?\n/)];
  let start = 0;
  while (start < old.length && old[start] === now[start]) start += 1;
  let end = 0;
  while (
    end < Math.min(old.length, now.length) - start &&
    old[old.length - 1 - end] === now[now.length - 1 - end]
  ) {
    end += 1;
  }
  return now
    .slice(start, now.length - end)
    .join("\n")
    .trimEnd();
}

/** Whether a host of this machine starts this server. */
export interface HostEntry {
  readonly host: HostKind;
  readonly file: string;
  readonly status: "set_up" | "switched_off" | "not_set_up" | "broken" | "unreadable";
  /** Of `broken`: the file that it starts and that is not there. Of `unreadable`: why. */
  readonly detail: string | null;
}

/** The hosts of this machine, each with its entry of this server. */
export async function hostEntries(): Promise<HostEntry[]> {
  const machine = thisMachine();
  const hosts = await hostsOn(hostsFor(machine), machine);
  return Promise.all(hosts.map((host) => hostEntryOf(host, machine)));
}

async function hostEntryOf(host: HostKind, machine: Machine): Promise<HostEntry> {
  const file = host.file(machine);
  try {
    const entry = serverIn((await readConfigFile(file)).text, host);
    if (entry === null) {
      const status = (await statusOfBundle(host, file, machine)) ?? "not_set_up";
      return { host, file, status, detail: null };
    }
    const detail = await missingIn(entry);
    const { enabled, disabled } = entry;
    const own = enabled === false || disabled === true ? "switched_off" : "set_up";
    return { host, file, status: detail === null ? own : "broken", detail };
  } catch (error) {
    return { host, file, status: "unreadable", detail: reasonOf(error) };
  }
}

/** Claude Desktop keeps what it has installed from bundles beside its file; `null`: not this server. */
async function statusOfBundle({ id }: HostKind, file: string, { platform }: Machine) {
  if (id !== "claude-desktop") return null;
  const { dirname, join } = pathsOf(platform);
  const installed = await readdir(join(dirname(file), "Claude Extensions")).catch(() => []);
  // `local.mcpb.AUTHOR.foundry-local-mcp`
  const bundles = installed.filter((name) => name.endsWith(".foundry-local-mcp"));
  if (bundles.length === 0) return null;
  for (const bundle of bundles) {
    const settings = join(dirname(file), "Claude Extensions Settings", `${bundle}.json`);
    const { isEnabled } = Object(jsonFrom(await readFile(settings, "utf8").catch(() => "")));
    if (isEnabled !== false) return "set_up";
  }
  return "switched_off";
}

/** The first absolute path in an entry's command whose file is missing. */
async function missingIn(entry: Entry): Promise<string | null> {
  const [command = ""] = commandLine(entry);
  const named = [command, mainFileIn(entry) ?? ""];
  for (const file of named.filter((each) => path.isAbsolute(each))) {
    if ((await stat(file).catch(() => null)) === null) return file;
  }
  return null;
}

/**
 * Writes this program in place of the missing one, and keeps all else of the entry.
 *
 * @throws Unusable where the file cannot be changed.
 */
export async function repaired(host: HostKind): Promise<void> {
  const machine = thisMachine();
  const program = programOf(machine);
  const plan = await additionTo(host, machine, (before) => mergedEntry(host, before, program));
  if (plan.action === "refused") throw new Unusable(plan.reason ?? "was left as it is");
  await plan.run();
}
