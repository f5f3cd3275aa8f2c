#!/usr/bin/env node
import { FoundryError, toFoundryError } from "./lib/index.js";
import { endProcess } from "./platform/index.js";

/** Runs with the rest of the command line; resolves with the exit code. */
type Command = (args: readonly string[]) => Promise<number>;

/** Each is loaded only when it is wanted: a host waits for the start of `serve`. */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ["serve", async () => (await import("./commands/serve.js")).serve],
  ["demo", async () => (await import("./commands/demo/demo.js")).demo],
  ["doctor", async () => (await import("./commands/doctor/doctor.js")).doctor],
  ["simulate", async () => (await import("./commands/simulate.js")).simulate],
  ["--help", async () => (await import("./commands/help.js")).help],
  ["-h", async () => (await import("./commands/help.js")).help],
  ["--version", async () => (await import("./commands/help.js")).version],
  ["-v", async () => (await import("./commands/help.js")).version],
]);

const HELP_OF_THEIR_OWN: ReadonlySet<string> = new Set(["simulate", "doctor"]);

/** A mistake in how it was started, as opposed to 1, a failure. */
const MISUSED = 2;
/** What is still open after a command has ended gets so long to end by itself. */
const LAST_WORDS_MS = 1000;

async function run(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args;
  // Without a command there may be flags, and they are those of serve.
  const isNamed = first !== undefined && (COMMANDS.has(first) || !first.startsWith("-"));
  const named = isNamed ? first : "serve";
  // Some have a help of their own.
  const asksForHelp =
    !HELP_OF_THEIR_OWN.has(named) && args.some((arg) => arg === "--help" || arg === "-h");
  const name = asksForHelp ? "--help" : named;
  const load = COMMANDS.get(name);
  if (load === undefined) {
    const known = [...COMMANDS.keys()].filter((key) => !/^-\w$/.test(key)).join(", ");
    process.stderr.write(`There is no command "${name}". There are: ${known}.\n`);
    return MISUSED;
  }
  const command = await load();
  return command(isNamed ? rest : args);
}

/** The text for a person. The stack goes to the log, at level debug. */
async function explain(thrown: unknown): Promise<number> {
  const error = thrown instanceof FoundryError ? thrown : unexpected(thrown);
  process.stderr.write(`${error.message} ${error.action}\n`);
  if (error.code === "INVALID_SETTING") return MISUSED;
  const { createLogger } = await import("./log.js");
  createLogger(await logLevel()).debug({ detail: error.detail }, "the command failed");
  return 1;
}

function unexpected(thrown: unknown): FoundryError {
  const { code, detail } = toFoundryError(thrown);
  const [reason = ""] = (thrown instanceof Error ? thrown.message : String(thrown)).split("\n");
  return new FoundryError(code, `foundry-local-mcp failed: ${reason.replace(/\.$/, "")}.`, {
    action:
      "Set FOUNDRY_LOG_LEVEL=debug for details, and report the problem with them if it persists.",
    detail: detail ?? reason,
  });
}

async function logLevel() {
  const { readSettings } = await import("./settings.js");
  try {
    return readSettings([], process.env).FOUNDRY_LOG_LEVEL ?? "info";
  } catch {
    // Something else failed, and that failure is being reported.
    return "info";
  }
}

// The reader of the output may stop early (`… --help | head`). That is not an error.
process.stdout.on("error", () => {});
process.exitCode = await run(process.argv.slice(2)).catch(explain);
setTimeout(endProcess, LAST_WORDS_MS).unref();
