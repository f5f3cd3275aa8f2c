import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { readSettings } from "../config.js";
import { LocalServer, type ToolOutcome } from "../mcp/index.js";
import { onTermination } from "../platform/termination.js";
import { startSimulator } from "../simulator/index.js";
import { type Screen, terminalScreen } from "./screen.js";

const PROMPT = "In two sentences: what is good about a language model on one's own machine?";
const MAX_TOKENS = 200;

/** What a shell expects of a command that Ctrl+C ended. */
const INTERRUPTED = 130;
/** A laptop, roughly: slow enough to see the text come. */
const LAPTOP = { tokensPerSecond: 40, firstTokenMs: 400, loadMs: 1500 };

/**
 * Shows what the server does: as a host would, starts it and goes through health, models, a load and a
 * completion. On a simulated Foundry Local, or on the one at FOUNDRY_ENDPOINT.
 */
export async function demo(flags: readonly string[]): Promise<number> {
  const settings = readSettings(flags, process.env);
  const screen = terminalScreen(process.stdout, process.env);
  const atEnd: (() => Promise<void>)[] = [];
  const end = async (): Promise<void> => {
    for (const step of atEnd.splice(0).reverse()) await step().catch(() => {});
  };
  let isInterrupted = false;
  onTermination(() => {
    isInterrupted = true;
    void end();
  });
  try {
    let endpoint = settings.FOUNDRY_ENDPOINT;
    if (endpoint === undefined) {
      const modelCachePath = await mkdtemp(join(tmpdir(), "foundry-local-mcp-demo-"));
      atEnd.push(() => rm(modelCachePath, { recursive: true, force: true }));
      const simulator = await startSimulator({ ...LAPTOP, modelCachePath });
      atEnd.push(() => simulator.close());
      endpoint = simulator.url;
      screen.say(
        "FOUNDRY_ENDPOINT is not set, so this demo runs on a simulated Foundry Local.",
        "Everything else is real: the server, the protocol, the HTTP in between.",
      );
    } else {
      screen.say(`This demo runs on the service at ${endpoint}.`);
    }
    const server = await LocalServer.start({
      args: [...process.execArgv, mainFile(), ...flags],
      env: {
        ...environment(),
        FOUNDRY_ENDPOINT: endpoint,
        // The server's log would stand in the middle of the demo; who wants it asks for it.
        FOUNDRY_LOG_LEVEL: settings.FOUNDRY_LOG_LEVEL ?? "error",
      },
    });
    atEnd.push(() => server.close());
    await show(server, screen);
    screen.good("That was all. To use it, add the server to your MCP host: see the README.");
    return 0;
  } catch (thrown) {
    if (isInterrupted) return INTERRUPTED;
    if (!(thrown instanceof StepFailed)) throw thrown;
    screen.bad(thrown.message);
    return 1;
  } finally {
    await end();
  }
}

/** A step of the demo that did not work; its message is the tool's own explanation. */
class StepFailed extends Error {}

async function show(server: LocalServer, screen: Screen): Promise<void> {
  screen.title("The server");
  screen.say(`${server.title} started. Its tools: ${(await server.toolNames()).join(", ")}.`);

  screen.title("health_check", "Is the service there?");
  const health = await server.call("health_check");
  if (health.result["status"] === "unavailable") throw new StepFailed(health.text);
  screen.say(health.text);

  screen.title("list_models", "Which models could answer?");
  const listed = await server.call("list_models", { limit: 8 });
  screen.say(succeeded(listed));
  const { default_model: model } = listSchema.parse(listed.result);
  if (model === null) throw new StepFailed("There is no model that can answer: see above.");

  screen.title("load_model", `Load ${model}`);
  const loaded = await server.call("load_model", { model }, ({ message }) =>
    screen.status(message),
  );
  screen.say(succeeded(loaded));

  screen.title("complete", PROMPT);
  await completion(server, screen, model);
}

/** Streams the text from the progress notifications: whole numbers carry new text. */
async function completion(server: LocalServer, screen: Screen, model: string): Promise<void> {
  let shown = "";
  const outcome = await server.call(
    "complete",
    { model, prompt: PROMPT, max_tokens: MAX_TOKENS },
    ({ progress, message }) => {
      if (!Number.isInteger(progress)) {
        screen.status(message);
        return;
      }
      shown += message;
      screen.stream(message);
    },
  );
  const text = succeeded(outcome);
  const { usage, timing } = completionSchema.parse(outcome.result);
  screen.stream(text.startsWith(shown) ? text.slice(shown.length) : `\n\nThe answer:\n${text}`);
  screen.endStream();
  const speed = timing.tokens_per_second === null ? "" : `, ${timing.tokens_per_second} a second`;
  const guessed = usage.estimated ? " (estimated)" : "";
  screen.faint(
    `${usage.output_tokens ?? "?"} tokens${guessed}${speed}; first after ${timing.first_token_ms ?? "?"} ms.`,
  );
}

const listSchema = z.object({ default_model: z.string().nullable() });

const completionSchema = z.object({
  usage: z.object({ output_tokens: z.number().nullable(), estimated: z.boolean() }),
  timing: z.object({
    first_token_ms: z.number().nullable(),
    tokens_per_second: z.number().nullable(),
  }),
});

function succeeded({ isError, text }: ToolOutcome): string {
  if (isError) throw new StepFailed(text);
  return text;
}

/** The file this process was started with; the demo starts it once more, as a server. */
const mainFile = (): string => resolve(process.argv[1] ?? "");

function environment(): Record<string, string> {
  const given = Object.entries(process.env);
  return Object.fromEntries(given.flatMap(([name, value]) => (value ? [[name, value]] : [])));
}
