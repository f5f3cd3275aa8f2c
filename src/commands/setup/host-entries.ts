import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { jsonFrom } from "../../lib/index.js";
import { type Machine, pathsOf, thisMachine } from "../../platform/index.js";
import { readConfigFile, Unusable } from "./config-file.js";
import { serverIn } from "./edit.js";
import { type Entry, type HostKind, hostsFor } from "./hosts.js";
import { additionTo, hostsOn, reasonOf } from "./plan.js";
import { commandLine, mainFileIn, mergedEntry, programOf } from "./server-command.js";

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
  return Promise.all(hosts.map((host) => entryOf(host, machine)));
}

async function entryOf(host: HostKind, machine: Machine): Promise<HostEntry> {
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
  const bundle = installed.find((name) => name.endsWith(".foundry-local-mcp"));
  if (bundle === undefined) return null;
  const settings = join(dirname(file), "Claude Extensions Settings", `${bundle}.json`);
  const { isEnabled } = Object(jsonFrom(await readFile(settings, "utf8").catch(() => "")));
  return isEnabled === false ? "switched_off" : "set_up";
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
