import { expect, it } from "vitest";
import { tableOf } from "../../../src/commands/models.js";
import {
  progressBar,
  shortened,
  statusLine,
  terminalScreen,
} from "../../../src/commands/terminal.js";
import type { KnownModel } from "../../../src/foundry/index.js";

const model = (id: string, facts: Partial<KnownModel> = {}): KnownModel => ({
  id,
  alias: null,
  name: id,
  version: null,
  downloaded: null,
  loaded: null,
  sizeMb: null,
  device: null,
  executionProvider: null,
  task: null,
  contextLength: null,
  maxOutputTokens: null,
  toolCalling: null,
  vision: null,
  license: null,
  family: "public",
  ...facts,
});

const LIST = [
  model("deepseek-r1-distill-qwen-14b-instruct-quantized-generic-cpu:12", {
    alias: "deepseek-r1-distill-qwen-14b",
    downloaded: false,
    sizeMb: 11_264,
    device: "cpu",
  }),
  model("Phi-4-mini-instruct-generic-cpu:5", {
    alias: "phi-4-mini",
    downloaded: true,
    loaded: false,
    sizeMb: 3686,
    device: "cpu",
  }),
  model("qwen2.5-0.5b-instruct-cuda-gpu:4", { downloaded: true, loaded: true, device: "gpu" }),
  model(`mine\u001b[31m\nred`),
];

it("lists loaded and downloaded models first, with a question mark for unknown states", () => {
  expect(tableOf(LIST, Infinity)).toEqual([
    "ALIAS                         NAME                                                               SIZE  DISK  LOADED  DEVICE",
    "qwen2.5-0.5b                  qwen2.5-0.5b-instruct-cuda-gpu:4                                      ?  yes   yes     gpu",
    "phi-4-mini                    Phi-4-mini-instruct-generic-cpu:5                                3.6 GB  yes   no      cpu",
    "deepseek-r1-distill-qwen-14b  deepseek-r1-distill-qwen-14b-instruct-quantized-generic-cpu:12  11.0 GB  no    ?       cpu",
    "mine [31m red                 mine [31m red                                                         ?  ?     ?       ?",
  ]);
});

it.each([80, 120])("fits a table into %i columns, with one line per row", (width) => {
  const lines = tableOf(LIST, width);
  expect(lines).toHaveLength(LIST.length + 1);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
  // What is typed stays whole.
  expect(lines.join("\n")).toContain("deepseek-r1-distill-qwen-14b ");
});

it("shortens a name in the middle, and keeps device and version", () => {
  expect(shortened("qwen2.5-0.5b-instruct-generic-cpu:4", 20)).toBe("qwen2.5-0..ric-cpu:4");
  expect(shortened("short", 20)).toBe("short");
});

it.each([
  [0, "[--------------------]   0%"],
  [42.9, "[########------------]  42%"],
  [100, "[####################] 100%"],
  [140, "[####################] 100%"],
])("draws a bar of %d percent", (percent, bar) => {
  expect(progressBar(percent)).toBe(bar);
});

it.each([20, 40, 80, 120])("keeps a status line shorter than %i columns", (columns) => {
  const message =
    "Downloading deepseek-r1-distill-qwen-14b-instruct-quantized-generic-cpu:12 (11 GB)";
  expect(statusLine(message, 42, columns).length).toBeLessThan(Math.max(columns - 2, 28));
  expect(statusLine(message, null, columns).length).toBeLessThan(columns - 2);
});

it("writes lines and no escape sequences to a dumb terminal", () => {
  let written = "";
  const write = (text: string): void => {
    written += text;
  };
  const screen = terminalScreen({ isTTY: true, columns: 80, write }, { TERM: "dumb" });
  screen.progress({ message: "Loading phi-4-mini" });
  screen.clear();
  screen.say("Loaded.");
  expect(written).toBe("  Loading phi-4-mini ...\n  Loaded.\n");

  written = "";
  for (const text of ["Asking a model", "Asking a model", "Loading"]) screen.status(text);
  screen.clear();
  expect(written).toBe("  Asking a model\n  Loading\n");
});

it("leaves status lines out where the output is no terminal", () => {
  let written = "";
  const write = (text: string): void => {
    written += text;
  };
  terminalScreen({ write }, { TERM: "dumb" }).status("Asking a model");
  expect(written).toBe("");
});
