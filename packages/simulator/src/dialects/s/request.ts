import type * as z from "zod";
import { parsedJson } from "../chat-body.js";
import type { DialectRequest } from "../dialect.js";
import { ServiceError } from "./answers.js";

/** The body, checked. @throws {ServiceError} 400 when it does not fit the schema. */
export async function readJson<S extends z.ZodType>(
  request: DialectRequest,
  schema: S,
): Promise<z.output<S>> {
  const parsed = schema.safeParse(parsedJson((await request.readBody())?.toString() ?? ""));
  if (parsed.success) return parsed.data;
  throw new ServiceError(400, "");
}

/** The query of a request's target. */
export function queryOf(target: string): URLSearchParams {
  const at = target.indexOf("?");
  return new URLSearchParams(at < 0 ? "" : target.slice(at + 1));
}

/** Whole seconds; `null` when the query has none. @throws {ServiceError} 400 for anything else. */
export function secondsIn(query: URLSearchParams, name: string): number | null {
  const given = query.get(name);
  if (given === null || given === "") return null;
  if (!/^-?\d+$/.test(given)) throw new ServiceError(400, "");
  return Number(given);
}

/** @throws {ServiceError} 400 for a value other than `true` and `false`, in any case. */
export function flagIn(query: URLSearchParams, name: string, otherwise: boolean): boolean {
  const given = query.get(name)?.toLowerCase();
  if (given === undefined || given === "") return otherwise;
  if (given !== "true" && given !== "false") throw new ServiceError(400, "");
  return given === "true";
}
