import * as z from "zod";
import { thisMachine } from "../../platform/index.js";
import { isSecret, readSettings, settingsInForce, settingsOfFlags } from "../../settings.js";
import { misuse, readArguments } from "../arguments.js";
import { EXIT } from "../command-line.js";
import { printHelp, type Screen, terminalScreen, wrapped } from "../terminal.js";
import { FORMATS } from "./edit.js";
import { checkFoundry } from "./foundry-check.js";
import { HOSTS, type HostKind, hostsFor } from "./hosts.js";
import { additionTo, hostsOn, type Plan, reasonOf, removalFrom } from "./plan.js";
import { ENTRY_NAME, mergedEntry, programOf } from "./server-command.js";

const HOST_NAMES = [...new Set(HOSTS.map(({ id }) => id))].join(", ");

const HELP = `Usage: foundry-local-mcp setup [flags]

Adds this server to the MCP hosts of this machine: shows what it would write, asks, keeps a copy of each
file it changes (NAME.before-foundry-local-mcp), and changes nothing but its own entry. Then it checks
Foundry Local, offers a first model, and asks it a question.

  --host NAME    only this host, also if it was not found; may be given several times:
${wrapped(HOST_NAMES, 70).join("\n").replace(/^/gm, " ".repeat(17))}
  --yes          ask nothing: write for all hosts that were found; downloads nothing
  --dry-run      show what would be written, and write nothing
  --print        print the entry and the file of each host, and write nothing
  --remove       take the entry out again
  --no-check     leave Foundry Local and the models alone

Settings such as --endpoint URL or --model NAME are written into the entry.
Exit code 0 if all is done, 1 if a file was left as it is, 2 for a wrong argument, 130 after Ctrl+C.
`;

const flag = z.boolean().default(false);
const flagsSchema = z.object({
  host: z.array(z.string()).default([]),
  yes: flag,
  "dry-run": flag,
  print: flag,
  remove: flag,
  "no-check": flag,
});
type Flags = z.output<typeof flagsSchema>;

/** `foundry-local-mcp setup`: adds the server to the hosts of this machine. */
export async function setup(args: readonly string[]): Promise<number> {
  const accepted = { short: { yes: "y" }, inPlaceOfWords: "Name a host with --host." };
  const { own, flags, asksForHelp } = readArguments("setup", args, flagsSchema, accepted);
  if (asksForHelp) return printHelp(HELP);
  // Before they are written into a file: a wrong one would keep the server from starting.
  readSettings(flags, process.env);
  const named = [...new Set((await Promise.all(own.host.map(hostsNamed))).flat())];
  const screen = terminalScreen(process.stdout, process.env);
  if (own.print) return entriesPrinted(named.length === 0 ? hostsFor(thisMachine()) : named, flags);
  // The questions have escape sequences, which a dumb terminal shows as they are.
  const isTerminal = process.stdin.isTTY === true && screen.isTerminal;
  const questions = isTerminal && !own.yes ? await terminalQuestions() : null;
  const code = await hostsChanged(named, flags, own, screen, questions);
  const isEnd =
    own.remove ||
    own["dry-run"] ||
    own["no-check"] ||
    code === EXIT.interrupted ||
    // Without a terminal, the user cannot decline the start of the service and the load of a model.
    (questions === null && !own.yes);
  if (isEnd) return code;
  const checked = await checkFoundry(flags, screen, questions?.confirm ?? null);
  return checked === EXIT.done ? code : checked;
}

/** The installations of a host that are there; if there are none, the one that would be. */
async function hostsNamed(name: string): Promise<readonly HostKind[]> {
  const machine = thisMachine();
  const id = name.trim().toLowerCase().replaceAll(/[ _]/g, "-");
  const hosts = hostsFor(machine).filter((each) => each.id === id);
  if (hosts.length > 0) {
    const found = await hostsOn(hosts, machine);
    return found.length > 0 ? found : hosts.slice(-1);
  }
  throw misuse(`There is no host ${JSON.stringify(name)}.`, `Known hosts: ${HOST_NAMES}.`);
}

/** The entry of a host: the program, and the settings that were given. What is secret goes into its variables. */
function entryFor(host: HostKind, flags: readonly string[]) {
  const program = programOf(thisMachine());
  const given = settingsOfFlags(flags);
  const isHidden = ({ name, raw }: (typeof given)[number]): boolean => isSecret(name, raw);
  return (before: unknown) =>
    mergedEntry(host, before, program, {
      flags: given.filter((each) => !isHidden(each)).flatMap(({ flag, raw }) => [flag, raw]),
      env: Object.fromEntries(given.filter(isHidden).map(({ name, raw }) => [name, raw])),
      names: given.map(({ flag }) => flag),
    });
}

