import { describe, expect, it } from "vitest";
import type { Piece } from "../../../src/foundry/completion/harmony.js";
import { ThinkingSplitter } from "../../../src/foundry/completion/thinking.js";

/** The output for a text that arrives in these pieces, with adjacent pieces of one type joined. */
function split(...pieces: readonly string[]): { text: string; reasoning: string; was: string } {
  const splitter = new ThinkingSplitter();
  const out = { text: "", reasoning: "", call: "", was: "" };
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
  const { call: _none, ...rest } = out;
  return rest;
}

interface Case {
  readonly what: string;
  readonly whole: string;
  readonly text?: string;
  readonly reasoning?: string;
  /** Text that turned out to be thinking when its end tag arrived. */
  readonly was?: string;
}

const CASES: readonly Case[] = [
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
    what: "two sections of thinking",
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
    what: "an end tag of thinking whose start tag was in the template",
    whole: "Two and two.\n</think>\n\nIt is 4!",
    was: "Two and two.\n",
    text: "It is 4!",
  },
  {
    what: "a tag in the middle of a line, as the subject of the text",
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
    what: "an end tag of thinking at the beginning of a line, and the answer after it",
    whole: "Two and two.\n </think>It is 4!",
    was: "Two and two.\n ",
    text: "It is 4!",
  },
  {
    what: "an end tag of thinking at the end of a line",
    whole: "Two and two.</think>\r\n\r\nIt is 4!",
    was: "Two and two.",
    text: "It is 4!",
  },
  {
    what: "an end tag of thinking at the very beginning",
    whole: "</think>It is 4!",
    text: "It is 4!",
  },
  {
    what: "an end tag of thinking at the end of the text",
    whole: "Two and two.</think>",
    was: "Two and two.",
  },
  {
    what: "a closing tag in the middle of a sentence, as the subject of the text",
    whole: "The `</think>` tag ends a thought. That is all.",
    text: "The `</think>` tag ends a thought. That is all.",
  },
  {
    what: "a bare closing tag in the middle of a sentence",
    whole: "The </think> tag ends a thought,\nand </think>\ris odd.",
    text: "The </think> tag ends a thought,\nand </think>\ris odd.",
  },
  {
    what: "an end tag of thinking after thinking about the tag",
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
  {
    what: "the end of thinking in front of the answer, in its line",
    whole: "So two and two is four.</think>It is 4!",
    was: "So two and two is four.",
    text: "It is 4!",
  },
  {
    what: "the end of thinking between words",
    whole: "so it is four</think>4",
    was: "so it is four",
    text: "4",
  },
  {
    what: "the end of thinking before a JSON",
    whole: "Two and two.</think> {}",
    was: "Two and two.",
    text: "{}",
  },
  {
    what: "a pair of tags in a sentence",
    whole: "So <think>Hm.</think>4 is shown.",
    text: "So <think>Hm.</think>4 is shown.",
  },
  {
    what: "tags in a block of code",
    whole: "Write:\n```xml\n<think>\nHm.\n</think>\n```\n<think>b</think>\nc",
    reasoning: "b",
    text: "Write:\n```xml\n<think>\nHm.\n</think>\n```\nc",
  },
  {
    what: "a block of code in the thinking",
    whole: "<think>```\na\n</think>\n```\n<think>\n```",
    reasoning: "```\na\n",
    text: "```\n<think>\n```",
  },
  {
    what: "other tags where a line begins",
    whole: "<a>\n<thought>x</thought>\n[THINK]y[/THINK]\n</a>",
    text: "<a>\n<thought>x</thought>\n[THINK]y[/THINK]\n</a>",
  },
  {
    what: "two stretches between different tags",
    whole: "<thought>a</thought>\n\n[THINK]b[/THINK]\nc",
    reasoning: "ab",
    text: "c",
  },
  {
    what: "the channels of gpt-oss",
    whole:
      "<|channel|>analysis<|message|>Hm. <x|>|<|end|><|start|>assistant<|channel|>final<|message|>4",
    reasoning: "Hm. <x|>|",
    text: "4",
  },
  {
    what: "all channels, and the last token",
    whole:
      "<|start|>assistant<|channel|>analysis<|message|>a<|end|>\n<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|><|start|>assistant<|channel|>final<|message|>b<|return|>",
    reasoning: "a{}",
    text: "b",
  },
  {
    what: "the final channel alone",
    whole: "\n<|channel|>final<|message|>4<|end|>",
    text: "4",
  },
  {
    what: "a final channel that is about the tokens",
    whole: "<|channel|>final<|message|>Use <|end|>, <|start|> and <|message|> so.<|end|>\n",
    text: "Use <|end|>, <|start|> and <|message|> so.",
  },
  {
    what: "a message without a channel",
    whole: "<|start|>assistant<|message|>4<|return|>",
    text: "4",
  },
  {
    what: "text behind the end of a channel",
    whole: "<|channel|>analysis<|message|>a<|end|>\nb",
    reasoning: "a",
    text: "b",
  },
  {
    what: "an analysis that was cut off",
    whole: "<|channel|>analysis<|message|>a",
    reasoning: "a",
  },
  { what: "a channel that was cut off", whole: "<|channel|>analysis" },
  { what: "a token that begins no channel", whole: "<|start|>ing soon", text: "ing soon" },
  {
    what: "channels whose tokens are gone",
    whole: "analysisTwo and two. Assistant final?assistantfinalIt is 4!",
    reasoning: "Two and two. Assistant final?",
    text: "It is 4!",
  },
  {
    what: "channels whose tokens are gone, with blanks before the answer",
    whole: "analysisHm.assistantfinal\n\nIt is 4!",
    reasoning: "Hm.",
    text: "It is 4!",
  },
  {
    what: "a channel whose tokens are gone, and nothing behind it",
    whole: "analysisAn assistant to help. An assistant",
    reasoning: "An assistant to help. An assistant",
  },
  {
    what: "a word that is no channel",
    whole: "analysis is a word",
    text: "analysis is a word",
  },
  { what: "the beginning of a channel", whole: "analysis", text: "analysis" },
  ...["<THINK>", "<think >"].flatMap((open): Case[] => {
    const close = open.replace("<", "</").replace(" ", "");
    return [
      {
        what: `thinking between ${open} and ${close}`,
        whole: `${open}\nHm.\n${close}\n\n4 <`,
        reasoning: "\nHm.\n",
        text: "4 <",
      },
      { what: `thinking after ${open} alone`, whole: `\n${open}Hm`, reasoning: "Hm" },
      { what: `the end of ${open} alone`, whole: `Hm.\n${close}\n4`, was: "Hm.\n", text: "4" },
      { what: `${open} in a line`, whole: `a\n${open}b${close}c`, reasoning: "b", text: "a\nc" },
      { what: `${open} in a sentence`, whole: `Use ${open} so.`, text: `Use ${open} so.` },
    ];
  }),
  ...["<|channel>thought\n", "<|channel>\n"].map(
    (open): Case => ({
      what: `thinking of Gemma 4 after ${open}`,
      whole: `${open}Hm.\n<channel|>4<turn|>`,
      reasoning: open.includes("thought") ? "\nHm.\n" : "Hm.\n",
      text: "4",
    }),
  ),
  {
    what: "the end of Gemma 4's thinking alone",
    whole: "thought\nHm.\n<channel|>4",
    was: "thought\nHm.\n",
    text: "4",
  },
  {
    what: "tags of Gemma 4 in a sentence",
    whole: "Use <|channel>thought and <channel|> so.",
    text: "Use <|channel>thought and <channel|> so.",
  },
  ...[
    "<|observation|>",
    "[e~[",
    "[|endofturn|]",
    "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
  ].map((mark): Case => ({ what: `${mark} at the end`, whole: `Hello${mark}`, text: "Hello" })),
  {
    what: "thinking and an answer with tokens of their own",
    whole: "<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>Hello<|END_RESPONSE|>",
    reasoning: "Hm.",
    text: "Hello",
  },
  {
    what: "the same with blanks and the tokens of the turn",
    whole:
      "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_THINKING|>Hm.<|END_THINKING|>\n<|START_RESPONSE|>\nHello<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
    reasoning: "Hm.",
    text: "Hello",
  },
  {
    what: "thinking and an answer in the newer tokens of Cohere",
    whole: "<|START_THINKING|>Hm.<|END_THINKING|><|START_TEXT|>Hello<|END_TEXT|>",
    reasoning: "Hm.",
    text: "Hello",
  },
  ...["mm:think", "longcat_think"].flatMap((tag) => [
    {
      what: `thinking in <${tag}>`,
      whole: `<${tag}>Hm.</${tag}>\nHello`,
      reasoning: "Hm.",
      text: "Hello",
    },
    {
      what: `thinking before </${tag}>, whose beginning the template wrote`,
      whole: `Hm.\n</${tag}>\nHello`,
      was: "Hm.\n",
      text: "Hello",
    },
  ]),
  {
    what: "thinking before the final response of Apriel",
    whole:
      "Here are my reasoning steps:\nHm.\n[BEGIN FINAL RESPONSE]\nHello\n[END FINAL RESPONSE]\n<|end|>\n",
    was: "Here are my reasoning steps:\nHm.\n",
    text: "Hello\n",
  },
  {
    what: "an answer in the box of GLM",
    whole: "<think>Hm.</think>\n<|begin_of_box|>Hello<|end_of_box|>",
    reasoning: "Hm.",
    text: "Hello",
  },
  {
    what: "thinking and an answer in the marks of OpenThinker",
    whole:
      "<|begin_of_thought|>\n\nHm.\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nHello\n\n<|end_of_solution|>",
    reasoning: "\n\nHm.\n\n",
    text: "Hello\n\n",
  },
  {
    what: "an answer with such tokens whose thinking the template began",
    whole: "Hm.<|END_THINKING|><|START_RESPONSE|>Hello<|END_RESPONSE|>",
    was: "Hm.",
    text: "Hello",
  },
  {
    what: "an answer with such tokens without thinking",
    whole: "<|START_RESPONSE|>Hello<|END_RESPONSE|>",
    text: "Hello",
  },
  {
    what: "such tokens in a sentence",
    whole: "Use <|START_RESPONSE|> and <|END_RESPONSE|> so.",
    text: "Use <|START_RESPONSE|> and <|END_RESPONSE|> so.",
  },
  ...[
    "<|im_start|>assistant\n",
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "<|start_header_id|>assistant<|end_header_id|>",
    "<s> ",
  ].flatMap((lead): Case[] => [
    { what: `${lead} in front`, whole: `${lead}Hello`, text: "Hello" },
    { what: `a blank line and ${lead} in front`, whole: `\n\n${lead}Hello`, text: "Hello" },
    {
      what: `${lead} before thinking`,
      whole: `${lead}<think>Hm.</think>\n4`,
      reasoning: "Hm.",
      text: "4",
    },
    {
      what: `${lead} before channels`,
      whole: `${lead}<|channel|>analysis<|message|>a<|end|><|channel|>final<|message|>4`,
      reasoning: "a",
      text: "4",
    },
    { what: `${lead} in a sentence`, whole: `Use ${lead}so.`, text: `Use ${lead}so.` },
  ]),
  { what: "an answer between the ends of a text", whole: "<s> Hello</s>", text: "Hello" },
  {
    what: "a turn that is begun at the end",
    whole: "Hello<|im_end|>\n<|im_start|>assistant",
    text: "Hello",
  },
  {
    what: "a turn that is begun in a block of code",
    whole: "```\na<|im_end|>\n<|im_start|>assistant\n```",
    text: "```\na<|im_end|>\n<|im_start|>assistant\n```",
  },
  { what: "half a token in front", whole: "\n<|im_start|>user", text: "\n<|im_start|>user" },
  { what: "a list and brackets", whole: "a[1] [EO] [", text: "a[1] [EO] [" },
  ...["<thinking>", "<thought>", "<reasoning>", "<seed:think>", "[THINK]", "◁think▷"].flatMap(
    (open): Case[] => {
      const close = `${open.slice(0, 1)}/${open.slice(1)}`;
      return [
        {
          what: `thinking between ${open} and ${close}`,
          whole: `\n${open}\nHm ${open} [.\n${close}\n\n4 <`,
          reasoning: `\nHm ${open} [.\n`,
          text: "4 <",
        },
        { what: `thinking after ${open} alone`, whole: `${open}Hm`, reasoning: "Hm" },
        { what: `${close} in front of the answer`, whole: `Hm.${close}4`, was: "Hm.", text: "4" },
        {
          what: `${open} and ${close} in a sentence`,
          whole: `Use ${open}Hm.${close}4 so.`,
          text: `Use ${open}Hm.${close}4 so.`,
        },
      ];
    },
  ),
  ...[
    "<|im_end|>",
    "<|eot_id|>",
    "<|end|>",
    "<|endoftext|>",
    "</s>",
    "<end_of_turn>",
    "<|END_OF_TURN_TOKEN|>",
    "<|END_RESPONSE|>",
    "<|user|>",
    "[EOS]",
  ].flatMap((mark): Case[] => [
    { what: `${mark} at the end`, whole: `It is 4!${mark}`, text: "It is 4!" },
    { what: `${mark} and blanks`, whole: `It is 4!\n${mark} \n`, text: "It is 4!\n" },
    {
      what: `${mark} after thinking`,
      whole: `<think>a${mark}</think>b${mark}`,
      reasoning: `a${mark}`,
      text: "b",
    },
    { what: `${mark} in a sentence`, whole: `Use ${mark} so.`, text: `Use ${mark} so.` },
    { what: `${mark} alone`, whole: mark },
  ]),
  {
    what: "several marks in a row",
    whole: "4</s> <|im_end|>\n<|endoftext|><|im_",
    text: "4",
  },
  { what: "half a mark", whole: "4<|im_en", text: "4<|im_en" },
  { what: "crossed out text", whole: "<s>5</s> 4, not <s>5</s>", text: "<s>5</s> 4, not <s>5</s>" },
  {
    what: "a mark before thinking",
    whole: "a<|im_end|>\n<think>b</think>c",
    reasoning: "b",
    text: "a<|im_end|>\nc",
  },
  { what: "a partial opening tag at the end", whole: "<thin", text: "<thin" },
  { what: "a partial closing tag at the end", whole: "<think>a</thin", reasoning: "a</thin" },
  { what: "empty thinking", whole: "<think></think>4", text: "4" },
  { what: "nothing", whole: "" },
];

