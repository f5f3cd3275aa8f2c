import { expect, it } from "vitest";
import { terminalWords } from "../src/terminal-words.js";

it.each([
  [
    "Load it with `loadModel`, then try again.",
    "Load it with `foundry-local-mcp load`, then try again.",
  ],
  ["Choose one that `listModels` shows.", "Choose one that `foundry-local-mcp models` shows."],
  ["Set the option `endpoint` to it.", "Set FOUNDRY_ENDPOINT to it."],
  ["Raise `maxTokens`, or ask for less.", "Raise `--max-tokens`, or ask for less."],
  [
    "Raise `maxTokens`, ask for less, or set reasoning to off if the model thinks.",
    "Raise `--max-tokens`, or ask for less.",
  ],
  [
    "Free memory; `loadModel` with force: true tries it anyway.",
    "Free memory; `--force` tries it anyway.",
  ],
  [
    'To download tiny, call `loadModel` with model "tiny" and download true, or run `foundry model download tiny`. It may be gigabytes, so ask the user first.',
    "To download tiny, run `foundry-local-mcp download tiny`. It may be gigabytes.",
  ],
  [
    'To download tiny, call `loadModel` with model "tiny" and download true. It may be gigabytes, so ask the user first. Or use the downloaded model "b".',
    'To download tiny, run `foundry-local-mcp download tiny`. It may be gigabytes. Or use the downloaded model "b".',
  ],
  [
    "Set the option `model` to one that is there, or name a model in the call.",
    "Set FOUNDRY_MODEL to one that is there, or name a model with `--model`.",
  ],
  ["Run `foundry server start`.", "Run `foundry server start`."],
])("words %j for a terminal as %j", (ours, theirs) => {
  expect(terminalWords(ours)).toBe(theirs);
});
