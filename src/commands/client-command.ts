import { SpeedMemory, withoutAttempts } from "../foundry/index.js";
import { FoundryClient, type FoundryClientOptions } from "../jobs/index.js";
import { type ErrorCode, type FoundryError, isAbortOf, toFoundryError } from "../lib/index.js";
import { createLogger } from "../log.js";
import { endProcess, onTermination, ownDirectory, thisMachine } from "../platform/index.js";
import { readSettings, type Settings } from "../settings.js";
import { terminalWords } from "../terminal-words.js";
import { clientOptions, secretsOf } from "./client-options.js";
import { EXIT } from "./command-line.js";
import { paragraph, type Screen, terminalScreen } from "./terminal.js";
import { asTyped } from "./typed-command.js";

/** What a command that uses Foundry Local works with. */
export interface ClientCommand {
  readonly client: FoundryClient;
  readonly settings: Settings;
  /** Aborted by Ctrl+C. */
  readonly signal: AbortSignal;
  /** On stderr. */
  readonly notes: Screen;
}

interface RunOptions {
  readonly flags: readonly string[];
  /** Of the client; they outrank the settings. */
  readonly options?: FoundryClientOptions;
  /** Called with a failure in the words of a terminal, before it is written to stderr. */
  readonly onFailure?: (error: FoundryError) => void;
}

/**
 * Runs a command with a client, and writes its failure to stderr. Ctrl+C aborts the signal; a second one
 * ends the process at once.
 *
 * @returns the exit code.
 * @throws FoundryError `INVALID_SETTING` for a setting that does not fit.
 */
export async function clientCommand(
  { flags, options, onFailure }: RunOptions,
  run: (command: ClientCommand) => Promise<number>,
): Promise<number> {
  const settings = readSettings(flags, process.env);
  const log = createLogger(settings.FOUNDRY_LOG_LEVEL ?? "silent", secretsOf(settings));
  const notes = terminalScreen(process.stderr, process.env);
  const ending = new AbortController();
  const { signal } = ending;
  onTermination(() => {
    if (signal.aborted) {
      process.exitCode = EXIT.interrupted;
      endProcess();
    }
    ending.abort();
  });
  const client = new FoundryClient({ ...clientOptions(settings, log), ...options });
  client.service.speeds = new SpeedMemory({ directory: ownDirectory(thisMachine()), log });
  try {
    return await run({ client, settings, signal, notes });
  } catch (thrown) {
    notes.clear();
    const error = inTerminalWords(toFoundryError(thrown));
    if (isAbortOf(signal, thrown)) {
      // A download may go on in the service.
      if (!error.action.startsWith("Nothing to do")) {
        process.stderr.write(paragraph(error.action, process.stderr));
      }
      return EXIT.interrupted;
    }
    onFailure?.(error);
    log.debug({ detail: error.detail }, "the command failed");
    process.stderr.write(paragraph(`${error.message} ${error.action}`, process.stderr));
    return exitCodeOf(error);
  } finally {
    await client.close();
  }
}

function inTerminalWords(error: FoundryError): FoundryError {
  const doctor = error.code === "NO_ENDPOINT" ? " `foundry-local-mcp doctor` shows more." : "";
  return error.reworded({
    message: asTyped(terminalWords(withoutAttempts(error.message))),
    action: asTyped(`${terminalWords(error.action)}${doctor}`),
  });
}

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  INVALID_SETTING: EXIT.misused,
  INVALID_ARGUMENT: EXIT.misused,
  NO_ENDPOINT: EXIT.noService,
  NOT_FOUNDRY: EXIT.noService,
  SERVICE_UNREACHABLE: EXIT.noService,
  CIRCUIT_OPEN: EXIT.noService,
  MODEL_NOT_FOUND: EXIT.noModel,
  MODEL_NOT_CACHED: EXIT.noModel,
};

const exitCodeOf = ({ code }: FoundryError): number => BY_CODE[code] ?? EXIT.failed;
