import { constants } from "node:fs";
import { access, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import * as z from "zod";
import type { Health } from "../../foundry/index.js";
import { FoundryError, VERSION } from "../../lib/index.js";
import { machineMemory } from "../../platform/index.js";
import { decimalNumber, wholeNumber } from "../../setting-schemas.js";
import { misuse, readArguments } from "../arguments.js";
import { type ClientCommand, clientCommand } from "../client-command.js";
import { EXIT } from "../command-line.js";
import { printHelp, SETTINGS_NOTE, terminalScreen } from "../terminal.js";
import { chooseForAll } from "./choice.js";
import { ANSWERS_A_ROUND, AT_ONCE, ModelBench } from "./model-bench.js";
import { type BenchReport, type ModelReport, PROMPT_KINDS } from "./report.js";
import { htmlReport } from "./report-html.js";
import { showEnd, showModel } from "./report-text.js";

const MOST_MODELS = 20;

const HELP = `Usage: foundry-local-mcp bench [MODEL...] [flags]

Measures how fast models are on this machine: the time to load, the time to the first token and the
tokens per second for short and long prompts, at 1, 2 and 4 at once, and the memory of the service.
Says which FOUNDRY_CONCURRENCY it would choose. Without MODEL: the default model. A model that is not
in memory is loaded, and unloaded afterwards. Nothing is downloaded.

  --rounds N     repeat each measurement; default 3, at most 20
  --tokens N     longest answer; default 64, from 16 to 1024
  --minutes N    time limit of the rounds of one model; default 10, at most 600
  --json         the report as one JSON document on stdout, and nothing else
  --html FILE    write the report with plots into a HTML file; an existing file is replaced

The device must have nothing else to do. Ctrl+C ends it; a model that was loaded here is unloaded.
Exit code 0 if all models were measured, 1 if one was not, 2 for a wrong argument, 3 if no service
answers, 4 if the only model is not there or not downloaded, 130 after Ctrl+C.
${SETTINGS_NOTE}`;

const flagsSchema = z.object({
  rounds: wholeNumber({ min: 1, max: 20 }).default(3),
  tokens: wholeNumber({ min: 16, max: 1024 }).default(64),
  minutes: decimalNumber("a number above 0, at most 600", (n) => n > 0 && n <= 600).default(10),
  json: z.boolean().default(false),
  html: z.string("a file").min(1, "a file").optional(),
});
type Flags = z.output<typeof flagsSchema>;

/** `foundry-local-mcp bench`: the speed of the user's own models. */
export async function bench(args: readonly string[]): Promise<number> {
  const accepted = { takesWords: true };
  const { own, words, flags, asksForHelp } = readArguments("bench", args, flagsSchema, accepted);
  if (asksForHelp) return printHelp(HELP);
  if (words.length > MOST_MODELS) throw misuse("Too many models.", `At most ${MOST_MODELS}.`);
  if (own.html !== undefined) await assertWritable(own.html);
  // Its own requests at once are the measurement; nothing else may hold them back or answer for them.
  const options = { concurrency: Math.max(...AT_ONCE), rateLimit: 0, cache: 0 };
  return clientCommand({ flags, options }, (command) => measured(words, own, command));
}

async function measured(
  given: readonly string[],
  { json, html, rounds, tokens, minutes }: Flags,
  { client, signal, notes }: ClientCommand,
): Promise<number> {
  const list = await client.listModels({ signal, onStatus: notes.progress });
  const names = given.length > 0 ? [...new Set(given)] : [list.defaultModel ?? noModel()];
  const health = await client.healthCheck({ signal });
  const settings = { rounds, answer_tokens: tokens, minutes };
  notes.clear();
  notes.faint(planOf(names.length, settings));
  const screen = terminalScreen(process.stdout, process.env);
  const at = new Date().toISOString();
  const models: ModelReport[] = [];
  for (const name of names) {
    const context = { client, signal, notes, settings, list, health };
    const report = await new ModelBench(name, context).measure();
    notes.clear();
    models.push(report);
    if (!json) showModel(report, screen);
  }
  const report = reportOf(settings, health, models, at);
  if (json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else showEnd(report, screen);
  if (html !== undefined) {
    await writeFile(html, htmlReport(report)).catch(notWritable(html));
    notes.faint(`The report is in ${html}`);
  }
  return exitCode(models);
}

/** Before anything is measured, so that the result of minutes has a place. */
async function assertWritable(file: string): Promise<void> {
  const facts = await stat(file).catch(() => null);
  if (facts !== null && !facts.isFile()) notWritable(file)();
  const asked = facts === null ? path.dirname(path.resolve(file)) : file;
  await access(asked, constants.W_OK).catch(notWritable(file));
}

const notWritable = (file: string) => (): never => {
  throw misuse(
    `${JSON.stringify(file)} cannot be written.`,
    "Give a file in a folder that exists and that you may write to.",
  );
};

function noModel(): never {
  throw new FoundryError("MODEL_NOT_CACHED", "No model is ready.", {
    action: "Download one with `foundry-local-mcp download NAME`, or name a model.",
  });
}

function planOf(
  models: number,
  { rounds, minutes, answer_tokens: tokens }: BenchReport["settings"],
): string {
  const answers = rounds * PROMPT_KINDS.length * ANSWERS_A_ROUND;
  const which = models === 1 ? "" : ` for each of ${models} models`;
  return `${answers} answers of at most ${tokens} tokens${which}: at most ${minutes} min${models === 1 ? "" : " for each"}, loads aside. An estimate follows the first answers.`;
}

function reportOf(
  settings: BenchReport["settings"],
  { endpoint, service, version }: Health,
  models: readonly ModelReport[],
  at: string,
): BenchReport {
  const cpus = os.cpus();
  const choices = models.map(({ alias, model, concurrency }) => ({
    name: alias ?? model,
    choice: concurrency,
  }));
  return {
    format: 1,
    version: VERSION,
    at,
    machine: {
      node: process.version,
      platform: process.platform,
      arch: process.arch,
      cpu: cpus[0]?.model.trim() || null,
      cores: cpus.length,
      memory_mb: machineMemory().totalMb,
    },
    service: { endpoint, name: service, version },
    settings,
    models,
    simulated: models.some(({ simulated }) => simulated),
    concurrency: chooseForAll(choices),
  };
}

function exitCode(models: readonly ModelReport[]): number {
  const failures = models.flatMap(({ error }) => (error === null ? [] : [error]));
  const [only] = failures;
  if (only === undefined) return EXIT.done;
  const isMissing = only.code === "MODEL_NOT_FOUND" || only.code === "MODEL_NOT_CACHED";
  return models.length === 1 && isMissing ? EXIT.noModel : EXIT.failed;
}
