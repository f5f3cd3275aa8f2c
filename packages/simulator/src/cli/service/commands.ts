import type { Call, Command } from "../call.js";
import type { Installation } from "../installation.js";
import * as agent from "./agent.js";
import * as models from "./models.js";

/** Commands that need no answer from the service. */
const WITHOUT_SERVICE: ReadonlySet<string> = new Set([
  "service start",
  "service stop",
  "service restart",
  "service set",
  "cache location",
]);
const KNOWN_OPTIONS = ["--port", "--show", "--ttl", "--version", "--device", "--filter", "--force"];

/**
 * The command line of 0.2 to 0.8, to the letter where people have quoted it (`docs/foundry-local.md`;
 * #35 #146 #259 #347 #405 #706 #752). ASSUMED: exit codes, and the words of `model info`,
 * `model unload`, `cache list` and of a model that is not in the catalog.
 *
 * @returns the exit code.
 */
export async function serviceCommand(call: Call, installation: Installation): Promise<number> {
  const command = COMMANDS.get(call.command);
  const unknown = call.unknownOption(KNOWN_OPTIONS);
  if (command === undefined) return misused(call, call.argv);
  if (unknown !== null) return misused(call, call.argv.slice(call.argv.indexOf(unknown)));
  const asksService = !WITHOUT_SERVICE.has(call.command);
  if (asksService && installation.switches.status === "broken_ipc") return agent.unreachable(call);
  return await command(call, installation);
}

const COMMANDS: ReadonlyMap<string, Command> = new Map(
  Object.entries<Command>({
    "service start": agent.start,
    "service stop": agent.stop,
    "service restart": agent.restart,
    "service status": agent.status,
    "service set": agent.set,
    "service ps": models.listLoaded,
    "service list": models.listLoaded,
    "model list": models.list,
    "model info": models.describe,
    "model download": models.downloadModel,
    "model load": models.load,
    "model unload": models.unload,
    "cache location": agent.cacheLocation,
    "cache list": models.listCache,
    "cache ls": models.listCache,
  }),
);

/** As in #35, of April 2025. Which of it is on stderr, and the exit code, are ASSUMED. */
function misused(call: Call, unrecognized: readonly string[]): number {
  call.complain(
    "Required command was not provided.",
    ...unrecognized.map((word) => `Unrecognized command or argument '${word}'.`),
    "",
  );
  call.print(
    "Description:",
    "  Foundry Local CLI: Run AI models on your device.",
    "",
    "Usage:",
    "  foundry [command] [options]",
    "",
    "Options:",
    "  -?, -h, --help  Show help and usage information",
    "  --version       Show version information",
    "",
    "Commands:",
    "  model    Discover, run and manage models",
    "  cache    Manage the local cache",
    "  service  Manage the local model inference service",
  );
  return 1;
}
