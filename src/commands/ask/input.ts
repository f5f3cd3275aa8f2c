import { createReadStream } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import * as z from "zod";
import { requestWithImages, type SourceImage } from "../../documents/index.js";
import { decode } from "../../files/index.js";
import type { CompletionRequest, JsonSchema } from "../../foundry/index.js";
import {
  cancelledError,
  FoundryError,
  imageTypeOf,
  jsonFrom,
  LONGEST_ASK_BYTES,
  LONGEST_IMAGE_BYTES,
  systemCodeOf,
} from "../../lib/index.js";
import { misuse } from "../arguments.js";

/** `process.stdin`, as far as it matters here. */
type Input = Readable & { readonly isTTY?: boolean };

interface PromptSource {
  readonly words: readonly string[];
  readonly files: readonly string[];
  readonly input: Input;
  readonly signal: AbortSignal;
}

/** A pipe of which nothing has come by then belongs to what started us, and is not meant. */
const FIRST_BYTE_MS = 3000;

const EXAMPLE = 'Give the question: `foundry-local-mcp ask "Why is the sky blue?"`';

/**
 * The request: the words, then what stdin has, then each text file with its name; images come before.
 *
 * @throws FoundryError `INVALID_SETTING` where there is no prompt, or a file cannot be read.
 */
export async function requestOf({
  words,
  files,
  input,
  signal,
}: PromptSource): Promise<CompletionRequest> {
  const question = words.filter((word) => word !== "-").join(" ");
  const isWanted = words.includes("-") || (words.length === 0 && input.isTTY !== true);
  const isPiped = input.isTTY !== true && words.length > 0;
  const parts = [question];
  const images: SourceImage[] = [];
  if (isWanted || isPiped) {
    const firstMs = isWanted ? undefined : FIRST_BYTE_MS;
    const bytes = await bytesOf(input, { name: "stdin", signal, firstMs });
    if (isImage(bytes)) images.push(imageOf("stdin", bytes));
    else parts.push(decoded(bytes, "stdin").trimEnd());
  }
  for (const file of files) {
    const quoted = JSON.stringify(file);
    const bytes = await bytesOf(createReadStream(file), { name: quoted, signal });
    const name = path.basename(file);
    if (isImage(bytes)) {
      images.push(imageOf(file, bytes));
    } else {
      const text = decoded(bytes, quoted).trimEnd();
      parts.push(`--- ${name} ---\n${text}\n--- end of ${name} ---`);
    }
  }
  const given = parts.filter((part) => part.trim() !== "");
  if (given.length === 0) throw misuse("There is nothing to ask.", EXAMPLE);
  return requestWithImages(images, { prompt: given.join("\n\n") });
}

/** @throws FoundryError `INVALID_SETTING` for a file that cannot be read, is no JSON object or is nested too deeply. */
export async function schemaIn(file: string, signal: AbortSignal): Promise<JsonSchema> {
  const schema = z.record(z.string(), z.unknown()).safeParse(await jsonIn(file, signal));
  if (schema.success) return schema.data;
  throw misuse(
    `${JSON.stringify(file)} is not a JSON Schema, or is nested too deeply.`,
    "Give a file with a JSON object.",
  );
}

/** The value of a JSON file in any encoding of {@link requestOf}; `undefined` if it is not valid JSON. */
export async function jsonIn(file: string, signal: AbortSignal): Promise<unknown> {
  const name = JSON.stringify(file);
  return jsonFrom(decoded(await bytesOf(createReadStream(file), { name, signal }), name));
}

const isImage = (bytes: Buffer): boolean => imageTypeOf(bytes) !== null;

const imageOf = (path: string, bytes: Buffer): SourceImage => ({
  path,
  data: bytes.toString("base64"),
});

function decoded(bytes: Buffer, name: string): string {
  if (bytes.length > LONGEST_ASK_BYTES) throw tooLong(name, LONGEST_ASK_BYTES);
  const text = decode(bytes);
  if (text !== null) return text;
  throw misuse(
    `${name} is neither text nor an image in PNG, JPEG, GIF or WebP.`,
    "Convert it first, and give the new file.",
  );
}

interface ReadLimits {
  readonly name: string;
  readonly signal: AbortSignal;
  /** Time limit for the first byte, after which there is none. Default: none. */
  readonly firstMs?: number | undefined;
}

function bytesOf(stream: Readable, { name, signal, firstMs }: ReadLimits): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let length = 0;
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      stream.destroy();
      settle();
    };
    const onAbort = (): void => end(() => reject(cancelledError()));
    const timer =
      firstMs === undefined
        ? undefined
        : setTimeout(() => end(() => resolve(Buffer.alloc(0))), firstMs);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort);
    stream.on("data", (piece: Buffer) => {
      clearTimeout(timer);
      pieces.push(piece);
      length += piece.length;
      if (length > LONGEST_IMAGE_BYTES) end(() => reject(tooLong(name, LONGEST_IMAGE_BYTES)));
    });
    stream.once("end", () => end(() => resolve(Buffer.concat(pieces))));
    stream.once("error", (error) => end(() => reject(unreadable(name, error))));
  });
}

const tooLong = (name: string, mostBytes: number): FoundryError =>
  misuse(
    `${name} is larger than ${mostBytes / 1024 / 1024} MB.`,
    "Give a part of it, or a smaller image: no local model reads more at once.",
  );

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EISDIR: "is a folder",
  EACCES: "may not be read by this user",
  EPERM: "may not be read by this user",
};

function unreadable(name: string, error: Error): FoundryError {
  const code = systemCodeOf(error) ?? "";
  const reason = REASONS[code] ?? `cannot be read (${code})`;
  return new FoundryError("INVALID_SETTING", `${name} ${reason}.`, {
    action: "Give the path of a file that can be read.",
    cause: error,
  });
}
