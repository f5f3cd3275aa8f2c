import { Lazy } from "../lib/index.js";
import { closeBackend, serveOverStdio } from "../mcp/index.js";
import { onTermination, unblock } from "../platform/index.js";
import { readSettings } from "../settings.js";
import { explain, surviveDefects } from "./failures.js";

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
    routes: settings.FOUNDRY_ROUTES,
    hasFiles: settings.FOUNDRY_FILES !== undefined,
    input: process.stdin,
    output: process.stdout,
    signal: ending.signal,
  });
  if (!ending.signal.aborted) backend.made?.log.info({}, "the host is gone");
  await closeBackend(await backend.ifBegun());
  return 0;
}
