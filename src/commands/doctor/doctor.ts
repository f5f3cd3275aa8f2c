import * as z from "zod";
import type { FoundryClient } from "../../jobs/index.js";
import { keeperHolds } from "../../keeper/index.js";
import { FoundryError, throwIfAborted, toFoundryError } from "../../lib/index.js";
import { misspelledSettings, settingsInForce } from "../../settings.js";
import { readArguments } from "../arguments.js";
import { clientCommand } from "../client-command.js";
import { EXIT } from "../command-line.js";
import { ownKeeperAddress } from "../keeping.js";
import { type HostEntry, hostEntries, reasonOf, repaired } from "../setup/index.js";
import { printHelp, type Screen, terminalScreen } from "../terminal.js";
import { type CompletionReport, completionReport, reportOf } from "./report.js";
import { showReport } from "./report-text.js";

const HELP = `Usage: foundry-local-mcp doctor [flags]

Says what Foundry Local there is, how it was found, which models it has, whether and how fast it
answers, what is wrong and what to do, and which settings are in force. Like the server it starts
Foundry Local where it does not run (not with FOUNDRY_AUTOSTART=false), and loads a model.
Exit code 0 when it works, 1 when it does not, 2 for a setting that does not fit.

  --json            the report as one JSON document and nothing else, for programs and bug reports;
                    its members stay as they are, others may be added
  --no-completion   load and ask no model
  --fix             where the entry of an MCP host starts a file that does not exist, write the path
                    of this program; a copy of the host's file stays beside it. Nothing else is changed

Settings are those of the server, as environment variables or flags: see foundry-local-mcp --help.
`;

const flag = z.boolean().default(false);
const flagsSchema = z.object({ json: flag, "no-completion": flag, fix: flag });

const PROMPT = "Say hello in five words.";
const MAX_TOKENS = 48;

/** Checks what the server would meet on this machine, for the person in front of it. */
export async function doctor(args: readonly string[]): Promise<number> {
  const { own, flags, asksForHelp } = readArguments("doctor", args, flagsSchema);
  if (asksForHelp) return printHelp(HELP);
  return clientCommand({ flags }, async ({ client, signal, notes }) => {
    const onStatus: OnStatus = ({ message }) => notes.status(`${message} …`);
    const listed = await client.listModels({ signal, onStatus }).catch(toFoundryError);
    const [list, failure] = listed instanceof FoundryError ? [null, listed] : [listed, null];
    const asks = !own["no-completion"] && list !== null;
    const completion = asks ? await testCompletion(client, signal, onStatus) : null;
    throwIfAborted(signal);
    const diagnosis = await client.service.diagnose({ signal });
    throwIfAborted(signal);
    const holds = await keeperHolds(ownKeeperAddress());
    let hosts = await hostEntries();
    if (own.fix && (await fixed(hosts, notes))) hosts = await hostEntries();
    const report = reportOf({
      diagnosis,
      list,
      completion,
      failure,
      keeper: holds === null ? null : { holds },
      hosts,
      settings: settingsInForce(flags, process.env),
      misspelled: misspelledSettings(process.env),
    });
    notes.clear();
    if (own.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else showReport(report, terminalScreen(process.stdout, process.env));
    return report.ok ? EXIT.done : EXIT.failed;
  });
}

type OnStatus = (news: { readonly message: string }) => void;

/** Repairs the entries of hosts that start what is not there; `true` where there were any. */
async function fixed(hosts: readonly HostEntry[], screen: Screen): Promise<boolean> {
  const broken = hosts.filter(({ status }) => status === "broken");
  screen.clear();
  if (broken.length === 0) screen.say("Nothing to fix that is safe to change.");
  for (const { host } of broken) {
    try {
      await repaired(host);
      screen.say(`Fixed the entry in ${host.title}. ${host.afterwards}`);
    } catch (error) {
      screen.say(`The entry in ${host.title} was not fixed: its file ${reasonOf(error)}.`);
    }
  }
  return broken.length > 0;
}

async function testCompletion(
  client: FoundryClient,
  signal: AbortSignal,
  onStatus: OnStatus,
): Promise<CompletionReport> {
  onStatus({ message: "Asking a model" });
  const stream = client.streamComplete(
    { prompt: PROMPT, maxTokens: MAX_TOKENS },
    { signal, onStatus },
  );
  try {
    for await (const event of stream) {
      if (event.type === "status" && event.status === "loading") {
        onStatus({ message: `Loading ${event.model}` });
      }
    }
    return completionReport(stream.snapshot(), null);
  } catch (thrown) {
    return completionReport(stream.snapshot(), toFoundryError(thrown));
  }
}
