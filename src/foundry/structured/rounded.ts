/** A note where a value has a whole number that JavaScript may have rounded, such as an id of 19 digits. */
export const roundedNotes = (value: unknown): string[] => (mayBeRounded(value) ? [ROUNDED] : []);

const ROUNDED = `The model gave a whole number beyond ±${Number.MAX_SAFE_INTEGER}, whose last digits may be wrong here. If they count, make it a string in the schema.`;

/** From here on, JavaScript writes a number with an exponent. */
const LARGEST = 1e21;
/** A number with so many zeros at its end is a measure, and no id. */
const MEASURE = /0{6}$/;

function mayBeRounded(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.values(value).some(mayBeRounded);
  if (typeof value !== "number" || Number.isSafeInteger(value)) return false;
  return Number.isInteger(value) && Math.abs(value) < LARGEST && !MEASURE.test(String(value));
}
