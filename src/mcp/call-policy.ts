import * as z from "zod";
import type { OnCancel } from "../settings.js";

/** What the settings say about calls. */
export interface CallPolicy {
  /**
   * After so long a call answers with what it has; the work goes on. Default: by what is known of the
   * host's limit.
   */
  readonly replyWithinMs?: number | undefined;
  readonly onCancel: OnCancel;
}

const ALLOWED = "a number of seconds from 0 to 3600";

/** The argument `reply_within`; {@link replyWithinMs} converts it. */
export const replyWithin = z.number(ALLOWED).min(0, ALLOWED).max(3600, ALLOWED).optional();

/** How long a call waits before it answers with what it has, in milliseconds. */
export const replyWithinMs = (
  given: number | undefined,
  context: { readonly replyWithinMs: number; readonly spentMs?: number | undefined },
): number => {
  const all = given === undefined ? context.replyWithinMs : given * 1000;
  return Math.max(0, all - (context.spentMs ?? 0));
};
