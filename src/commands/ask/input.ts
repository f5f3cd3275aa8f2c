import { createReadStream } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { requestWithImages, type SourceImage } from "../../documents/index.js";
import { decode, namesImages } from "../../files/index.js";
import type { CompletionRequest } from "../../foundry/index.js";
import {
  cancelledError,
  FoundryError,
  imageTypeOf,
  LONGEST_ASK_BYTES,
  LONGEST_IMAGE_BYTES,
} from "../../lib/index.js";
import { misuse } from "../arguments.js";

/** `process.stdin`, as far as it matters here. */
export type Input = Readable & { readonly isTTY?: boolean };

export interface PromptSource {
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
  const given =
    isWanted || isPiped
      ? await textOf(input, "stdin", signal, isWanted ? undefined : FIRST_BYTE_MS)
      : "";
  const parts = [question, given.trimEnd()].filter((part) => part.trim() !== "");
  const images: SourceImage[] = [];
  for (const file of files) {
    const name = path.basename(file);
    const quoted = JSON.stringify(file);
    const mostBytes = namesImages(file) ? LONGEST_IMAGE_BYTES : LONGEST_ASK_BYTES;
    const bytes = await bytesOf(createReadStream(file), { name: quoted, signal, mostBytes });
    if (imageTypeOf(bytes) === null) {
      const text = decoded(bytes, quoted).trimEnd();
      parts.push(`--- ${name} ---\n${text}\n--- end of ${name} ---`);
    } else {
      images.push({ path: name, data: bytes.toString("base64") });
    }
  }
  if (parts.length === 0) throw misuse("There is nothing to ask.", EXAMPLE);
  return requestWithImages(images, { prompt: parts.join("\n\n") });
}

/** @throws FoundryError `INVALID_SETTING` for a file that cannot be read or is not JSON. */
export async function jsonFile(file: string, signal: AbortSignal): Promise<unknown> {
  const text = await textOf(createReadStream(file), JSON.stringify(file), signal);
  try {
    return JSON.parse(text);
  } catch {
    throw misuse(`${JSON.stringify(file)} is not JSON.`, "Give a file with a JSON Schema.");
  }
}

/** @param firstMs Time limit for the first byte, after which there is no text. Default: none. */
async function textOf(
  stream: Readable,
  name: string,
  signal: AbortSignal,
  firstMs?: number,
): Promise<string> {
  return decoded(await bytesOf(stream, { name, signal, firstMs }), name);
}

function decoded(bytes: Buffer, name: string): string {
  const text = decode(bytes)?.text ?? null;
  if (text === null) throw misuse(`${name} is not text.`, "Give plain text, or an image.");
  return text;
}

interface ReadLimits {
  readonly name: string;
  readonly signal: AbortSignal;
  readonly mostBytes?: number;
  readonly firstMs?: number | undefined;
}

function bytesOf(
  stream: Readable,
  { name, signal, mostBytes = LONGEST_ASK_BYTES, firstMs }: ReadLimits,
): Promise<Buffer> {
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
      if (length > mostBytes) end(() => reject(tooLong(name, mostBytes)));
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
  const code = "code" in error ? String(error.code) : "";
  const reason = REASONS[code] ?? `cannot be read (${code})`;
  return new FoundryError("INVALID_SETTING", `${name} ${reason}.`, {
    action: "Give the path of a text file.",
    cause: error,
  });
}
