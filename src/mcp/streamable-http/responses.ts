import type { EventEmitter } from "node:events";
import { portableJson } from "../../lib/index.js";

/** A refusal in the form in which clients of the protocol read it. */
export const jsonRpcError = (
  status: number,
  code: number,
  message: string,
  id: string | number | null = null,
): Response => Response.json({ jsonrpc: "2.0", error: { code, message }, id }, { status });

/** The same response, with its JSON as every reader of lines takes it. The SDK writes each event at once. */
export function portable(response: Response): Response {
  if (response.body === null) return response;
  const lines = new TransformStream<string, string>({
    transform: (text, controller) => controller.enqueue(portableJson(text)),
  });
  const body = response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(lines)
    .pipeThrough(new TextEncoderStream());
  return new Response(body, response);
}

/** What Node has of a request and its response. */
interface Exchange {
  readonly incoming: { readonly socket: EventEmitter };
  readonly outgoing: EventEmitter;
}

/**
 * Resolves when a response has ended, in whatever way. When a connection ends, Node emits no "close" for
 * the responses that wait behind another one on it (HTTP pipelining).
 */
export function endOfResponse({ incoming: { socket }, outgoing }: Exchange): Promise<void> {
  // One listener for each of these, however many; the default is a warning on stderr from 11 on.
  socket.setMaxListeners(0);
  return new Promise((resolve) => {
    const end = (): void => {
      socket.off("close", end);
      resolve();
    };
    outgoing.once("close", end);
    socket.once("close", end);
  });
}
