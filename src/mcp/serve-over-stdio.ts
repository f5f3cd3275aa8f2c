import type { Readable, Writable } from "node:stream";
import type { FoundryClient } from "../foundry/index.js";
import type { Logger } from "../log.js";
import { LineTransport } from "./line-transport.js";
import { createServer } from "./server.js";

export interface ServeOptions {
  readonly log: Logger;
  readonly input: Readable;
  readonly output: Writable;
  /** Ends the serving as the end of the input does. */
  readonly signal: AbortSignal;
}

/**
 * Serves one host over a pair of streams. Resolves when the host is gone or the signal comes; by then
 * all calls in flight are aborted, and none of them is answered.
 */
export async function serveOverStdio(client: FoundryClient, options: ServeOptions): Promise<void> {
  const server = createServer(client, options.log);
  const closed = new Promise<void>((resolve) => {
    server.onclose = resolve;
  });
  const stop = (): void => void server.close();
  options.signal.addEventListener("abort", stop, { once: true });
  await server.connect(new LineTransport(options.input, options.output));
  if (options.signal.aborted) stop();
  await closed;
}
