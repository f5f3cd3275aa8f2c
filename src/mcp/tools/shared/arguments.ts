import * as z from "zod";
import type { ToolContext } from "../../tool.js";

const REPLY_WITHIN = "a number of seconds from 0 to 3600";

/** The argument `reply_within`; {@link replyWithinMs} converts it. */
export const replyWithin = z
  .number(REPLY_WITHIN)
  .min(0, REPLY_WITHIN)
  .max(3600, REPLY_WITHIN)
  .optional();

/** @param allowed Completes "Give x as allowed: …". */
export const listOf = <T extends z.ZodType>(element: T, most: number, allowed: string) =>
  z.array(element, allowed).min(1, allowed).max(most, allowed);

/**
 * Refuses arguments that do not fit together.
 *
 * @param message What is wrong, without a full stop.
 * @param fix What to do, as a whole sentence.
 */
export const refuse = (context: z.core.$RefinementCtx, message: string, fix: string): void =>
  context.addIssue({ code: "custom", message, params: { fix } });

/** How long a call still waits before it answers with what it has, in milliseconds. */
export const replyWithinMs = (
  given: number | undefined,
  { replyWithinMs: usual, spentMs }: Pick<ToolContext, "replyWithinMs" | "spentMs">,
): number => Math.max(0, (given === undefined ? usual : given * 1000) - spentMs());
