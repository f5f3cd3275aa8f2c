import * as z from "zod";
import type { StatusUpdate } from "../../foundry/index.js";
import { formatDuration } from "../../lib/index.js";
import { terminalWords } from "../../terminal-words.js";
import { misuse, readArguments } from "../arguments.js";
import { type ClientCommand, clientCommand } from "../client-command.js";
import { EXIT } from "../command-line.js";
import { asTyped } from "../typed-command.js";

const HELP = {
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
type Work = keyof typeof HELP;

const FLAGS = { force: { type: "boolean" }, device: { type: "string" } } as const;
const schema = z.object({
  force: z.boolean().default(false),
  device: z.enum(["cpu", "gpu", "npu"], { error: "cpu, gpu or npu" }).optional(),
});
type Flags = z.output<typeof schema>;

type Command = (args: readonly string[]) => Promise<number>;

/** A command that does something with one model, and says in one line on stdout what was done. */
const commandOf =
  (
    work: Work,
    run: (name: string, flags: Flags, command: ClientCommand) => Promise<Done>,
  ): Command =>
  async (args) => {
    const { own, words, flags, asksForHelp } = readArguments(work, args, FLAGS, schema);
    if (asksForHelp) {
      process.stdout.write(asTyped(HELP[work]));
      return EXIT.done;
    }
    const [name] = words;
    if (name === undefined || words.length > 1) {
      const example = `\`foundry-local-mcp ${work} phi-4-mini\``;
      throw misuse(`${work} takes the name of one model.`, `For example: ${example}`);
    }
    return clientCommand({ flags }, async (command) => {
      const { text, warnings = [] } = await run(name, own, command);
      command.progress.clear();
      process.stdout.write(`${text}\n`);
      for (const warning of warnings) command.notes.faint(`Note: ${terminalWords(warning)}`);
      return EXIT.done;
    });
  };

interface Done {
  readonly text: string;
  readonly warnings?: readonly string[];
}

const statusTo =
  ({ progress }: ClientCommand) =>
  (news: StatusUpdate): void =>
    progress.show(news);

export const download = commandOf("download", async (name, flags, command) => {
  const { client, signal } = command;
  const options = { ...flags, signal, onStatus: statusTo(command) };
  const { model, status, warnings } = await client.downloadModel(name, options);
  const text = status === "downloaded" ? "Downloaded" : "Downloaded already:";
  return { text: `${text} ${model}`, warnings };
});

export const load = commandOf("load", async (name, flags, command) => {
  const { client, signal } = command;
  const options = { ...flags, signal, onStatus: statusTo(command) };
  const { model, status, elapsedMs, warnings } = await client.loadModel(name, options);
  const text =
    status === "loaded"
      ? `Loaded ${model} in ${formatDuration(elapsedMs)}`
      : `Loaded already: ${model}`;
  return { text, warnings };
});

export const unload = commandOf("unload", async (name, flags, command) => {
  const { client, signal } = command;
  const options = { ...flags, signal, onStatus: statusTo(command) };
  const { model, status } = await client.unloadModel(name, options);
  return { text: status === "unloaded" ? `Unloaded ${model}` : `Not in memory: ${model}` };
});
