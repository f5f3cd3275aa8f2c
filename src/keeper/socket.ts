import { createHmac, randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import type { Socket } from "node:net";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import * as z from "zod";
import { jsonFrom, LONGEST_LINE, MOST_UNREAD_BYTES } from "../lib/index.js";
import {
  type KeeperAddress,
  makePrivateDirectory,
  makePrivateFile,
  ownUid,
  readSmallFile,
} from "../platform/index.js";

/** Bytes of a message before the other side has proven that it is this user's. */
const LONGEST_GREETING = 4096;

/**
 * Messages over a local socket: a JSON text for each, one on a line. A line that is too long, or is no
 * JSON, ends the connection.
 */
export class Channel {
  readonly #socket: Socket;
  readonly #onMessage: (message: unknown) => void;
  #pieces: string[] = [];
  #length = 0;
  #longest = LONGEST_GREETING;
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>;

  constructor(socket: Socket, onMessage: (message: unknown) => void) {
    this.#socket = socket;
    this.#onMessage = onMessage;
    socket.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    // The event `close` follows.
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  /** The other side is this user's: its messages may be long. */
  trust(): void {
    this.#longest = LONGEST_LINE;
  }

  send(message: object): void {
    if (this.#socket.destroyed) return;
    this.#socket.write(`${JSON.stringify(message)}\n`);
    // Each message is bounded, and a process that reads none of them must not fill the memory.
    if (this.#socket.writableLength > MOST_UNREAD_BYTES) this.close();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Ends the connection after what has been sent. */
  end(): void {
    this.#socket.end();
  }

  #read(text: string): void {
    const lines = text.split("\n");
    const rest = lines.pop() ?? "";
    for (const line of lines) {
      const message = jsonFrom([...this.#pieces, line].join(""));
      this.#pieces = [];
      this.#length = 0;
      if (message === undefined) this.close();
      else this.#onMessage(message);
      if (this.#socket.destroyed) return;
    }
    if (rest !== "") this.#pieces.push(rest);
    this.#length += rest.length;
    if (this.#length > this.#longest) this.close();
  }
}

/**
 * The version of the messages. Processes of different versions do not use each other: it is higher
 * wherever a message has changed.
 */
export const PROTOCOL = 1;

/**
 * Both sides prove that they know the secret in a file that only this user can read. On Windows any user
 * may open a pipe, and may listen at its name first, so that neither side sends anything else before.
 */
export const greetingSchema = z.object({ protocol: z.int(), nonce: z.string().max(64) });
export const welcomeSchema = z.object({
  protocol: z.int(),
  nonce: z.string().max(64),
  proof: z.string().max(64),
});
export const proofSchema = z.object({ proof: z.string().max(64) });
export const readySchema = z.object({ ready: z.literal(true) });

export const newNonce = (): string => randomBytes(32).toString("hex");

/** What only a process that knows the secret can answer to a nonce of the other side. */
export const proofOf = (secret: string, side: "keeper" | "server", nonce: string): string =>
  createHmac("sha256", secret).update(`${side} ${nonce}`).digest("hex");

const SECRET_LENGTH = 64;
/** Another process may have made the file just now, and not have written it yet. */
const LOOKS = 20;
const LOOK_PAUSE_MS = 50;

/** The secret of this user; `null` if there is none yet, or it cannot be read. */
export async function readSecret({ directory }: KeeperAddress): Promise<string | null> {
  const content = await readSmallFile(path.join(directory, "secret"), {
    maxBytes: SECRET_LENGTH,
    ownerUid: ownUid(),
  });
  return "text" in content && content.text.length === SECRET_LENGTH ? content.text : null;
}

/**
 * The secret of this user; makes it if there is none.
 *
 * @throws when the directory cannot be made or written, or belongs to another user.
 */
export async function ensureSecret(address: KeeperAddress): Promise<string> {
  await makePrivateDirectory(address.directory);
  for (let looks = 0; looks < 2 * LOOKS; looks += 1) {
    const secret = (await readSecret(address)) ?? (await writeSecret(address));
    if (secret !== null) return secret;
    await pause(LOOK_PAUSE_MS);
    // The process that made it ended before it wrote it.
    if (looks === LOOKS) await rm(path.join(address.directory, "secret"), { force: true });
  }
  throw new Error("the secret of the keeper cannot be read");
}

/** `null` if the file is there already. */
async function writeSecret({ directory }: KeeperAddress): Promise<string | null> {
  const secret = randomBytes(SECRET_LENGTH / 2).toString("hex");
  return (await makePrivateFile(path.join(directory, "secret"), secret)) ? secret : null;
}
