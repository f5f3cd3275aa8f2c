import { constants } from "node:fs";
import { access, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import * as z from "zod";
import { type Health, spelledName } from "../../foundry/index.js";
import { FoundryError, formatWait, isLoopback, VERSION } from "../../lib/index.js";
import { machineMemory, processFigures } from "../../platform/index.js";
import { decimalNumber, wholeNumber } from "../../setting-schemas.js";
import { misuse, readArguments } from "../arguments.js";
import { type ClientCommand, clientCommand } from "../client-command.js";
import { EXIT } from "../command-line.js";
import { printHelp, terminalScreen } from "../terminal.js";
import { chooseForAll } from "./choice.js";
import { AT_ONCE, type BenchContext, benchModel } from "./model-bench.js";
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
Settings of the server are flags here, too: see foundry-local-mcp --help.
`;

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
  flags: Flags,
  command: ClientCommand,
): Promise<number> {
  const { client, signal, notes } = command;
  const onStatus = notes.progress;
  const list = await client.listModels({ signal, onStatus });
  const names = given.length > 0 ? [...new Set(given)] : [list.defaultModel ?? noModel()];
  const health = await client.healthCheck({ signal });
  notes.clear();
  notes.faint(planOf(names.length, flags));
  const screen = terminalScreen(process.stdout, process.env);
  const at = new Date().toISOString();
  const models: ModelReport[] = [];
  for (const name of names) {
    const known = list.models.find(({ id }) => id === name);
    const shown = known === undefined ? name : spelledName(known);
    const measuring = `Measuring ${shown}`;
    const report = await benchModel(name, {
      client,
      list,
      signal,
      isOnThisMachine: health.endpoint !== null && isLoopback(health.endpoint),
      onStatus,
      onNote: (sentence) => notes.say(sentence),
      rounds: flags.rounds,
      answerTokens: flags.tokens,
      withinMs: Math.round(flags.minutes * 60_000),
      memory: memoryOf(health),
      onProgress: (percent, what) => {
        // The log of a script needs no line for each round.
        const message = notes.isTerminal ? `${measuring}: ${what}` : measuring;
        notes.progress({ message, percent });
      },
      onEstimate: (ms) => {
        notes.clear();
        const about = ms === null ? "an unknown time" : `about ${durationWords(ms)}`;
        notes.faint(`${shown} takes ${about} (estimated).`);
      },
    });
    notes.clear();
    models.push(report);
    if (!flags.json) showModel(report, screen, (text) => process.stdout.write(text));
  }
  const report = reportOf(flags, health, models, at);
  if (flags.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else showEnd(report, screen);
  if (flags.html !== undefined) {
    await writeFile(flags.html, htmlReport(report)).catch(notWritable(flags.html));
    notes.faint(`The report is in ${flags.html}`);
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

function planOf(models: number, { rounds, minutes, tokens }: Flags): string {
  const answers = rounds * PROMPT_KINDS.length * AT_ONCE.reduce((sum, each) => sum + each, 0);
  const which = models === 1 ? "" : ` for each of ${models} models`;
  return `${answers} answers of at most ${tokens} tokens${which}: at most ${minutes} min${models === 1 ? "" : " for each"}, loads aside. An estimate follows the first answers.`;
}

/** `50 s`, `3 min`. */
const durationWords = (ms: number): string =>
  ms < 90_000 ? formatWait(ms) : `${Math.round(ms / 60_000)} min`;

/** Of a process on this machine. */
function memoryOf({ pid, memory }: Health): BenchContext["memory"] {
  return async () => {
    if (pid === null || memory === null || memory.processMb === null) return null;
    return (await processFigures(pid))?.memoryMb ?? null;
  };
}

function reportOf(
  { rounds, tokens, minutes }: Flags,
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
    settings: { rounds, answer_tokens: tokens, minutes },
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
