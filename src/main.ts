#!/usr/bin/env node
import { EXIT, isHttpFlag, outdatedNode, TYPED_COMMANDS } from "./commands/command-line.js";
import { endProcess } from "./platform/own-process.js";

/** Runs with the rest of the command line; resolves with the exit code. */
type Command = (args: readonly string[]) => Promise<number>;

const helpOf = async (): Promise<Command> => (await import("./commands/help.js")).help;
const serveHelpOf = async (): Promise<Command> => (await import("./commands/help.js")).serveHelp;
const versionOf = async (): Promise<Command> => (await import("./commands/help.js")).version;

/**
 * Each is loaded only when it is wanted: a host waits for the start of `serve`, which the build puts
 * into a file of its own; so `serve` explains its failures itself.
 */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ["ask", async () => (await import("./commands/ask/ask.js")).ask],
  ["models", async () => (await import("./commands/models.js")).models],
  ["download", async () => (await import("./commands/models.js")).download],
  ["load", async () => (await import("./commands/models.js")).load],
  ["unload", async () => (await import("./commands/models.js")).unload],
  ["bench", async () => (await import("./commands/bench/bench.js")).bench],
  ["setup", async () => (await import("./commands/setup/setup.js")).setup],
  ["doctor", async () => (await import("./commands/doctor/doctor.js")).doctor],
  ["monitor", async () => (await import("./commands/monitor.js")).monitor],
  ["demo", async () => (await import("./commands/demo.js")).demo],
  ["serve", async () => (await import("./commands/serve.js")).serve],
  ["serve --help", serveHelpOf],
  ["serve --http", async () => (await import("./commands/serve-http.js")).serveHttp],
  ["simulate", async () => (await import("./commands/simulate.js")).simulate],
  ["keep", async () => (await import("./commands/keeping.js")).keep],
  ["help", helpOf],
  ["--help", helpOf],
  ["-h", helpOf],
  ["version", versionOf],
  ["--version", versionOf],
  ["-v", versionOf],
]);

const TYPED: ReadonlySet<string> = new Set(TYPED_COMMANDS);

/** The command that shows the help of a command. All but `serve` do so themselves. */
const helpFor = (named: string): string =>
  named.startsWith("serve") ? "serve --help" : TYPED.has(named) ? named : "--help";

/** Codes of a write to a disk that is full, or to a file at its limit. */
const NO_SPACE: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** What is still open after a command has ended gets so long to end by itself. */
const LAST_WORDS_MS = 1000;

async function run(args: readonly string[]): Promise<number> {
  const outdated = outdatedNode(process.versions.node);
  if (outdated !== null) {
    process.stderr.write(`${outdated}\n`);
    return EXIT.failed;
  }
  const [first, ...rest] = args;
  if (first === undefined && process.stdin.isTTY) {
    // No host starts it on a terminal, where the protocol would wait without end.
    return (await import("./commands/help.js")).welcome();
  }
  const [subject = ""] = rest;
  if (first === "help" && TYPED.has(subject)) return run([...rest, "--help"]);
  const isUnknown = !COMMANDS.has(subject) && !/^(-|$)/.test(subject);
  if (first === "help" && isUnknown) return run([subject]);
  // Without a command there may be flags, and they are those of serve.
  const isNamed = first !== undefined && (COMMANDS.has(first) || !first.startsWith("-"));
  const isHttp = args.some(isHttpFlag) && (!isNamed || first === "serve");
  const named = isHttp ? "serve --http" : isNamed ? first : "serve";
  const asksForHelp = args.some((arg) => arg === "--help" || arg === "-h");
  const load = COMMANDS.get(!asksForHelp ? named : isNamed ? helpFor(named) : "--help");
  if (load === undefined) {
    const isShown = (key: string): boolean => key !== "keep" && !key.includes("-");
    return (await import("./commands/help.js")).unknown(
      named,
      [...COMMANDS.keys()].filter(isShown),
    );
  }
  const command = await load();
  return command(isNamed ? rest : args).catch(async (thrown: unknown) =>
    (await import("./commands/failures.js")).explain(thrown),
  );
}

const args = process.argv.slice(2);
const isForReader = TYPED.has(args[0] ?? "") && args[0] !== "serve";
let isIncomplete = false;
process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
  // The reader of the output may stop early (`… --help | head`). That is not an error.
  if (!isForReader || isIncomplete || !NO_SPACE.has(code ?? "")) return;
  isIncomplete = true;
  process.exitCode = EXIT.failed;
  process.stderr.write("The output is incomplete: there is no space left for it on its disk.\n");
});
// Without its notes a command or a server still does its work.
process.stderr.on("error", () => {});
const code = await run(args);
process.exitCode ??= code;
setTimeout(endWhenWritten, LAST_WORDS_MS).unref();

/** The reader of a command's output may be slow (`… | less`). A host that does not read is not waited for. */
function endWhenWritten(): void {
  if (isForReader && process.stdout.writableLength > 0 && !process.stdout.destroyed) {
    setTimeout(endWhenWritten, LAST_WORDS_MS).unref();
  } else {
    endProcess();
  }
}
