import { randomBytes, randomInt } from "node:crypto";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** `prefix` and up to so many hexadecimal digits, without leading zeros. */
export function hexId(prefix: string, bytes: number): string {
  return prefix + BigInt(`0x${randomBytes(bytes).toString("hex")}`).toString(16);
}

/** `call_` and nine letters or digits. */
export function callId(): string {
  return `call_${Array.from({ length: 9 }, () => LETTERS[randomInt(LETTERS.length)]).join("")}`;
}

/** Now, in seconds since 1970. */
export function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