function entriesPrinted(hosts: readonly HostKind[], flags: readonly string[]): number {
  const parts = hosts.map((host) => {
    const place = { container: host.container, name: ENTRY_NAME };
    const file = FORMATS[host.format].set("", place, entryFor(host, flags)(undefined));
    return `${host.title}: ${host.file(thisMachine())}\n${file}`;
  });
  process.stdout.write(parts.join("\n"));
  return EXIT.done;
}

async function hostsChanged(
  named: readonly HostKind[],
  flags: readonly string[],
  own: Flags,
  screen: Screen,
  questions: Questions | null,
): Promise<number> {
  const machine = thisMachine();
  const hosts = named.length > 0 ? named : await hostsOn(hostsFor(machine), machine);
  screen.title("MCP hosts");
  if (hosts.length === 0) {
    screen.say(
      "No MCP host was found for this user.",
      "`foundry-local-mcp setup --print` shows what to write for each host.",
    );
    return EXIT.done;
  }
  const plans = await Promise.all(
    hosts.map((host) =>
      own.remove ? removalFrom(host, machine) : additionTo(host, machine, entryFor(host, flags)),
    ),
  );
  for (const plan of plans) show(plan, screen, own.remove);
  const unwritten = settingsInForce(flags, process.env).filter(
    ({ source }) => source === "environment",
  );
  if (!own.remove && unwritten.length > 0) {
    const names = unwritten.map(({ name }) => name).join(", ");
    screen.say(
      `Most hosts do not get the variables of this terminal: ${names}. Only flags are written.`,
    );
  }
  const open = plans.filter(({ action }) => action !== "nothing" && action !== "refused");
  const refused = plans.some(({ action }) => action === "refused");
  const code = refused ? EXIT.failed : EXIT.done;
  if (own["dry-run"] || open.length === 0) return code;
  if (questions === null && !own.yes) {
    throw misuse(
      "Nothing was written: there is no terminal to ask on, or a dumb one.",
      "Add --yes to write.",
    );
  }
  const chosen = questions === null ? open : await questions.choose(open);
  if (chosen === null || chosen.length === 0) {
    screen.say("Nothing was written.");
    return chosen === null ? EXIT.interrupted : code;
  }
  const written = await runAll(chosen, screen);
  return written ? code : EXIT.failed;
}

function show(
  { host, file, action, reason, preview }: Plan,
  screen: Screen,
  removes: boolean,
): void {
  const words = {
    add: `would be added to ${file}`,
    update: `would be updated in ${file}`,
    remove: `would be removed from ${file}`,
    nothing: removes ? `is not in ${file}` : `is up to date in ${file}`,
    refused: `${file} ${reason}.`,
  };
  screen.say(`${host.title}: ${words[action]}`);
  if (preview !== "") screen.verbatim(preview.replace(/^/gm, removes ? "- " : "+ "));
}

async function runAll(plans: readonly Plan[], screen: Screen): Promise<boolean> {
  let isWhole = true;
  screen.title("Written");
  for (const { host, file, action, run } of plans) {
    try {
      const backup = await run();
      const next = action === "remove" ? "" : ` ${host.afterwards}`;
      screen.say(`${host.title}: ${action === "remove" ? "removed" : "done"}.${next}`);
      if (backup !== null) screen.faint(`The file as it was: ${backup}`);
    } catch (error) {
      isWhole = false;
      screen.say(`${host.title}: ${file} ${reasonOf(error)}.`);
    }
  }
  return isWhole;
}

/** What a person at the terminal is asked: each answer is `null` after Ctrl+C. */
type Questions = Awaited<ReturnType<typeof terminalQuestions>>;

/** The library is loaded only where a person is asked. */
async function terminalQuestions() {
  const { confirm, isCancel, multiselect, updateSettings } = await import("@clack/prompts");
  // Ctrl+D closes the input, and the answer would never come.
  updateSettings({ aliases: { "\u0004": "cancel" } });
  return {
    /** Which of the changes to make. */
    async choose(plans: readonly Plan[]): Promise<readonly Plan[] | null> {
      const answer = await multiselect({
        message: "Write these? (space selects, enter confirms)",
        options: plans.map((plan) => ({ value: plan, label: plan.host.title })),
        initialValues: [...plans],
        required: false,
      });
      return isCancel(answer) ? null : answer;
    },
    async confirm(message: string): Promise<boolean | null> {
      const answer = await confirm({ message });
      return isCancel(answer) ? null : answer;
    },
  };
}
