import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { startFoundryCli, startSimulator } from "foundry-local-simulator";
import * as z from "zod";
import {
  counted,
  FoundryError,
  jsonFrom,
  stackOf,
  VERSION,
  withoutCredentials,
} from "../lib/index.js";
import type { ProgressUpdate } from "../mcp/index.js";
import { onTermination } from "../platform/index.js";
import { readSettings } from "../settings.js";
import { readArguments } from "./arguments.js";
import { EXIT } from "./command-line.js";
import { printHelp, type Screen, SETTINGS_NOTE, terminalScreen } from "./terminal.js";

const HELP = `Usage: foundry-local-mcp demo [flags]

Shows the server at work, as a host would use it: a health check, the list of models, a load, and an
answer that streams in. It runs on a simulated Foundry Local, without a model.

  --endpoint URL   run on the service at this address instead

${SETTINGS_NOTE}`;

const PROMPT = "In two sentences: what is good about a language model on one's own machine?";
const MAX_TOKENS = 200;

/** A laptop, roughly: slow enough to see the text come. */
const LAPTOP = { tokensPerSecond: 40, firstTokenMs: 400, loadMs: 1500 };

/**
 * Shows what the server does: as a host would, starts it and goes through health, models, a load and a
 * completion. On a simulated Foundry Local that it has to find, or on the one at FOUNDRY_ENDPOINT.
 */
export async function demo(args: readonly string[]): Promise<number> {
  const { flags, asksForHelp } = readArguments("demo", args, z.object({}));
  if (asksForHelp) return printHelp(HELP);
  const settings = readSettings(flags, process.env);
  const screen = terminalScreen(process.stdout, process.env);
  const atEnd: (() => Promise<unknown>)[] = [];
  const interruption = new AbortController();
  const { signal } = interruption;
  onTermination(() => interruption.abort());
  const keep: Keep = (part, close) => {
    atEnd.push(() => close(part));
    // What came up after the interruption is ended, too.
    signal.throwIfAborted();
    return part;
  };
  try {
    const endpoint = settings.FOUNDRY_ENDPOINT;
    const isSimulated = endpoint === undefined;
    const place = isSimulated ? await simulatedFoundry(keep) : { flags: [], environment: {} };
    screen.say(
      isSimulated
        ? "FOUNDRY_ENDPOINT is not set, so this demo runs on a simulated Foundry Local: a service and its command line. The server has to find it, as it would find yours, and all else is real."
        : `This demo runs on the service at ${withoutCredentials(endpoint).endpoint}.`,
    );
    const server = keep(
      // The file that this process was started with, once more: as a server.
      await startServer([...process.execArgv, mainFile(), ...flags, ...place.flags], {
        ...environment(),
        ...place.environment,
        // The log of the server would interrupt the demo, so a level must be set for it.
        FOUNDRY_LOG_LEVEL: settings.FOUNDRY_LOG_LEVEL ?? "error",
      }),
      (started) => started.close(),
    );
    // The end of the server ends also what it still works on.
    await Promise.race([show(server, screen, isSimulated), once(signal, "abort")]);
    signal.throwIfAborted();
    screen.good("That was all. `foundry-local-mcp setup` adds the server to your MCP hosts.");
    return EXIT.done;
  } catch (thrown) {
    if (signal.aborted) return EXIT.interrupted;
    if (!(thrown instanceof StepFailed)) throw thrown;
    screen.verdict("This step failed.");
    screen.say(thrown.message);
    return EXIT.failed;
  } finally {
    for (const step of atEnd.reverse()) await step().catch(() => {});
  }
}

/** Registers how a part is closed at the end of the demo. */
type Keep = <T>(part: T, close: (part: T) => Promise<unknown>) => T;

/**
 * A machine with a Foundry Local that runs, in small. Nothing of the real one is touched: the home is a
 * temporary one, and of a command line that says where its service is no other place is believed. A
 * stopped one would not do: before the server starts it, it looks at the ports that real ones often have.
 *
 * @returns the flags and the environment variables with which the server finds it and nothing else.
 */
async function simulatedFoundry(keep: Keep) {
  const temporary = await mkdtemp(join(tmpdir(), "foundry-local-mcp-demo-"));
  const home = keep(temporary, (path) => rm(path, { recursive: true, force: true }));
  const modelCachePath = join(home, ".foundry", "cache", "models");
  const simulator = await startSimulator({ ...LAPTOP, modelCachePath });
  keep(simulator, (service) => service.close());
  const directory = join(home, "bin");
  const cli = keep(
    await startFoundryCli({ generation: "server", home, directory, service: simulator }),
    (standIn) => standIn.close(),
  );
  // As flags, which outrank what the user has set; Windows starts the script with Node like all others.
  return {
    flags: ["--cli", cli.script, "--embedded", "false"],
    // The simulated service need not have the user's own default model.
    environment: { HOME: home, USERPROFILE: home, FOUNDRY_MODEL: "" },
  };
}

