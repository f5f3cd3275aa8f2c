#!/usr/bin/env node
import { isHttpFlag, MISUSED } from "./commands/command-line.js";
import { endProcess } from "./platform/end-process.js";

/** Runs with the rest of the command line; resolves with the exit code. */
type Command = (args: readonly string[]) => Promise<number>;

/**
 * Each is loaded only when it is wanted: a host waits for the start of `serve`, which the build puts
 * into a file of its own. Hence it explains its failures itself.
 */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ["serve", async () => (await import("./commands/serve.js")).serve],
  ["serve --http", async () => explained((await import("./commands/serve-http.js")).serveHttp)],
  ["demo", async () => explained((await import("./commands/demo/demo.js")).demo)],
  ["doctor", async () => explained((await import("./commands/doctor/doctor.js")).doctor)],
  ["keep", async () => explained((await import("./commands/keep.js")).keep)],
  ["simulate", async () => explained((await import("./commands/simulate.js")).simulate)],
  ["--help", async () => (await import("./commands/help.js")).help],
  ["-h", async () => (await import("./commands/help.js")).help],
  ["--version", async () => (await import("./commands/help.js")).version],
  ["-v", async () => (await import("./commands/help.js")).version],
]);

const explained =
  (command: Command): Command =>
  (args) =>
    command(args).catch(async (thrown: unknown) =>
      (await import("./commands/explain.js")).explain(thrown),
    );

const HELP_OF_THEIR_OWN: ReadonlySet<string> = new Set(["simulate", "doctor"]);

/** What is still open after a command has ended gets so long to end by itself. */
const LAST_WORDS_MS = 1000;

async function run(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args;
  // Without a command there may be flags, and they are those of serve.
  const isNamed = first !== undefined && (COMMANDS.has(first) || !first.startsWith("-"));
  const isHttp = args.some(isHttpFlag) && (!isNamed || first === "serve");
  const named = isHttp ? "serve --http" : isNamed ? first : "serve";
  // Some have a help of their own.
  const asksForHelp =
    !HELP_OF_THEIR_OWN.has(named) && args.some((arg) => arg === "--help" || arg === "-h");
  const name = asksForHelp ? "--help" : named;
  const load = COMMANDS.get(name);
  if (load === undefined) {
    const isShown = (key: string): boolean => key !== "keep" && !/^-\w$/.test(key);
    const known = [...COMMANDS.keys()].filter(isShown).join(", ");
    process.stderr.write(`There is no command "${name}". There are: ${known}.\n`);
    return MISUSED;
  }
  const command = await load();
  return command(isNamed ? rest : args);
}

// The reader of the output may stop early (`… --help | head`). That is not an error.
process.stdout.on("error", () => {});
process.exitCode = await run(process.argv.slice(2));
setTimeout(endProcess, LAST_WORDS_MS).unref();
