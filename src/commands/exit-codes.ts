import type { ErrorCode, FoundryError } from "../lib/index.js";
import { MISUSED } from "./command-line.js";

/** The exit codes of the commands for a terminal. */
export const EXIT = {
  done: 0,
  failed: 1,
  /** A wrong flag, argument or setting. */
  misused: MISUSED,
  /** No service answers. */
  noService: 3,
  /** The model is not there, or not downloaded. */
  noModel: 4,
  /** What a shell expects of a command that Ctrl+C ended. */
  interrupted: 130,
} as const;

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

export const exitCodeOf = ({ code }: FoundryError): number => BY_CODE[code] ?? EXIT.failed;
