import { describe, expect, it } from "vitest";
import { type Piece, ThinkingSplitter } from "../../../src/foundry/completion/text-filters.js";

/** What comes out for a text that arrives in these pieces, neighbours of one type joined. */
function split(...pieces: readonly string[]): { text: string; reasoning: string; was: string } {
  const splitter = new ThinkingSplitter();
  const out = { text: "", reasoning: "", was: "" };
  const take = (piece: Piece): void => {
    if (piece.type === "text_was_reasoning") {
      out.was += out.text;
      out.text = "";
    } else {
      out[piece.type] += piece.text;
    }
  };
  for (const piece of pieces) splitter.push(piece).forEach(take);
  splitter.end().forEach(take);
  return out;
}

const CASES = [
  {
    what: "text without thinking",
    whole: "It is 4, and 3 < 4, so </thin air> stays.",
    text: "It is 4, and 3 < 4, so </thin air> stays.",
  },
  {
    what: "thinking before the answer, without the blank lines between them",
    whole: "<think>\nTwo and two.\n</think>\n\nIt is 4!",
    reasoning: "\nTwo and two.\n",
    text: "It is 4!",
  },
  {
    what: "thinking after a blank line",
    whole: "\n<think>Hm.</think>4",
    reasoning: "Hm.",
    text: "4",
  },
  {
    what: "thinking in the middle of an answer, where it begins a line",
    whole: "First.\n  <think>Hm.</think>\nSecond.",
    reasoning: "Hm.",
    text: "First.\n  Second.",
  },
  {
    what: "two stretches of thinking",
    whole: "<think>a</think>\n<think>b</think>\nc",
    reasoning: "ab",
    text: "c",
  },
  {
    what: "thinking that was never closed",
    whole: "<think>Two and two, let me see",
    reasoning: "Two and two, let me see",
  },
  {
    what: "an end of thinking whose beginning the template wrote",
    whole: "Two and two.\n</think>\n\nIt is 4!",
    was: "Two and two.\n",
    text: "It is 4!",
  },
  {
    what: "a tag in the middle of a line, which is spoken about",
    whole: "The tag <think> opens it.",
    text: "The tag <think> opens it.",
  },
  {
    what: "tags in the middle of a line after real thinking",
    whole: "<think>a</think>Use <think> and </think> so.",
    reasoning: "a",
    text: "Use <think> and </think> so.",
  },
  {
    what: "an end of thinking that begins a line, and the answer after it",
    whole: "Two and two.\n </think>It is 4!",
    was: "Two and two.\n ",
    text: "It is 4!",
  },
  {
    what: "an end of thinking that ends a line",
    whole: "Two and two.</think>\r\n\r\nIt is 4!",
    was: "Two and two.",
    text: "It is 4!",
  },
  {
    what: "an end of thinking at the very beginning",
    whole: "</think>It is 4!",
    text: "It is 4!",
  },
  {
    what: "an end of thinking that ends the text",
    whole: "Two and two.</think>",
    was: "Two and two.",
  },
  {
    what: "a closing tag in the middle of a sentence, which is spoken about",
    whole: "The `</think>` tag ends a thought. That is all.",
    text: "The `</think>` tag ends a thought. That is all.",
  },
  {
    what: "a bare closing tag in the middle of a sentence",
    whole: "The </think> tag ends a thought,\nand </think>\ris odd.",
    text: "The </think> tag ends a thought,\nand </think>\ris odd.",
  },
  {
    what: "an end of thinking that had spoken about it",
    whole: "Is </think> asked for? Yes.\n</think>\nYes.",
    was: "Is </think> asked for? Yes.\n",
    text: "Yes.",
  },
  {
    what: "an opening tag inside thinking",
    whole: "<think>a <think> b</think>c",
    reasoning: "a <think> b",
    text: "c",
  },
  { what: "a partial opening tag at the end", whole: "<thin", text: "<thin" },
  { what: "a partial closing tag at the end", whole: "<think>a</thin", reasoning: "a</thin" },
  { what: "empty thinking", whole: "<think></think>4", text: "4" },
  { what: "nothing", whole: "" },
];

describe("ThinkingSplitter", () => {
  it.each(CASES)(
    "tells apart $what, wherever it is cut in two",
    ({ whole, text = "", reasoning = "", was = "" }) => {
      for (let at = 0; at <= whole.length; at++) {
        expect(split(whole.slice(0, at), whole.slice(at))).toEqual({ text, reasoning, was });
      }
    },
  );

  it.each(CASES)(
    "tells apart $what, character by character",
    ({ whole, text = "", reasoning = "", was = "" }) => {
      expect(split(...whole)).toEqual({ text, reasoning, was });
    },
  );

  it("gives text out as it comes, and holds back only what may be a tag", () => {
    const splitter = new ThinkingSplitter();
    expect(splitter.push("Hello <")).toEqual([{ type: "text", text: "Hello " }]);
    expect(splitter.push("3")).toEqual([{ type: "text", text: "<3" }]);
  });

  it("leaves an end of thinking alone where thinking came apart from the text", () => {
    const splitter = new ThinkingSplitter();
    splitter.thinkingCameApart();
    const whole = "It is written\n</think>\nso.";
    expect([...splitter.push(whole), ...splitter.end()]).toEqual([{ type: "text", text: whole }]);
  });

  it("gives thinking out as it comes", () => {
    const splitter = new ThinkingSplitter();
    expect(splitter.push("<think>Hm, ")).toEqual([{ type: "reasoning", text: "Hm, " }]);
  });
});
