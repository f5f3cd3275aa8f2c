/** How the bytes of a file were understood. */
export type TextEncoding = "utf-8" | "utf-16le" | "utf-16be" | "windows-1252";

export interface Decoded {
  readonly text: string;
  readonly encoding: TextEncoding;
}

/**
 * The text of a file: by its byte order mark, else UTF-8, else windows-1252, in which every byte is a
 * character. `null` for what is no text in any of them.
 */
export function decode(bytes: Buffer): Decoded | null {
  const decoded = decodedAs(bytes);
  return isBinary(decoded.text) ? null : decoded;
}

function decodedAs(bytes: Buffer): Decoded {
  // Windows PowerShell 5.1 writes UTF-16 with a byte order mark.
  if (bytes[0] === 0xff && bytes[1] === 0xfe) {
    return { text: bytes.toString("utf16le", 2), encoding: "utf-16le" };
  }
  if (bytes[0] === 0xfe && bytes[1] === 0xff) {
    const even = bytes.subarray(2, bytes.length - (bytes.length % 2));
    return { text: Buffer.from(even).swap16().toString("utf16le"), encoding: "utf-16be" };
  }
  try {
    // It drops a byte order mark.
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), encoding: "utf-8" };
  } catch {
    return { text: fromWindows1252(bytes), encoding: "windows-1252" };
  }
}

/** The characters of the bytes 0x80 to 0x9f. Node's own decoder took some versions of it for latin1. */
const WINDOWS_1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

const fromWindows1252 = (bytes: Buffer): string =>
  bytes
    .toString("latin1")
    .replace(/[\u0080-\u009f]/g, (each) => WINDOWS_1252.charAt(each.charCodeAt(0) - 0x80));

/** Control characters that no text has, apart from those of terminals and printers. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is counted
const CONTROLS = /[\u0001-\u0006\u000e-\u001a\u001c-\u001f\u007f]/g;
/** A text has fewer of them than one in so many characters. */
const TEXT_PER_CONTROL = 50;

function isBinary(text: string): boolean {
  if (text.includes("\0")) return true;
  const controls = text.match(CONTROLS)?.length ?? 0;
  return controls * TEXT_PER_CONTROL > text.length;
}

/** A document that holds text in a form of its own, in words; `null` for other bytes. */
export function documentKind(bytes: Buffer, name: string): string | null {
  if (bytes.subarray(0, 5).equals(PDF)) return "a PDF";
  const isZip = bytes.subarray(0, 4).equals(ZIP);
  const ending = /\.(docx|xlsx|pptx|odt|ods|odp|epub)$/i.exec(name)?.[1];
  if (isZip && ending !== undefined) return `a document of type ${ending.toUpperCase()}`;
  return bytes.subarray(0, 5).equals(RTF) ? "an RTF document" : null;
}

const PDF = Buffer.from("%PDF-");
const ZIP = Buffer.from("PK\u0003\u0004");
const RTF = Buffer.from("{\\rtf");
