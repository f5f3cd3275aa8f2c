import { Readable, type Transform } from "node:stream";
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  constants as zlib,
} from "node:zlib";
import { FoundryError } from "../lib/index.js";

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
