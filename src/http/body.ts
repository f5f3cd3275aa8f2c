import { FoundryError, isCancellation, toFoundryError } from "../lib/index.js";
import type { Exchange } from "./exchange.js";

/** As much of the body of an error as is of use. */
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
  try {
    for await (const chunk of exchange) {
      onChunk();
      if (bytes + chunk.length > maxBytes) throw tooLarge(maxBytes);
      if (bytes + chunk.length > buffer.length) {
        const larger = new Uint8Array(Math.max(bytes + chunk.length, 2 * buffer.length));
        larger.set(buffer.subarray(0, bytes));
        buffer = larger;
      }
      buffer.set(chunk, bytes);
      bytes += chunk.length;
    }
  } catch (thrown) {
    // The peer may send more, or hold the connection open.
    exchange.abort(toFoundryError(thrown));
    throw thrown;
  }
  return new TextDecoder().decode(buffer.subarray(0, bytes));
}

const tooLarge = (maxBytes: number): FoundryError =>
  new FoundryError("RESPONSE_TOO_LARGE", `The answer is larger than ${maxBytes} bytes.`, {
    action: "Ask for less, or look what answers at the endpoint.",
  });

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
    exchange.leave();
  }
}

/** As much of the body of an error answer as arrives, and the error with which it broke off. */
export async function readFailureBody(
  exchange: Exchange,
  onChunk: () => void,
): Promise<{ readonly text: string; readonly brokeOff: FoundryError | null }> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  let brokeOff: FoundryError | null = null;
  try {
    for await (const chunk of exchange) {
      onChunk();
      bytes += chunk.length;
      text += decoder.decode(chunk, { stream: true });
      if (bytes >= FAILURE_BYTES) break;
    }
  } catch (thrown) {
    brokeOff = toFoundryError(thrown);
    if (isCancellation(brokeOff)) throw brokeOff;
  }
  exchange.leave();
  return { text, brokeOff };
}
