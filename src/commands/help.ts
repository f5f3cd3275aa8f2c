import { VERSION } from "../lib/index.js";
import { describeSettings } from "../settings.js";

const HELP = `foundry-local-mcp ${VERSION}: an MCP server for Microsoft Foundry Local.
Lets agents use the language models on their user's own machine.

Usage: foundry-local-mcp [command] [flags]

Commands
  serve      speak MCP over stdin and stdout; the default, and what a host starts
             serve --http [HOST:PORT] serves many hosts over HTTP instead, by
             default at 127.0.0.1:8765
  demo       show what it does, on a simulated Foundry Local or on FOUNDRY_ENDPOINT
  doctor     say what is there, what is wrong, and what to do (doctor --help)
  simulate   be a Foundry Local for tests and for machines without one (simulate --help)

  --help, -h       this text
  --version, -v    the version

Settings, as environment variables or as flags of serve; a flag outranks its variable
${describeSettings()}
`;

export async function help(): Promise<number> {
  process.stdout.write(HELP);
  return 0;
}

export async function version(): Promise<number> {
  process.stdout.write(`${VERSION}\n`);
  return 0;
}
