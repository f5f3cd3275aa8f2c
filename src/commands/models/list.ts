import * as z from "zod";
import { type KnownModel, spelledName } from "../../foundry/index.js";
import { formatMegabytes } from "../../lib/index.js";
import { terminalWords } from "../../terminal-words.js";
import { misuse, readArguments } from "../arguments.js";
import { clientCommand } from "../client-command.js";
import { EXIT } from "../command-line.js";
import { type Column, columnLines, widthOf } from "../terminal.js";
import { asTyped } from "../typed-command.js";

const HELP = `Usage: foundry-local-mcp models [flags]

Lists the models of the service on this machine: loaded ones first, then downloaded ones. "?" is unknown.
Type the alias or the name in ask, download, load and unload.

  --json     the list as one JSON object: models, default_model, warning; null is unknown
`;

const schema = z.object({ json: z.boolean().default(false) });

/** `foundry-local-mcp models`: the list of models, for a person or a script. */
export async function models(args: readonly string[]): Promise<number> {
  const { own, words, flags, asksForHelp } = readArguments(
    "models",
    args,
    { json: { type: "boolean" } },
    schema,
  );
  if (asksForHelp) {
    process.stdout.write(asTyped(HELP));
    return EXIT.done;
  }
  if (words.length > 0) throw misuse("models takes no argument.", "Leave it out.");
  return clientCommand({ flags }, async ({ client, signal, progress, notes }) => {
    const list = await client.listModels({ signal, onStatus: (news) => progress.show(news) });
    progress.clear();
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

const jsonOf = (model: KnownModel) => ({
  id: model.id,
  alias: model.alias,
  size_mb: model.sizeMb,
  downloaded: model.downloaded,
  loaded: model.loaded,
  device: model.device,
  task: model.task,
  context_length: model.contextLength,
  license: model.license,
});
