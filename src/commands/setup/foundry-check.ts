import {
  canChat,
  type KnownModel,
  type ModelListResult,
  shortName,
  withoutAttempts,
} from "../../foundry/index.js";
import { formatMegabytes, toFoundryError } from "../../lib/index.js";
import { terminalWords } from "../../terminal-words.js";
import { showAnswer } from "../answer.js";
import { type ClientCommand, clientCommand } from "../client-command.js";
import { EXIT } from "../command-line.js";
import type { Screen } from "../terminal.js";

/** Asks a person; `null` after Ctrl+C or Ctrl+D. */
export type Confirm = (message: string) => Promise<boolean | null>;

const QUESTION = "In one sentence: why run a language model at home?";
const MAX_TOKENS = 100;

/**
 * Looks for Foundry Local, offers a first model where none is downloaded, and asks a model a question.
 *
 * @param confirm `null`: ask nothing, and so download nothing.
 */
export function checkFoundry(
  flags: readonly string[],
  screen: Screen,
  confirm: Confirm | null,
): Promise<number> {
  return clientCommand({ flags }, async (command) => {
    screen.title("Foundry Local");
    const list = await listed(command, screen);
    if (list === null) return EXIT.done;
    const isReady = list.models.some(isUsable);
    if (!isReady) {
      const hasModel = await firstModel(list.models, command, screen, confirm);
      if (hasModel === null) return EXIT.interrupted;
      if (!hasModel) return EXIT.done;
    }
    if (confirm !== null) {
      const agreed = await confirm("Ask a model a question now?");
      if (agreed === null) return EXIT.interrupted;
      if (!agreed) return EXIT.done;
    }
    await answer(command, screen);
    return EXIT.done;
  });
}

/** `null` where there is no service; the error and its advice are then on the screen. */
async function listed(
  { client, signal, notes }: ClientCommand,
  screen: Screen,
): Promise<ModelListResult | null> {
  try {
    const list = await client.listModels({ signal, onStatus: notes.progress });
    notes.clear();
    screen.say("It runs.");
    return list;
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    notes.clear();
    const { message, action } = toFoundryError(thrown);
    screen.say(terminalWords(withoutAttempts(message)), terminalWords(action));
    screen.say('Then run `foundry-local-mcp setup` again, or `foundry-local-mcp ask "Hello"`.');
    return null;
  }
}

const isUsable = (model: KnownModel): boolean =>
  canChat(model) !== false && (model.loaded === true || model.downloaded !== false);

/** Good enough for a first answer, and small. */
const PREFERRED = ["qwen2.5-0.5b", "qwen3-0.6b", "qwen2.5-1.5b", "phi-4-mini"];

/** A small model that can chat: a known one, else the smallest. */
function smallModel(models: readonly KnownModel[]): KnownModel | null {
  const fitting = models.filter((model) => canChat(model) !== false && model.downloaded === false);
  for (const name of PREFERRED) {
    const found = fitting.find((model) => shortName(model) === name);
    if (found !== undefined) return found;
  }
  const bySize = (model: KnownModel): number => model.sizeMb ?? Number.POSITIVE_INFINITY;
  return fitting.toSorted((a, b) => bySize(a) - bySize(b))[0] ?? null;
}

/** Whether there is a model now; `null` after Ctrl+C. */
async function firstModel(
  models: readonly KnownModel[],
  { client, signal, notes }: ClientCommand,
  screen: Screen,
  confirm: Confirm | null,
): Promise<boolean | null> {
  const model = smallModel(models);
  if (model === null) {
    screen.say("No model that can chat is downloaded, and the service lists none to download.");
    return false;
  }
  const name = shortName(model);
  const size = model.sizeMb === null ? "of unknown size" : formatMegabytes(model.sizeMb);
  screen.say(
    "No model that can chat is downloaded.",
    `A small one is ${name} (${size} on the disk, and about as much memory): \`foundry-local-mcp download ${name}\``,
  );
  if (confirm === null) return false;
  const agreed = await confirm(`Download ${name} (${size}) now?`);
  if (agreed !== true) return agreed;
  await client.service.downloadModel(name, { signal, onStatus: notes.progress });
  notes.clear();
  screen.say(`Downloaded ${model.id}.`);
  return true;
}

/** Asks a model a question and streams the answer to the screen. */
export async function answer(
  { client, signal, notes }: Pick<ClientCommand, "client" | "signal" | "notes">,
  screen: Screen,
): Promise<void> {
  screen.title("An answer", QUESTION);
  const stream = client.streamComplete(
    { prompt: QUESTION, maxTokens: MAX_TOKENS },
    { signal, onStatus: notes.progress },
  );
  try {
    await showAnswer(stream, screen, notes);
    notes.clear();
  } finally {
    // A failure, or Ctrl+C, comes after the text so far.
    screen.endStream();
  }
  const { text, finishReason, model } = stream.snapshot();
  if (text.trim() === "") {
    const reason =
      finishReason === "length" ? `: thinking may have used up its ${MAX_TOKENS} tokens.` : ".";
    screen.say(`The answer has no text${reason}`);
  }
  screen.faint(`${model ?? "A model"} on this machine.`);
}