describe("ThinkingSplitter", () => {
  it.each(CASES)(
    "separates $what, wherever the text is cut in two",
    ({ whole, text = "", reasoning = "", was = "" }) => {
      for (let at = 0; at <= whole.length; at++) {
        expect(split(whole.slice(0, at), whole.slice(at))).toEqual({ text, reasoning, was });
      }
    },
  );

  it.each(CASES)(
    "separates $what, character by character",
    ({ whole, text = "", reasoning = "", was = "" }) => {
      expect(split(...whole)).toEqual({ text, reasoning, was });
    },
  );

  it("returns text as it arrives, and holds back only a possible tag", () => {
    const splitter = new ThinkingSplitter();
    expect(splitter.push("Hello <")).toEqual([{ type: "text", text: "Hello " }]);
    expect(splitter.push("3")).toEqual([{ type: "text", text: "<3" }]);
  });

  it("keeps an end tag in the text where thinking was sent separately", () => {
    const splitter = new ThinkingSplitter();
    splitter.thinkingCameApart("Hm.");
    const whole = "It is written\n</think>\nso.";
    expect([...splitter.push(whole), ...splitter.end()]).toEqual([{ type: "text", text: whole }]);
  });

  it("removes an end tag at the beginning where thinking was sent separately", () => {
    const splitter = new ThinkingSplitter();
    splitter.thinkingCameApart("Hm.");
    const pieces = [..."\n</think>\n\n4"].flatMap((character) => splitter.push(character));
    expect([...pieces, ...splitter.end()]).toEqual([{ type: "text", text: "4" }]);
  });

  it.each([
    ["the same", "<think>\nHm, so.\n</think>\n\n4", ""],
    ["its beginning", "<think>Hm,</think>4", ""],
    ["other thinking", "<think>Hm, no.</think>4", "Hm, no."],
  ])("repeats no thinking that came separately: %s", (_what, whole, reasoning) => {
    for (let size = 1; size <= whole.length; size += 1) {
      const splitter = new ThinkingSplitter();
      splitter.thinkingCameApart("\nHm,");
      splitter.thinkingCameApart(" so.\n");
      const parts = whole.match(new RegExp(`[\\s\\S]{1,${size}}`, "g")) ?? [];
      const pieces = [...parts.flatMap((part) => splitter.push(part)), ...splitter.end()];
      const said = (type: string) =>
        pieces.map((piece) => ("text" in piece && piece.type === type ? piece.text : "")).join("");
      expect([said("reasoning"), said("text")]).toEqual([reasoning, "4"]);
    }
  });

  it("returns thinking as it arrives", () => {
    const splitter = new ThinkingSplitter();
    expect(splitter.push("<think>Hm, ")).toEqual([{ type: "reasoning", text: "Hm, " }]);
  });

  it("gives the text between tokens of channels in one piece, however many there are", () => {
    const text = `${"<|end|>".repeat(100)}.`;
    expect(new ThinkingSplitter().push(`<|message|>${text}${"a".repeat(100)}`)).toEqual([
      { type: "text", text: `${text}${"a".repeat(100)}` },
    ]);
  });
});
