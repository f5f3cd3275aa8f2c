import { pino } from "pino";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The part of pino that this package uses; any pino logger fits. */
export interface Logger {
  trace(fields: object, message: string): void;
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Keys whose values are never written, however deep they lie. */
const SECRET_KEYS = ["apiKey", "authorization", "Authorization", "headers", "FOUNDRY_API_KEY"];

/**
 * JSON lines on stderr. stdout belongs to the protocol, so there is no option to log there.
 * Synchronous, because a line lost at exit is the one that would have explained the exit.
 */
export function createLogger(level: LogLevel): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      redact: {
        paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
        censor: "(secret)",
      },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}

/** Says nothing: the default of the library, whose user decides about logs. */
export const silentLogger: Logger = {
  trace: () => {},
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};
