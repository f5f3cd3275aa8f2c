import type { Lazy } from "../lib/index.js";
import type { Backend } from "../mcp/index.js";
import { endProcess } from "../platform/index.js";

/**
 * An unhandled rejection does not affect other calls, so the server goes on. After an uncaught exception
 * the state is unknown: the process ends, as Node recommends.
 */
export function surviveDefects(backend: Lazy<Backend>): void {
  const report = (thrown: unknown, what: string): Promise<void> =>
    backend.get().then(
      ({ log }) => log.error({ detail: detailOf(thrown) }, what),
      () => void process.stderr.write(`${what}: ${detailOf(thrown)}\n`),
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

const detailOf = (thrown: unknown): string =>
  thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
