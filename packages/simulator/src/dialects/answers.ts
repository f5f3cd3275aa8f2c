import { randomBytes, randomInt } from "node:crypto";
import { ScriptedError } from "../engine/script.js";
import type { WholeAnswer } from "../wire/http.js";
import type { Reply } from "../wire/reply.js";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** `prefix` and up to so many hexadecimal digits, without leading zeros. */
export function hexId(prefix: string, bytes: number): string {
  return prefix + BigInt(`0x${randomBytes(bytes).toString("hex")}`).toString(16);
}

/** Nine letters or digits. */
export function shortId(): string {
  return Array.from({ length: 9 }, () => LETTERS[randomInt(LETTERS.length)]).join("");
}

export const callId = (): string => `call_${shortId()}`;

/** Now, in seconds since 1970. */
export function seconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** A time as .NET writes it: `2025-11-18T11:45:01+00:00`. */
export function dotnetTime(unixSeconds: number): string {
  return `${new Date(unixSeconds * 1000).toISOString().slice(0, 19)}+00:00`;
}

/** Members that the OpenAI library of S and C1 adds to every object. */
export const BETALGO = { IsDelta: false, Successful: true, HttpStatusCode: 0 } as const;

export function json(value: unknown, status = 200): WholeAnswer {
  return { status, body: JSON.stringify(value), contentType: "application/json" };
}

export function empty(status: number): WholeAnswer {
  return { status, body: "", contentType: null };
}

/** An answer other than 200, which a handler throws. */
export abstract class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }

  abstract answer(): WholeAnswer;
}

/**
 * Waits for a handler, and answers with the refusal that it throws.
 *
 * @param DialectRefusal words the error of a scripted answer.
 */
export async function orRefused(
  reply: Reply,
  handled: Promise<void>,
  DialectRefusal: new (status: number, message: string) => Refusal,
): Promise<void> {
  try {
    await handled;
  } catch (error) {
    const refusal =
      error instanceof ScriptedError ? new DialectRefusal(error.status, error.message) : error;
    if (!(refusal instanceof Refusal)) throw error;
    reply.whole(refusal.answer());
  }
}

/** A part of a path, decoded. Text that is not percent-encoded stays as it is. */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
