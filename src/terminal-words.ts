import { reworded, SETTING_OF_OPTION } from "./server-words.js";

/** Methods of the library as a person at a terminal calls them. */
const COMMANDS: ReadonlyMap<string, string> = new Map([
  ["complete", "`foundry-local-mcp ask`"],
  ["listModels", "`foundry-local-mcp models`"],
  ["loadModel", "`foundry-local-mcp load`"],
  ["unloadModel", "`foundry-local-mcp unload`"],
  ["healthCheck", "`foundry-local-mcp doctor`"],
  ["maxTokens", "`--max-tokens`"],
]);

/** Advice that differs in more than a name. */
const SENTENCES: readonly (readonly [RegExp, string])[] = [
  [
    /call `loadModel` with model "([^"]+)" and download true(?:, or run `[^`]*`)?\. It may be gigabytes, so ask the user first\./g,
    "run `foundry-local-mcp download $1`. It may be gigabytes.",
  ],
  // `ask` has no flag for it.
  [/, ask for less, or set reasoning to off if the model thinks\./g, ", or ask for less."],
  [/`loadModel` with force: true tries it anyway/g, "`--force` tries it anyway"],
  [/name a model in `complete`/g, "name a model with `--model`"],
  [/name (a model|one) in the call/g, "name $1 with `--model`"],
  [
    /Leave out the option `endpoint`, so that the service is found wherever it is,/g,
    "Take FOUNDRY_ENDPOINT out of the settings, so that the service is found wherever it is,",
  ],
];

/**
 * A text of the library for a person at a terminal: commands and flags in place of methods and options.
 *
 * @example
 * terminalWords("Choose one that `listModels` shows."); // "Choose one that `foundry-local-mcp models` shows."
 */
export function terminalWords(text: string): string {
  // Most texts name nothing.
  if (!text.includes("`") && !text.includes(" in the call")) return text;
  const whole = SENTENCES.reduce((all, [ours, theirs]) => all.replace(ours, theirs), text);
  return reworded(whole, COMMANDS, SETTING_OF_OPTION);
}
