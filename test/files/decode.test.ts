import { describe, expect, it } from "vitest";
import { decode, documentKind, linesOf } from "../../src/files/content.js";

const utf16be = (text: string): Buffer => Buffer.from(text, "utf16le").swap16();

describe("the bytes of a file", () => {
  it.each([
    ["utf-8", Buffer.from("Grüße €"), "Grüße €"],
    ["utf-8", Buffer.from("\uFEFFGrüße"), "Grüße"],
    ["utf-8", Buffer.alloc(0), ""],
    ["utf-8", Buffer.from("\u001b[31mred\u001b[0m\f"), "\u001b[31mred\u001b[0m\f"],
    ["utf-16le", Buffer.from("\uFEFFGrüße €", "utf16le"), "Grüße €"],
    ["utf-16be", utf16be("\uFEFFGrüße €"), "Grüße €"],
    ["utf-16be", Buffer.concat([utf16be("\uFEFFab"), Buffer.from([0])]), "ab"],
    ["windows-1252", Buffer.from([0x47, 0xfc, 0x80, 0x93, 0x94]), "Gü€“”"],
    ["windows-1252", Buffer.from([0x41, 0xc3]), "AÃ"],
    [
      "utf-8",
      Buffer.from("Größe und Höhe in Köln €").subarray(0, -1),
      "Größe und Höhe in Köln \ufffd",
    ],
    [
      "utf-8",
      Buffer.concat([Buffer.from("Köln, größer"), Buffer.from([0xfc])]),
      "Köln, größer\ufffd",
    ],
    ["utf-8", Buffer.from("a \ufffd b"), "a \ufffd b"],
    [
      "utf-8",
      Buffer.concat([Buffer.from("\uFEFFa log"), Buffer.from([0xfc]), Buffer.from("end")]),
      "a log\ufffdend",
    ],
  ])("are %s: %j", (_encoding, bytes, text) => {
    expect(decode(bytes)).toBe(text);
  });

  it.each([
    ["a NUL", Buffer.from("a\0b")],
    ["UTF-16 without a byte order mark", Buffer.from("abc", "utf16le")],
    ["a PNG", Buffer.from("89504e470d0a1a0a0000000d49484452", "hex")],
    ["gzip", Buffer.from("1f8b0800000000000003", "hex")],
    ["random bytes", Buffer.from(Array.from({ length: 500 }, (_, at) => (at * 83 + 5) % 255 || 1))],
  ])("are no text with %s", (_, bytes) => {
    expect(decode(bytes)).toBeNull();
  });

  it.each([
    ["a.txt", "%PDF-1.7 …", "a PDF"],
    ["a.docx", "PK\u0003\u0004…", "a document of type DOCX"],
    ["a.ODT", "PK\u0003\u0004…", "a document of type ODT"],
    ["a.rtf", "{\\rtf1 …", "an RTF document"],
    ["a.docx", "text", null],
    ["a.md", "# PDF", null],
  ])("of %s, %j, are of the kind %j", (name, text, kind) => {
    expect(documentKind(Buffer.from(text), name)).toBe(kind);
  });
});

describe("the lines of a text", () => {
  const TEXT = "a\nb\r\nc\rd";
  it.each([
    [TEXT, null, { text: TEXT, firstLine: 1, lastLine: 4, totalLines: 4 }],
    [TEXT, { first: 2, last: 3 }, { text: "b\r\nc\r", firstLine: 2, lastLine: 3, totalLines: 4 }],
    [TEXT, { first: 4, last: null }, { text: "d", firstLine: 4, lastLine: 4, totalLines: 4 }],
    [TEXT, { first: 3, last: 99 }, { text: "c\rd", firstLine: 3, lastLine: 4, totalLines: 4 }],
    ["a\n", { first: 1, last: 1 }, { text: "a\n", firstLine: 1, lastLine: 1, totalLines: 1 }],
    ["\n\n", null, { text: "\n\n", firstLine: 1, lastLine: 2, totalLines: 2 }],
    ["", null, { text: "", firstLine: 0, lastLine: 0, totalLines: 0 }],
  ])("of %j in the range %j are %j", (text, range, lines) => {
    expect(linesOf(text, range)).toEqual(lines);
  });

  it.each([
    ["a\n", 2],
    ["", 1],
  ])("of %j end before line %i", (text, first) => {
    expect(linesOf(text, { first, last: null })).toBeNull();
  });
});
