import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import {
  answersFromJson,
  C2_VERSIONS,
  DIALECTS,
  type DialectName,
  FAULT_SETTINGS,
  FAULT_SYNTAX,
  type FoundryCliStandIn,
  NEWEST_C2,
  SAMPLE_CATALOG,
  type ScriptedAnswer,
  type Simulator,
  StandInInUse,
  startFoundryCli,
  startSimulator,
} from "foundry-local-simulator";
import * as z from "zod";
import { systemCodeOf } from "../lib/index.js";
import { onTermination } from "../platform/index.js";
import { decimalNumber } from "../setting-schemas.js";
import { misuse, readArguments, refused } from "./arguments.js";
import { jsonIn } from "./ask/input.js";
import { EXIT } from "./command-line.js";
import { asTyped } from "./typed-command.js";

/** A laptop, roughly. */
const LAPTOP = { tokensPerSecond: 20, firstTokenMs: 300, loadMs: 2000, downloadMs: 3000 };

const HELP = `Usage: foundry-local-mcp simulate [flags]

Simulates a Foundry Local on a port of this machine, with its routes, errors, timing and mistakes.
Its text is simulated and says so. The first line on stdout is the URL. Ctrl+C or SIGTERM ends it.

  --port N                 default 0: any that is free
  --dialect D              ${DIALECTS.join(" or ")}; default C2, the open-source core;
                           S is the service of the old command line, C1 the core 1.x
  --version V              of C2: ${C2_VERSIONS.join(", ")}; default ${NEWEST_C2}
  --cli DIR                puts a simulated foundry command line into DIR that starts, stops and
                           describes this service: foundry service ... with S, else foundry server ...
                           (on Windows not for PATH: set FOUNDRY_CLI as it is printed)
  --tokens-per-second N    default ${LAPTOP.tokensPerSecond}; infinity is as fast as it goes
  --first-token-ms N       default ${LAPTOP.firstTokenMs}
  --load-ms N              how long a model takes to load; default ${LAPTOP.loadMs}
  --download-ms N          how long the download of a model takes; default ${LAPTOP.downloadMs}
  --nothing-downloaded     no model is on the disk yet; else three that chat and
                           one for embeddings are
  --answers FILE           JSON with a list of scripted answers; the first whose "match" is part of
                           the prompt, or fits it as "/text/i", is given: {"match": "weather",
                           "reply": "Sunny."}. In place of reply: toolCalls [{name, arguments}],
                           json {...}, error {status, message}; delayMs alone or with any of them
  --fault F                may be given several times: ${FAULT_SYNTAX}
                           e.g. status,status=503,header=Retry-After:2,times=2,path=/v1/*

Kinds of faults and their settings; those in brackets may be left out:

${FAULT_SETTINGS.map(({ kind, settings }) => `  ${[kind.padEnd(20), ...settings].join(" ").trimEnd()}`).join("\n")}
`;

const milliseconds = decimalNumber("milliseconds, 0 or more", () => true);
const infinity = z.literal("infinity").transform(() => Number.POSITIVE_INFINITY);
const flagsSchema = z.object({
  port: decimalNumber(
    "a whole number from 0 to 65535",
    (n) => Number.isInteger(n) && n <= 65_535,
  ).default(0),
  dialect: z.enum(DIALECTS, `one of ${DIALECTS.join(", ")}`).default("C2"),
  version: z.enum(C2_VERSIONS, `one of ${C2_VERSIONS.join(", ")}`).default(NEWEST_C2),
  "tokens-per-second": z
    .union([infinity, decimalNumber("", (n) => n > 0)], "a number above 0, or infinity")
    .default(LAPTOP.tokensPerSecond),
  "first-token-ms": milliseconds.default(LAPTOP.firstTokenMs),
  "load-ms": milliseconds.default(LAPTOP.loadMs),
  "download-ms": milliseconds.default(LAPTOP.downloadMs),
  "nothing-downloaded": z.boolean().default(false),
  cli: z.string().min(1, "a directory").optional(),
  answers: z.string().min(1, "a JSON file").optional(),
  fault: z.array(z.string()).default([]),
});

type Flags = z.output<typeof flagsSchema>;

