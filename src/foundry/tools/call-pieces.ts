import * as z from "zod";
import { answerFrom, MOST_CALLS } from "../../lib/index.js";
import type { CallPiece, RawCall } from "./tool.js";

const text = z.string().nullish().catch(null);
const members = {
  name: text,
  arguments: z.unknown().optional(),
  parameters: z.unknown().optional(),
};
const pieceSchema = z.object({
  index: z.number().nullish().catch(null),
  id: text,
  function: z.object(members).nullish().catch(null),
  ...members,
});

/** The pieces in `tool_calls` or `function_call` of a message, in whatever form engines send them. */
export function callPieces(value: unknown): CallPiece[] {
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  return all.slice(0, MOST_CALLS).flatMap((each) => {
    const piece = pieceSchema.safeParse(each).data;
    if (piece === undefined) return [];
    const inner = piece.function ?? piece;
    const given = inner.arguments ?? inner.parameters ?? null;
    const name = inner.name || null;
    const id = piece.id || null;
    if (name === null && id === null && given === null) return [];
    return [{ index: piece.index ?? null, id, name, arguments: given }];
  });
}

interface Entry {
  readonly index: number | null;
  id: string | null;
  name: string;
  text: string;
  /** The last piece of `text`. */
  last: string;
  value: unknown;
}

/**
 * Joins the pieces of calls. Pieces belong together by their id, or by their index where they have no id.
 * C2 begins each group of calls with index 0 again, some engines send whole calls without either, and
 * LocalAI gives all calls of an answer the same id, and some calls of it twice.
 */
export class CallPieces {
  readonly #entries: Entry[] = [];

  get count(): number {
    return this.#entries.length;
  }

  get calls(): readonly RawCall[] {
    const seen = new Set<string>();
    return this.#entries.flatMap((entry) => {
      const { id, name, value } = entry;
      const given = value ?? textOf(entry);
      const meant = typeof given === "string" ? (answerFrom(given) ?? given) : given;
      const call = JSON.stringify([id, name, meant]);
      if (name === "" || (id !== null && seen.has(call))) return [];
      seen.add(call);
      return [{ ...(id === null ? {} : { id }), name, arguments: given }];
    });
  }

  push(piece: CallPiece): void {
    const entry = this.#entryOf(piece) ?? this.#begin(piece);
    if (entry === null) return;
    entry.id ??= piece.id;
    const { name, arguments: given } = piece;
    if (name !== null && name !== entry.name && !hasArguments(entry)) entry.name += name;
    if (typeof given === "string") {
      entry.text += given;
      entry.last = given;
    } else if (given !== null && given !== undefined) entry.value = given;
  }

  #entryOf(piece: CallPiece): Entry | undefined {
    const last = this.#lastOf(piece);
    const { id, name, arguments: given } = piece;
    if (last === undefined || name === null || given === null || !isComplete(last)) return last;
    // Some engines repeat the id and the name in a last piece, without text or with all of it.
    const isLast = given === "" || given === last.text;
    return id !== null && name === last.name && isLast ? last : undefined;
  }

  #lastOf({ id, index, name }: CallPiece): Entry | undefined {
    const last = this.#entries.findLast((entry) => index === null || entry.index === index);
    if (id === null) return last;
    const isAt = (entry: Entry): boolean =>
      index === null || entry.index === null || entry.index === index;
    const same = this.#entries.findLast((entry) => entry.id === id && isAt(entry));
    // Some engines give each piece another id; only the first one has the name.
    const goesOn = name === null && index !== null;
    // An id may follow its first piece.
    const isLate = last?.id === null && !hasArguments(last);
    return same ?? (goesOn || isLate ? last : undefined);
  }

  #begin({ id, index }: CallPiece): Entry | null {
    if (this.#entries.length >= MOST_CALLS) return null;
    const entry = { index, id, name: "", text: "", last: "", value: undefined };
    this.#entries.push(entry);
    return entry;
  }
}

const FIRST_NAME = /^\s*\{\s*"((?:[^"\\]|\\.)*)"/;

/** The arguments as text. vLLM sends all of GLM's once more behind their pieces, which may lack their end. */
function textOf({ text, last }: Entry): string {
  const name = FIRST_NAME.exec(last)?.[1];
  const isRepeated =
    name !== undefined &&
    name === FIRST_NAME.exec(text)?.[1] &&
    answerFrom(text) === undefined &&
    answerFrom(last) !== undefined;
  return isRepeated ? last : text;
}

const hasArguments = ({ text, value }: Entry): boolean => text !== "" || value !== undefined;

const isComplete = ({ text, value }: Entry): boolean =>
  value !== undefined || (/\}\s*$/.test(text.slice(-20)) && answerFrom(text) !== undefined);
