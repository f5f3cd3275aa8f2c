/** The media type of an image that models here take, by its first bytes; `null` for other bytes. */
export function imageTypeOf(bytes: Uint8Array): ImageType | null {
  const head = String.fromCharCode(...bytes.subarray(0, LONGEST_SIGNATURE));
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (head.startsWith("\xff\xd8\xff")) return "image/jpeg";
  // A text may begin with these letters; the sizes behind them have zeros.
  if (/^GIF8[79]a[\s\S]{0,6}\0/.test(head)) return "image/gif";
  return /^RIFF[\s\S]{4}WEBP/.test(head) ? "image/webp" : null;
}

export type ImageType = "image/png" | "image/jpeg" | "image/gif" | "image/webp";

const LONGEST_SIGNATURE = 13;
