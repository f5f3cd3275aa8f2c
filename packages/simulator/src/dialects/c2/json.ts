/** A number that is written with a decimal point even when it is whole, as C++ writes a `double`. */
export class Float {
  constructor(readonly value: number) {}
}

/** JSON as nlohmann writes it: keys in alphabetical order, nothing but controls escaped. */
export function dump(value: unknown): string {
  if (value instanceof Float) {
    return Number.isInteger(value.value) ? `${value.value}.0` : String(value.value);
  }
  if (Array.isArray(value)) return `[${value.map(dump).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : Number(a > b)))
    .map(([key, member]) => `${JSON.stringify(key)}:${dump(member)}`);
  return `{${members.join(",")}}`;
}
