import { FoundryError, type Lazy, stackOf } from "../lib/index.js";
import type { Backend } from "../mcp/index.js";
import { endProcess } from "../platform/index.js";
import { EXIT } from "./command-line.js";
import { paragraph } from "./terminal.js";
import { asTyped } from "./typed-command.js";

/**
 * Writes the text of a failure for a person to stderr, and the stack to the log, at level debug.
 *
 * @returns the exit code: 2 for a wrong setting, else 1.
 */
export async function explain(thrown: unknown): Promise<number> {
  const error = thrown instanceof FoundryError ? thrown : unexpected(thrown);
  const text = asTyped(`${error.message} ${error.action}`);
  process.stderr.write(paragraph(text, process.stderr));
  if (error.code === "INVALID_SETTING") return EXIT.misused;
  const { createLogger } = await import("../log.js");
  createLogger(await logLevel()).debug({ detail: error.detail }, "the command failed");
  return EXIT.failed;
}

function unexpected(thrown: unknown): FoundryError {
  const [reason = ""] = (thrown instanceof Error ? thrown.message : String(thrown)).split("\n");
  return new FoundryError("INTERNAL", `foundry-local-mcp failed: ${reason.replace(/\.$/, "")}.`, {
    action:
      "Set FOUNDRY_LOG_LEVEL=debug for details, and report the problem with them if it persists.",
    detail: stackOf(thrown),
  });
}

async function logLevel() {
  const { readSettings } = await import("../settings.js");
  try {
    return readSettings([], process.env).FOUNDRY_LOG_LEVEL ?? "info";
  } catch {
    // Something else failed, and that failure is being reported.
    return "info";
  }
}

/**
 * An unhandled rejection does not affect other calls, so the server goes on. After an uncaught exception
 * the state is unknown: the process ends, as Node recommends.
 */
export function surviveDefects(backend: Lazy<Backend>): void {
  const report = (thrown: unknown, what: string): Promise<void> =>
    backend.get().then(
      ({ log }) => log.error({ detail: stackOf(thrown) }, what),
      () => void process.stderr.write(`${what}: ${stackOf(thrown)}\n`),
    );
  process.on("unhandledRejection", (reason) => void report(reason, "a rejection was not handled"));
  process.on("uncaughtException", async (error) => {
    process.exitCode = 1;
    await report(error, "an exception was not caught; the server ends");
    const { logWritten } = await import("../log.js");
    await logWritten();
    endProcess();
  });
}
