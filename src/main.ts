#!/usr/bin/env node
import { FoundryError } from "./errors.js";

/** Runs with the rest of the command line; resolves with the exit code. */
type Command = (args: readonly string[]) => Promise<number>;

/** Each is loaded only when it is wanted: a host waits for the start of `serve`. */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ["serve", async () => (await import("./commands/serve.js")).serve],
  ["demo", async () => (await import("./commands/demo.js")).demo],
  ["simulate", async () => (await import("./commands/simulate.js")).simulate],
  ["--help", async () => (await import("./commands/help.js")).help],
  ["-h", async () => (await import("./commands/help.js")).help],
  ["--version", async () => (await import("./commands/help.js")).version],
  ["-v", async () => (await import("./commands/help.js")).version],
]);

/** A mistake in how it was started, as opposed to 1, a failure. */
const MISUSED = 2;
/** What is still open after a command has ended gets so long to end by itself. */
const LAST_WORDS_MS = 1000;

async function run(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args;
  // Without a command there may be flags, and they are those of serve.
  const isNamed = first !== undefined && (COMMANDS.has(first) || !first.startsWith("-"));
  const named = isNamed ? first : "serve";
  // Only simulate has a help of its own.
  const asksForHelp = named !== "simulate" && args.some((arg) => arg === "--help" || arg === "-h");
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

function explain(thrown: unknown): number {
  if (thrown instanceof FoundryError) {
    process.stderr.write(`${thrown.message} ${thrown.action}\n`);
    return thrown.code === "INVALID_SETTING" ? MISUSED : 1;
  }
  process.stderr.write(`${thrown instanceof Error ? thrown.stack : String(thrown)}\n`);
  return 1;
}

// Whoever reads our output may stop in the middle (`… --help | head`); that is no failure of ours.
process.stdout.on("error", () => {});
process.exitCode = await run(process.argv.slice(2)).catch(explain);
setTimeout(() => process.exit(), LAST_WORDS_MS).unref();
