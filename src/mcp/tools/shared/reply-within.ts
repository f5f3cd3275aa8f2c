import { z } from "zod";
import type { CallPolicy } from "../../call-policy.js";

const ALLOWED = "a number of seconds from 0 to 3600";

/** The argument `reply_within`; {@link replyWithinMs} converts it. */
export const replyWithin = z
  .number(ALLOWED)
  .min(0, ALLOWED)
  .max(3600, ALLOWED)
  .describe("Seconds to wait for results; the work continues afterwards")
  .optional();

/** How long a call waits before it answers with what it has, in milliseconds. */
export const replyWithinMs = (given: number | undefined, policy: CallPolicy): number =>
  given === undefined ? policy.replyWithinMs : given * 1000;