interface SimulateOutput {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/**
 * `foundry-local-mcp simulate`: a simulated Foundry Local until a signal ends the process.
 *
 * @throws FoundryError `INVALID_SETTING` for a flag that is unknown or does not fit.
 */
export async function simulate(
  args: readonly string[],
  output: SimulateOutput = process,
): Promise<number> {
  const accepted = { takesSettings: false };
  const { own: flags, asksForHelp } = readArguments("simulate", args, flagsSchema, accepted);
  if (asksForHelp) {
    output.stdout.write(asTyped(HELP));
    return EXIT.done;
  }
  // As with a real service, facts that no route returns (aliases, sizes, downloads) are in files.
  const modelCachePath = await mkdtemp(join(tmpdir(), "foundry-local-mcp-simulate-"));
  try {
    await run(flags, modelCachePath, output);
    return EXIT.done;
  } finally {
    await rm(modelCachePath, { recursive: true, force: true });
  }
}

async function run(flags: Flags, modelCachePath: string, output: SimulateOutput): Promise<void> {
  const simulator = await started(flags, modelCachePath);
  try {
    for (const fault of flags.fault) addFault(simulator, fault);
    const cli = await commandLine(flags, simulator);
    try {
      output.stdout.write(`${simulator.url}\n`);
      output.stderr.write(`${introduction(flags, cli)}\n`);
      await new Promise<void>((ended) => onTermination(() => ended()));
    } finally {
      await cli?.close();
    }
  } finally {
    await simulator.close();
  }
}

const NAMES: Readonly<Record<DialectName, string>> = {
  S: "Foundry Local as its old command line starts it (S)",
  C1: "Foundry Local with core 1.x (C1)",
  C2: "Foundry Local",
  openai: "OpenAI-compatible engine",
};

function introduction({ dialect }: Flags, cli: FoundryCliStandIn | null): string {
  const what = `This is a simulated ${NAMES[dialect]}: no model runs here. Ctrl-C ends it.`;
  if (cli === null) return what;
  return `${what}\n${cliUse(process.platform, cli)}`;
}

/** How a person has the simulated command line used, in the words of that system's shells. */
export function cliUse(
  platform: NodeJS.Platform,
  { directory, script }: Pick<FoundryCliStandIn, "directory" | "script">,
): string {
  return platform === "win32"
    ? `Its command line is used after
  set "FOUNDRY_CLI=${script}"     (Command Prompt)
  $env:FOUNDRY_CLI = "${script}"  (PowerShell)`
    : `Its command line is used with PATH="${directory}:$PATH" or FOUNDRY_CLI="${script}".`;
}

/** The version of the newer command line determines its core: 0.10 has C1, 0.11 and later C2. */
const CLI_OF = {
  S: { generation: "service" },
  C1: { generation: "server", version: "0.10.3" },
  C2: { generation: "server", version: "0.13.0" },
} as const;

async function commandLine(flags: Flags, service: Simulator): Promise<FoundryCliStandIn | null> {
  if (flags.cli === undefined) return null;
  if (flags.dialect === "openai") {
    throw misuse(
      "--cli does not go with --dialect openai.",
      "Leave one of them out: only Foundry Local has this command line.",
    );
  }
  try {
    const directory = resolve(flags.cli);
    const switches = { downloadMs: flags["download-ms"] };
    return await startFoundryCli({ ...CLI_OF[flags.dialect], directory, service, switches });
  } catch (error) {
    if (error instanceof StandInInUse) {
      const where = JSON.stringify(flags.cli);
      throw misuse(
        `Another simulator's command line is in ${where} and still runs.`,
        "Name another directory with --cli, or end that simulator first.",
      );
    }
    const allowed = "a directory that can be written to, without a foundry in it";
    throw refused("simulate", "cli", flags.cli, allowed);
  }
}

async function started(flags: Flags, modelCachePath: string): Promise<Simulator> {
  const answers = await answersOf(flags.answers);
  return startSimulator({
    port: flags.port,
    modelCachePath,
    dialect: flags.dialect,
    version: flags.version,
    tokensPerSecond: flags["tokens-per-second"],
    firstTokenMs: flags["first-token-ms"],
    loadMs: flags["load-ms"],
    downloadMs: flags["download-ms"],
    answers,
    // Otherwise the sample models, of which scripted answers need a loaded one.
    ...(flags["nothing-downloaded"] && {
      models: SAMPLE_CATALOG.map((model) => ({ ...model, downloaded: false })),
    }),
  }).catch((error: unknown) => {
    const allowed = allowedPort(error, process.platform);
    throw allowed === null ? error : refused("simulate", "port", String(flags.port), allowed);
  });
}

async function answersOf(file: string | undefined): Promise<readonly ScriptedAnswer[]> {
  if (file === undefined) return [];
  const answers = await jsonIn(file, new AbortController().signal);
  try {
    if (answers === undefined) throw new Error("it is not valid JSON");
    return answersFromJson(answers);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw refused("simulate", "answers", file, `a JSON file with a list of answers; ${why}`);
  }
}

/** Which ports are allowed, if the error is about the port; else `null`. */
export function allowedPort(error: unknown, platform: NodeJS.Platform): string | null {
  const code = systemCodeOf(error);
  if (code === "EADDRINUSE") return "a port that is free";
  if (code !== "EACCES") return null;
  return platform === "win32"
    ? "a port in no range that Windows keeps (netsh int ipv4 show excludedportrange tcp)"
    : "a port that you may listen on, mostly one from 1024 on";
}

function addFault(simulator: Simulator, fault: string): void {
  try {
    simulator.addFault(fault);
  } catch (error) {
    const why =
      error instanceof Error
        ? error.message.replace(/^fault: .*; allowed: |^fault [^:]*: /, "")
        : "";
    throw refused("simulate", "fault", fault, `${FAULT_SYNTAX}; ${why}`);
  }
}
