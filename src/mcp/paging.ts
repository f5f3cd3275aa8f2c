import * as z from "zod";
import { RequestError } from "./request-error.js";

const cursorParams = z.looseObject({ cursor: z.string().min(1) });

/** Refuses a cursor, which a list of one page has never given. */
export function assertFirstPage(params: unknown): void {
  if (!cursorParams.safeParse(params).success) return;
  throw new RequestError("invalid params", "Unknown cursor. This list has one page: omit cursor.");
}
