/** A note where a value has a whole number that JavaScript may have rounded, such as an id of 19 digits. */
export const roundedNotes = (value: unknown): string[] => (mayBeRounded(value) ? [ROUNDED] : []);

const ROUNDED = `The answer has a whole number above ${Number.MAX_SAFE_INTEGER}, whose last digits may be wrong. If they count, ask for it as a string.`;

/** From here on, a number is written with an exponent, and is a measure and no id. */
const LARGEST_ID = 1e21;

function mayBeRounded(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.values(value).some(mayBeRounded);
  if (typeof value !== "number" || Number.isSafeInteger(value)) return false;
  return Number.isInteger(value) && Math.abs(value) < LARGEST_ID;
}
