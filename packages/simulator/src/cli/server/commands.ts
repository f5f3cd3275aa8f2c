import type { Call, Command } from "../call.js";
import type { Installation } from "../installation.js";
import * as daemon from "./daemon.js";
import * as models from "./models.js";

/**
 * The command line from 0.10 on. What was seen (`docs/foundry-local.md`): the JSON of `server status`,
 * `server start`, `cache location`, `config show`, `model list` and `model info`, the text of
 * `server status`, the table of variants (#995), and the refusal of what it does not know with exit
 * code 2. The words and exit codes of everything else are ASSUMED, above all those of downloads.
 *
 * @returns the exit code.
 */
export async function serverCommand(call: Call, installation: Installation): Promise<number> {
  const command = COMMANDS.get(call.command);
  if (call.has("help") && (command !== undefined || call.words.length === 0)) return help(call);
  if (command === undefined) return misused(call, installation);
  return await command(call, installation);
}

const COMMANDS: ReadonlyMap<string, Command> = new Map(
  Object.entries<Command>({
    "server start": daemon.start,
    "server stop": daemon.stop,
    "server restart": daemon.restart,
    "server status": daemon.status,
    "server logs": daemon.logs,
    status: daemon.overview,
    "model list": models.list,
    "model info": models.describe,
    "model show": models.describe,
    "model download": models.downloadModel,
    "model load": models.load,
    "model unload": models.unload,
    "cache location": daemon.cacheLocation,
    "cache list": models.listCache,
    "config show": daemon.showConfig,
    "config set": daemon.setConfig,
    "config reset": daemon.resetConfig,
  }),
);

/** The words are ASSUMED. */
function help(call: Call): number {
  call.print(
    "Usage: foundry <command> [options]",
    "",
    "Commands:",
    ...[...COMMANDS.keys()].map((command) => `  ${command}`),
    "",
    "Options:",
    "  -o, --output json  Answer in JSON",
    "  --version          Show the version",
    "  -h, --help         Show this help",
  );
  return 0;
}

/** Both ways in which it was seen. */
function misused(call: Call, installation: Installation): number {
  const groups = new Set([...COMMANDS.keys()].map((command) => command.split(" ")[0]));
  const [group, inner] = call.words;
  const unknown = (groups.has(group) ? inner : group) ?? call.argv[0] ?? "";
  if (installation.switches.unknownCommand === "did_you_mean") {
    call.complain(
      `Unknown command: '${unknown}'`,
      ...(unknown === "service" ? ["Did you mean 'server'?"] : []),
    );
  } else {
    call.complain(
      `● error: Unrecognized command or argument '${unknown}'.`,
      "Hint: Run 'foundry --help' to see usage.",
    );
  }
  return 2;
}
