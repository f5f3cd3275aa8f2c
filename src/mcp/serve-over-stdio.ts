import type { Readable, Writable } from "node:stream";
import type { FoundryClient } from "../jobs/index.js";
import type { SecretMask } from "../lib/index.js";
import type { Logger } from "../log.js";
import type { CallPolicy } from "./call-policy.js";
import { CallsInFlight } from "./calls-in-flight.js";
import { createServer } from "./server.js";
import { LineTransport } from "./transport/index.js";

export interface ServeOptions {
  readonly log: Logger;
  /** Default: answer within 45 s; a cancelled call stops its work unless it timed out. */
  readonly policy?: CallPolicy | undefined;
  /** Hidden in what a service says of itself and its models. */
  readonly secrets?: SecretMask | undefined;
  readonly input: Readable;
  readonly output: Writable;
  /** Ends the client and the serving; calls in flight are answered with what there is. */
  readonly signal: AbortSignal;
}

/** Answering what was ended takes a moment, unless the host does not read. */
const ANSWERS_MS = 500;

/**
 * Serves one host over a pair of streams. Resolves when the host is gone, by when all calls in flight
 * are aborted and none of them is answered; or after the signal came.
 */
export async function serveOverStdio(client: FoundryClient, options: ServeOptions): Promise<void> {
  const calls = new CallsInFlight();
  const server = createServer(client, options.log, options.policy, calls, options.secrets);
  const { onclose } = server;
  const closed = new Promise<void>((resolve) => {
    server.onclose = () => {
      onclose?.();
      resolve();
    };
  });
  const stop = async (): Promise<void> => {
    await client.close();
    await calls.answered(ANSWERS_MS);
    await server.close();
  };
  options.signal.addEventListener("abort", () => void stop(), { once: true });
  await server.connect(new LineTransport(options.input, options.output));
  if (options.signal.aborted) void stop();
  await closed;
}