/** A step of the demo that did not work; its message is the tool's own explanation. */
class StepFailed extends Error {}

async function show(server: Client, screen: Screen, isSimulated: boolean): Promise<void> {
  screen.title("The server");
  const { name, version } = server.getServerVersion() ?? { name: "?", version: "?" };
  const { tools } = await server.listTools();
  screen.say(
    `${name} ${version} started. Its tools: ${tools.map((tool) => tool.name).join(", ")}.`,
  );

  screen.title("health_check", "Is the service there?");
  const health = await called(server, "health_check");
  if (health.result["status"] === "unavailable") throw new StepFailed(health.text);
  screen.say(health.text);

  screen.title("list_models", "Which models could answer?");
  const listed = await called(server, "list_models", { limit: 8 });
  screen.say(succeeded(listed));
  const { default_model: model } = listSchema.parse(listed.result);
  if (model === undefined) throw new StepFailed("There is no model that can answer: see above.");

  screen.title("load_model", `Load ${model}`);
  // A simulated model takes no memory, whatever its size is said to be.
  const given = isSimulated ? { model, force: true } : { model };
  const loaded = await called(server, "load_model", given, ({ message }) => screen.status(message));
  screen.say(succeeded(loaded));

  screen.title("complete", PROMPT);
  await completion(server, screen, model);
}

/** Streams the text from the progress notifications: whole numbers carry new text. */
async function completion(server: Client, screen: Screen, model: string): Promise<void> {
  let shown = "";
  const outcome = await called(
    server,
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
  const { completion_id: id } = resultSchema.parse(outcome.result);
  const { usage, timing } = stateSchema.parse(await stateOf(server, id));
  screen.stream(text.startsWith(shown) ? text.slice(shown.length) : `\n\nThe answer:\n${text}`);
  screen.endStream();
  const speed = timing.tokens_per_second === null ? "" : `, ${timing.tokens_per_second} a second`;
  const guessed = usage.estimated ? " (estimated)" : "";
  const tokens = usage.output_tokens === null ? "? tokens" : counted(usage.output_tokens, "token");
  screen.faint(`${tokens}${guessed}${speed}; first after ${timing.first_token_ms ?? "?"} ms.`);
}

const listSchema = z.object({ default_model: z.string().optional() });

const resultSchema = z.object({ completion_id: z.string() });

const stateSchema = z.object({
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

const mainFile = (): string => resolve(process.argv[1] ?? "");

function environment(): Record<string, string> {
  const given = Object.entries(process.env);
  return Object.fromEntries(given.flatMap(([name, value]) => (value ? [[name, value]] : [])));
}

interface ToolOutcome {
  readonly isError: boolean;
  readonly text: string;
  readonly result: Readonly<Record<string, unknown>>;
}

/** No call of ours ends by the SDK's own limit of 60 s: a first load takes longer. */
const PATIENCE_MS = 3_600_000;

/**
 * Starts `node ...args`, and a real MCP client that speaks to it over stdio: what a host does, in small. Closing the
 * client closes the server's stdin, which ends it.
 *
 * @throws FoundryError `INTERNAL` when it ends before it answers.
 */
export async function startServer(args: string[], env: Record<string, string>): Promise<Client> {
  const client = new Client({ name: "foundry-local-mcp-demo", version: VERSION });
  const command = process.execPath;
  try {
    await client.connect(new StdioClientTransport({ command, args, env, stderr: "inherit" }));
    return client;
  } catch (cause) {
    throw new FoundryError("INTERNAL", "The server that was started here did not answer.", {
      action: "What it wrote above says why; FOUNDRY_LOG_LEVEL=debug makes it say more.",
      detail: stackOf(cause),
      cause,
    });
  }
}

async function called(
  server: Client,
  name: string,
  given: Record<string, unknown> = {},
  onProgress?: (update: ProgressUpdate) => void,
): Promise<ToolOutcome> {
  const { content, structuredContent, isError } = await server.callTool(
    { name, arguments: given },
    {
      timeout: PATIENCE_MS,
      ...(onProgress && {
        onprogress: ({ progress, message = "" }) => onProgress({ progress, message }),
      }),
    },
  );
  const text = content.map((block) => (block.type === "text" ? block.text : "")).join("\n");
  return { isError: isError === true, text, result: { ...Object(structuredContent) } };
}

/** How a completion stands, with its figures. */
async function stateOf(server: Client, id: string): Promise<unknown> {
  const uri = `foundry://completions/${id}/state`;
  const [content] = (await server.readResource({ uri })).contents;
  return content !== undefined && "text" in content ? jsonFrom(content.text) : undefined;
}
