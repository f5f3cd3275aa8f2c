/** Where an entry is in a file: a member of a container, which is a member of the whole. */
export interface Place {
  readonly container: string;
  readonly name: string;
}

/** How a configuration file is read and changed, with all that is not the entry left as it is. */
export interface Format {
  /** The value of the whole file; `{}` of an empty one. @throws any error where it is not valid. */
  parse(text: string): unknown;
  /** The text with the entry in its place. */
  set(text: string, place: Place, entry: Readonly<Record<string, unknown>>): string;
  /** The text without the entry, which is there. */
  remove(text: string, place: Place): string;
}

export interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

export function spliced(text: string, splices: readonly Splice[]): string {
  return splices
    .toSorted((a, b) => b.from - a.from)
    .reduce(
      (whole, { from, to, text: piece }) => whole.slice(0, from) + piece + whole.slice(to),
      text,
    );
}

/** A change that this format cannot make in this file; the message is for a person. */
export class CannotEdit extends Error {}
