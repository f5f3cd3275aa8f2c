import { meantName, printable, VERSION } from "../lib/index.js";
import { describeSettings } from "../settings.js";
import { EXIT } from "./command-line.js";
import { paragraph, printHelp, SETTINGS_NOTE, wrapped } from "./terminal.js";
import { asTyped } from "./typed-command.js";

const HELP = `foundry-local-mcp ${VERSION}: an MCP server for Microsoft Foundry Local.
Lets agents use the language models on their user's own machine.

Usage: foundry-local-mcp [command] [flags]

In a terminal (each with --help)
  setup           add the server to the MCP hosts of this machine
  ask "..."       ask a model; the answer comes as it is generated
  models          list the models
  download NAME   download a model
  load NAME       take a model into memory; unload NAME takes it out
  bench [NAME]    measure how fast models are, and choose FOUNDRY_CONCURRENCY
  doctor          report what there is, what is wrong, and what to do
  monitor         show the service and the running servers of this user, live
  demo            show the server at work, on a simulated Foundry Local or on FOUNDRY_ENDPOINT

For programs
  serve           speak MCP over stdin and stdout; the default, and what a host starts
                  serve --http [HOST:PORT] serves many hosts over HTTP instead, by
                  default at 127.0.0.1:8765
  simulate        simulate a Foundry Local, for tests and for machines without one

  help, --help, -h          this text; help COMMAND explains one command
  version, --version, -v    the version

Settings, as environment variables or as flags of these commands; a flag outranks its variable
${describeSettings((text) => wrapped(text, 94))}
`;

const SERVE_HELP = `Usage: foundry-local-mcp serve [flags]
       foundry-local-mcp serve --http [HOST:PORT] [flags]

Speaks MCP over stdin and stdout. Hosts start this command; it is the default where no command is given.
In a terminal it waits for messages of the protocol until Ctrl+C.

  --http [HOST:PORT]   serve many hosts over HTTP instead, by default at http://127.0.0.1:8765/mcp. An
                       address that other machines reach needs FOUNDRY_HTTP_KEY, which clients send
                       as Authorization: Bearer KEY

${SETTINGS_NOTE}`;

export const help = async (): Promise<number> => printHelp(HELP);
export const serveHelp = async (): Promise<number> => printHelp(SERVE_HELP);
export const version = async (): Promise<number> => printHelp(`${VERSION}\n`);

/** For a person who has started it on a terminal without a command. */
export const welcome = (): number =>
  printHelp("An MCP server for models on this machine. Type `foundry-local-mcp help`\n");

/** @returns the exit code. */
export function unknown(name: string, known: readonly string[]): number {
  const meant = meantName(name, known);
  const shown = JSON.stringify(printable(name, 60));
  const advice =
    meant !== null
      ? `Did you mean ${meant}?`
      : /\s/.test(name)
        ? `To ask a model: \`foundry-local-mcp ask ${shown}\`.`
        : "";
  const sentences = [`There is no command ${shown}.`, advice, `There are: ${known.join(", ")}.`];
  const text = asTyped(sentences.filter((each) => each !== "").join(" "));
  process.stderr.write(paragraph(text, process.stderr));
  return EXIT.misused;
}
