import { FoundryClient } from "../jobs/index.js";
import { createLogger, type Logger, logWritten } from "../log.js";
import { type CallPolicy, DEFAULT_CALL_POLICY, serveOverStdio } from "../mcp/index.js";
import { misspelledSettings } from "../misspelled-settings.js";
import { endProcess, onTermination, unblock } from "../platform/index.js";
import { readSettings, type Settings } from "../settings.js";
import { clientOptions, secretsOf } from "./client-options.js";

/**
 * Serves MCP over stdin and stdout until the host is gone or asks for the end; both are exit code 0.
 * Starting asks nothing of Foundry Local, so it works while there is none.
 */
export async function serve(flags: readonly string[]): Promise<number> {
  const settings = readSettings(flags, process.env);
  const log = createLogger(settings.FOUNDRY_LOG_LEVEL ?? "info", secretsOf(settings));
  surviveDefects(log);
  for (const { variable, meant } of misspelledSettings(process.env)) {
    log.warn({ variable, meant }, "a variable that is not a setting, perhaps misspelled");
  }
  unblock(process.stdout);
  const client = new FoundryClient(clientOptions(settings, log));
  const ending = new AbortController();
  onTermination((signal) => {
    log.info({ signal }, "asked to end");
    ending.abort();
  });
  await serveOverStdio(client, {
    log,
    policy: policyOf(settings),
    secrets: secretsOf(settings),
    input: process.stdin,
    output: process.stdout,
    signal: ending.signal,
  });
  if (!ending.signal.aborted) log.info({}, "the host is gone");
  await client.close();
  return 0;
}

function policyOf(settings: Settings): CallPolicy {
  const { FOUNDRY_REPLY_WITHIN: seconds, FOUNDRY_ON_CANCEL: onCancel } = settings;
  return {
    replyWithinMs: seconds === undefined ? DEFAULT_CALL_POLICY.replyWithinMs : seconds * 1000,
    onCancel: onCancel ?? DEFAULT_CALL_POLICY.onCancel,
  };
}

/**
 * An unhandled rejection does not affect other calls, so the server goes on. After an uncaught exception
 * the state is unknown: the process ends, as Node recommends.
 */
function surviveDefects(log: Logger): void {
  process.on("unhandledRejection", (reason) => {
    log.error({ detail: detailOf(reason) }, "a rejection was not handled");
  });
  process.on("uncaughtException", (error) => {
    log.error({ detail: detailOf(error) }, "an exception was not caught; the server ends");
    process.exitCode = 1;
    void logWritten().then(endProcess);
  });
}

const detailOf = (thrown: unknown): string =>
  thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
