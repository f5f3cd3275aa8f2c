import * as z from "zod";
import { type KnownModel, type LoadOptions, spelledName } from "../foundry/index.js";
import type { FoundryClient } from "../jobs/index.js";
import { formatDuration, formatMegabytes, inSnakeCase } from "../lib/index.js";
import { terminalWords } from "../terminal-words.js";
import { misuse, readArguments } from "./arguments.js";
import { clientCommand } from "./client-command.js";
import { EXIT } from "./command-line.js";
import { type Column, columnLines, printHelp, SETTINGS_NOTE, widthOf } from "./terminal.js";

const HELP = {
  models: `Usage: foundry-local-mcp models [flags]

Lists the models of the service on this machine: loaded ones first, then downloaded ones. "?" is unknown.
Type the alias or the name in ask, download, load and unload.

  --json     the list as one JSON object: models, default_model, warning; null is unknown
`,
  download: `Usage: foundry-local-mcp download NAME [flags]

Downloads a model, by alias, name or id: gigabytes. It can be repeated after an interruption; what is
there is used again where the service does so. Models to choose from: foundry-local-mcp models

  --force           go ahead although the disk looks too small
  --device DEVICE   the variant for cpu, gpu or npu
`,
  load: `Usage: foundry-local-mcp load NAME [flags]

Takes a downloaded model into memory, by alias, name or id, so that the next answer begins at once.

  --force           go ahead although the memory looks too small
  --device DEVICE   the variant for cpu, gpu or npu
`,
  unload: `Usage: foundry-local-mcp unload NAME [flags]

Takes a model out of memory.

  --force           although it is in use, where the service supports that
  --device DEVICE   the variant for cpu, gpu or npu
`,
} as const;

const listFlags = z.object({ json: z.boolean().default(false) });

/** `foundry-local-mcp models`: the list of models, for a person or a script. */
export async function models(args: readonly string[]): Promise<number> {
  const { own, flags, asksForHelp } = readArguments("models", args, listFlags);
  if (asksForHelp) return printHelp(`${HELP.models}\n${SETTINGS_NOTE}`);
  return clientCommand({ flags }, async ({ client, signal, notes }) => {
    const list = await client.listModels({ signal, onStatus: notes.progress });
    notes.clear();
    if (own.json) {
      const { defaultModel, warning } = list;
      const whole = {
        models: list.models.map(jsonOf),
        default_model: defaultModel,
        warning: warning === null ? null : terminalWords(warning),
      };
      process.stdout.write(`${JSON.stringify(whole, null, 2)}\n`);
      return EXIT.done;
    }
    if (list.models.length > 0) {
      process.stdout.write(`${tableOf(list.models, widthOf(process.stdout)).join("\n")}\n`);
    }
    if (list.warning !== null) notes.faint(terminalWords(list.warning));
    if (list.models.length === 0) notes.say("The service lists no models.");
    else if (list.defaultModel === null) {
      notes.say("No model is ready. Download one with `foundry-local-mcp download NAME`.");
    } else notes.faint(`Default model: ${list.defaultModel}`);
    return EXIT.done;
  });
}

const COLUMNS: readonly Column[] = [
  { heading: "ALIAS", shrinksTo: 24 },
  { heading: "NAME", shrinksTo: 12 },
  { heading: "SIZE", isRight: true },
  { heading: "DISK" },
  { heading: "LOADED" },
  { heading: "DEVICE" },
];

/** The lines of the table, in at most `width` columns. */
export function tableOf(list: readonly KnownModel[], width: number): string[] {
  const rank = ({ loaded, downloaded }: KnownModel): number =>
    loaded === true ? 0 : downloaded === true ? 1 : 2;
  const rows = list
    .toSorted((a, b) => rank(a) - rank(b))
    .map(({ id, alias, sizeMb, downloaded, loaded, device }) => [
      spelledName({ id, alias }),
      id,
      sizeMb === null ? "?" : formatMegabytes(sizeMb),
      yesNo(downloaded),
      yesNo(loaded),
      device ?? "?",
    ]);
  return columnLines(COLUMNS, rows, width);
}

const yesNo = (value: boolean | null): string => (value === null ? "?" : value ? "yes" : "no");

function jsonOf(model: KnownModel) {
  const { id, alias, sizeMb, downloaded, loaded, device, task, contextLength, license } = model;
  const shown = { id, alias, sizeMb, downloaded, loaded, device, task, contextLength, license };
  return inSnakeCase(shown);
}

const workFlags = z.object({
  force: z.boolean().default(false),
  device: z.enum(["cpu", "gpu", "npu"], { error: "cpu, gpu or npu" }).optional(),
});

interface Done {
  readonly text: string;
  readonly warnings?: readonly string[];
}

/** A command that does something with one model, and says in one line on stdout what was done. */
const commandOf =
  (
    work: "download" | "load" | "unload",
    run: (client: FoundryClient, name: string, options: LoadOptions) => Promise<Done>,
  ) =>
  async (args: readonly string[]): Promise<number> => {
    const accepted = { takesWords: true };
    const { own, words, flags, asksForHelp } = readArguments(work, args, workFlags, accepted);
    if (asksForHelp) return printHelp(`${HELP[work]}\n${SETTINGS_NOTE}`);
    const [name] = words;
    if (name === undefined || words.length > 1) {
      const example = `\`foundry-local-mcp ${work} phi-4-mini\``;
      throw misuse(`${work} takes the name of one model.`, `For example: ${example}`);
    }
    return clientCommand({ flags }, async ({ client, signal, notes }) => {
      const options: LoadOptions = { ...own, signal, onStatus: notes.progress };
      const { text, warnings = [] } = await run(client, name, options);
      notes.clear();
      process.stdout.write(`${text}\n`);
      for (const warning of warnings) notes.faint(`Note: ${terminalWords(warning)}`);
      return EXIT.done;
    });
  };

export const download = commandOf("download", async (client, name, options) => {
  const { model, status, warnings } = await client.service.downloadModel(name, options);
  const text = status === "downloaded" ? "Downloaded" : "Downloaded already:";
  return { text: `${text} ${model}`, warnings };
});

const ENDS_WITH_COMMAND =
  "Foundry Local ran inside this command, so the model is not in memory any more. A server and `foundry-local-mcp ask` load it again.";

export const load = commandOf("load", async (client, name, options) => {
  const { model, status, elapsedMs, warnings: tight } = await client.loadModel(name, options);
  const { foundBy } = await client.healthCheck();
  const warnings = [...tight, ...(foundBy === "embedded" ? [ENDS_WITH_COMMAND] : [])];
  const text =
    status === "loaded"
      ? `Loaded ${model} in ${formatDuration(elapsedMs)}`
      : `Loaded already: ${model}`;
  return { text, warnings };
});

export const unload = commandOf("unload", async (client, name, options) => {
  const { model, status } = await client.unloadModel(name, options);
  return { text: status === "unloaded" ? `Unloaded ${model}` : `Not in memory: ${model}` };
});
