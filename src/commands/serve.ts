import { Lazy } from "../lib/index.js";
import { type Backend, closeBackend, serveOverStdio } from "../mcp/index.js";
import { endProcess, onTermination, unblock } from "../platform/index.js";
import { readSettings } from "../settings.js";
import { explain } from "./explain.js";

/**
 * Serves MCP over stdin and stdout until the host is gone or asks for the end; both are exit code 0.
 * Starting asks nothing of Foundry Local, so it works while there is none. A host waits for the start,
 * so that what only calls need is loaded later.
 */
export const serve = (flags: readonly string[]): Promise<number> =>
  untilTheEnd(flags).catch(explain);

async function untilTheEnd(flags: readonly string[]): Promise<number> {
  const settings = readSettings(flags, process.env);
  const backend = new Lazy(async () =>
    (await import("./backend.js")).createBackend(settings, flags),
  );
  surviveDefects(backend);
  unblock(process.stdout);
  const ending = new AbortController();
  onTermination((signal) => {
    backend.made?.log.info({ signal }, "asked to end");
    ending.abort();
  });
  await serveOverStdio({
    backend,
    hasFiles: settings.FOUNDRY_FILES !== undefined,
    input: process.stdin,
    output: process.stdout,
    signal: ending.signal,
  });
  if (!ending.signal.aborted) backend.made?.log.info({}, "the host is gone");
  await closeBackend(await backend.ifBegun());
  return 0;
}

/**
 * An unhandled rejection does not affect other calls, so the server goes on. After an uncaught exception
 * the state is unknown: the process ends, as Node recommends.
 */
function surviveDefects(backend: Lazy<Backend>): void {
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
