import { cancelledError, FoundryError, isCancellation } from "../lib/index.js";
import type { Exchange } from "./exchange.js";

/** As much of an error's body as is of use to anybody. */
const FAILURE_BYTES = 64 * 1024;

/** Most answers fit into it. */
const FIRST_BUFFER_BYTES = 16 * 1024;

/** The whole body as text, invalid UTF-8 replaced. `RESPONSE_TOO_LARGE` above the limit. */
export async function readBody(
  exchange: Exchange,
  maxBytes: number,
  onChunk: () => void,
): Promise<string> {
  // Copied together as they come: chunks of one byte would take a hundred times their size.
  let buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  let bytes = 0;
  for await (const chunk of exchange) {
    onChunk();
    if (bytes + chunk.length > maxBytes) {
      const error = new FoundryError(
        "RESPONSE_TOO_LARGE",
        `The answer is larger than ${maxBytes} bytes.`,
        { action: "Ask for less, or look what answers at the endpoint." },
      );
      exchange.abort(error);
      throw error;
    }
    if (bytes + chunk.length > buffer.length) {
      const larger = new Uint8Array(Math.max(bytes + chunk.length, 2 * buffer.length));
      larger.set(buffer.subarray(0, bytes));
      buffer = larger;
    }
    buffer.set(chunk, bytes);
    bytes += chunk.length;
  }
  return new TextDecoder().decode(buffer.subarray(0, bytes));
}

/** The body as text, piece by piece as it comes, invalid UTF-8 replaced. */
export async function* readPieces(
  exchange: Exchange,
  onChunk: () => void,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  try {
    for await (const chunk of exchange) {
      onChunk();
      const text = decoder.decode(chunk, { stream: true });
      if (text !== "") yield text;
    }
    const rest = decoder.decode();
    if (rest !== "") yield rest;
  } finally {
    // Does nothing to an answer that has ended.
    exchange.abort(cancelledError());
  }
}

/**
 * As much of the body of an error answer as arrives. Its status decides, so a missing end, a wrong
 * length or a broken connection is ignored.
 */
export async function readFailureBody(exchange: Exchange, onChunk: () => void): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  try {
    for await (const chunk of exchange) {
      onChunk();
      bytes += chunk.length;
      text += decoder.decode(chunk, { stream: true });
      if (bytes >= FAILURE_BYTES) break;
    }
  } catch (thrown) {
    if (thrown instanceof FoundryError && isCancellation(thrown)) {
      throw thrown;
    }
  }
  exchange.abort(cancelledError());
  return text;
}
