import { Readable, type Transform } from "node:stream";
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  constants as zlib,
} from "node:zlib";
import { FoundryError, isCancellation, toFoundryError } from "../lib/index.js";

/** The chunks of a body, and how its reader ends it early. */
interface AnswerBody extends AsyncIterable<Uint8Array> {
  abort(error: FoundryError): void;
  leave(): void;
}

/** As much of the body of an error as is of use. */
const FAILURE_BYTES = 64 * 1024;

/** Most answers fit into it. */
const FIRST_BUFFER_BYTES = 16 * 1024;

/** The whole body as text, invalid UTF-8 replaced. `RESPONSE_TOO_LARGE` above the limit. */
export async function readBody(
  body: AnswerBody,
  maxBytes: number,
  onChunk: () => void,
): Promise<string> {
  // Copied together as they come: chunks of one byte would take a hundred times their size.
  let buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  let bytes = 0;
  try {
    for await (const chunk of body) {
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
    body.abort(toFoundryError(thrown));
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
  body: AnswerBody,
  onChunk: () => void,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  try {
    for await (const chunk of body) {
      onChunk();
      const text = decoder.decode(chunk, { stream: true });
      if (text !== "") yield text;
    }
    const rest = decoder.decode();
    if (rest !== "") yield rest;
  } finally {
    body.leave();
  }
}

/** As much of the body of an error answer as arrives, and the error with which it broke off. */
export async function readFailureBody(
  body: AnswerBody,
  onChunk: () => void,
): Promise<{ readonly text: string; readonly brokeOff: FoundryError | null }> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  let brokeOff: FoundryError | null = null;
  try {
    for await (const chunk of body) {
      onChunk();
      bytes += chunk.length;
      text += decoder.decode(chunk, { stream: true });
      if (bytes >= FAILURE_BYTES) break;
    }
  } catch (thrown) {
    brokeOff = toFoundryError(thrown);
    if (isCancellation(brokeOff)) throw brokeOff;
  }
  body.leave();
  return { text, brokeOff };
}

/**
 * The bytes of a body without its compression. None is ever requested, but proxies compress all the
 * same, and some leave the header on a body that they have decompressed.
 *
 * @param encoding The header `Content-Encoding`.
 */
export async function* decompressed(
  chunks: AsyncIterable<Uint8Array>,
  encoding: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const source = chunks[Symbol.asyncIterator]();
  let start: Uint8Array = new Uint8Array();
  // The first two bytes show the format.
  while (start.length < 2) {
    const next = await source.next();
    if (next.done === true) break;
    start = start.length === 0 ? next.value : Buffer.concat([start, next.value]);
  }
  const decoder = decoderOf(start, encoding.trim().toLowerCase());
  if (decoder === null) {
    if (start.length > 0) yield start;
    yield* { [Symbol.asyncIterator]: () => source };
    return;
  }
  const failures: unknown[] = [];
  async function* compressed(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield start;
      yield* { [Symbol.asyncIterator]: () => source };
    } catch (thrown) {
      // Thrown below, after all that had come before it.
      failures.push(thrown);
    }
  }
  try {
    yield* Readable.from(compressed(), { objectMode: false }).pipe(decoder);
  } catch (cause) {
    throw new FoundryError("INVALID_RESPONSE", "The answer is compressed and cannot be read.", {
      action: "Turn off compression in the service, or in the proxy before it.",
      cause,
    });
  }
  for (const failure of failures) throw failure;
}

/** How a JSON object and events begin. A compressed text hardly ever does, unlike with the bracket of a list. */
const TEXT_START = /^(?:\{["}\s]|da|ev|: )/;

/** How the body is decompressed; `null`: it is not compressed. */
function decoderOf(start: Uint8Array, encoding: string): Transform | null {
  const [first = 0, second = 0] = start;
  if (first === 0x1f && second === 0x8b) {
    // A body that broke off is given as far as it came.
    return createGunzip({ finishFlush: zlib.Z_SYNC_FLUSH });
  }
  if (start.length === 0 || TEXT_START.test(String.fromCharCode(first, second))) return null;
  if (encoding === "deflate") {
    const hasHeader = (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0;
    const options = { finishFlush: zlib.Z_SYNC_FLUSH };
    return hasHeader ? createInflate(options) : createInflateRaw(options);
  }
  if (encoding === "br") {
    return createBrotliDecompress({ finishFlush: zlib.BROTLI_OPERATION_FLUSH });
  }
  return null;
}
