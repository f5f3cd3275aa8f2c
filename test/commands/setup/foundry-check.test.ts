import { expect, it, onTestFinished } from "vitest";
import { answer } from "../../../src/commands/setup/foundry-check.js";
import { terminalScreen } from "../../../src/commands/terminal.js";
import { FoundryClient } from "../../../src/jobs/index.js";
import { chatEngine, events } from "../../foundry/dialects/chat-engine.js";

/** The lines that a terminal shows at the end of an answer with this message and finish reason. */
async function shownOf(delta: object, finish_reason: string): Promise<string[]> {
  const { url } = await chatEngine(() =>
    events({ choices: [{ delta }] }, { choices: [{ finish_reason }] }),
  );
  const client = new FoundryClient({ endpoint: url, model: "m" });
  onTestFinished(() => client.close());
  let written = "";
  const output = {
    isTTY: true,
    columns: 80,
    write: (text: string) => {
      written += text;
    },
  };
  // stdout and stderr are the same window.
  const screen = terminalScreen(output, { NO_COLOR: "1" });
  const notes = terminalScreen(output, { NO_COLOR: "1" });
  await answer({ client, notes, signal: new AbortController().signal }, screen);
  return written.split("\n").map((line) => line.split("\r\u001b[2K").at(-1)?.trim() ?? "");
}

it("an answer is shown with its model, without the status before it", async () => {
  const lines = await shownOf({ content: "It is private." }, "stop");
  expect(lines.slice(-3)).toEqual(["It is private.", "m on this machine.", ""]);
});

it.each([
  ["ends without a text", { content: "" }],
  ["is blank", { content: " \n" }],
])(
  "an answer that %s is said to have none, without a guess at the reason",
  async (_what, delta) => {
    const lines = await shownOf(delta, "stop");
    expect(lines.slice(-3)).toEqual(["The answer has no text.", "m on this machine.", ""]);
  },
);

it("a text that turns out to be thinking is said to be no answer", async () => {
  const lines = await shownOf({ content: "Why would one?\n</think>\n" }, "length");
  expect(lines.slice(-4)).toEqual([
    "Note: the text above was thinking.",
    "The answer has no text: thinking may have used up its 100 tokens.",
    "m on this machine.",
    "",
  ]);
});

it("an answer that ends while the model thinks is said to have no text", async () => {
  const lines = await shownOf({ content: "<think>Why would one" }, "length");
  expect(lines.slice(-3)).toEqual([
    "The answer has no text: thinking may have used up its 100 tokens.",
    "m on this machine.",
    "",
  ]);
});
