import { FoundryError, toFoundryError } from "../lib/index.js";
import { MISUSED } from "./command-line.js";
import { asTyped, paragraph } from "./terminal/index.js";

/**
 * Writes the text of a failure for a person to stderr, and the stack to the log, at level debug.
 *
 * @returns the exit code: {@link MISUSED} for a wrong setting, else 1.
 */
export async function explain(thrown: unknown): Promise<number> {
  const error = thrown instanceof FoundryError ? thrown : unexpected(thrown);
  const text = asTyped(`${error.message} ${error.action}`);
  process.stderr.write(paragraph(text, process.stderr));
  if (error.code === "INVALID_SETTING") return MISUSED;
  const { createLogger } = await import("../log.js");
  createLogger(await logLevel()).debug({ detail: error.detail }, "the command failed");
  return 1;
}

function unexpected(thrown: unknown): FoundryError {
  const { code, detail } = toFoundryError(thrown);
  const [reason = ""] = (thrown instanceof Error ? thrown.message : String(thrown)).split("\n");
  return new FoundryError(code, `foundry-local-mcp failed: ${reason.replace(/\.$/, "")}.`, {
    action:
      "Set FOUNDRY_LOG_LEVEL=debug for details, and report the problem with them if it persists.",
    detail: detail ?? reason,
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
