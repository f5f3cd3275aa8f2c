import type { OutputEncoding, OutputNoise } from "./switches.js";

/** The upper half of the code page of Western European consoles. */
const CP850 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0";
/** The code page of Windows from 0x80 to 0x9f; above, it equals Latin-1. Some Node versions decode all of it as Latin-1. */
const CP1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";
const BEYOND_ASCII = /[^\0-\x7f]/gu;

/** The bytes of a text in an encoding. `first`: it begins the output. */
export function encoded(text: string, encoding: OutputEncoding, first = true): Buffer {
  switch (encoding) {
    case "utf8":
      return Buffer.from(text);
    case "cp1252_mojibake":
      return misread(text, CP1252);
    case "cp850_mojibake":
      return misread(text, CP850);
    case "question_marks":
      // One for each UTF-16 code unit, as .NET writes.
      return Buffer.from(text.replace(BEYOND_ASCII, (character) => "?".repeat(character.length)));
    case "invalid_bytes":
      return Buffer.concat([...text].map((character) => cut(Buffer.from(character))));
    case "utf16":
      return Buffer.from(first ? `\ufeff${text}` : text, "utf16le");
  }
}

/** @param upper the characters from 0x80 on. */
function misread(text: string, upper: string): Buffer {
  const characters = [...Buffer.from(text)].map((byte) =>
    byte < 0x80 ? String.fromCharCode(byte) : (upper[byte - 0x80] ?? String.fromCharCode(byte)),
  );
  return Buffer.from(characters.join(""));
}

const cut = (bytes: Buffer) => (bytes.length === 1 ? bytes : bytes.subarray(0, -1));

const BEFORE: Readonly<Record<OutputNoise, string>> = {
  banner:
    "A newer version of Foundry Local is available.\nSee 'foundry --help' for what is new.\n\n",
  progress:
    "\u001b[?25l\r\u001b[2K⠋ Contacting the daemon...\r\u001b[2K⠙ Contacting the daemon...\r\u001b[2K\u001b[?25h",
  // As in #718.
  log_lines: "[18:04:33 ERR] Failed to process model #0 on page 1.\n",
  braces: "info: catalog {region: eastus}\n",
};
const AFTER: Readonly<Record<OutputNoise, string>> = {
  banner: "",
  progress: "",
  log_lines: "[18:04:34 ERR] Failed to process model #0 on page 1.\n",
  braces: "info: closed {reason: done}\n",
};

/** Output before and after the answer, between which a client must find the JSON. */
export const noiseBefore = (noise: readonly OutputNoise[]) => noise.map((n) => BEFORE[n]).join("");
export const noiseAfter = (noise: readonly OutputNoise[]) => noise.map((n) => AFTER[n]).join("");
