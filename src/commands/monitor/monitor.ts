import { setTimeout } from "node:timers/promises";
import * as z from "zod";
import type { Health } from "../../foundry/index.js";
import type { FoundryClient } from "../../jobs/index.js";
import { inSnakeCase, VERSION } from "../../lib/index.js";
import { terminalWords } from "../../terminal-words.js";
import { misuse, readArguments } from "../arguments.js";
import { type ClientCommand, clientCommand } from "../client-command.js";
import { EXIT } from "../command-line.js";
import { runningServers } from "../running-servers.js";
import { printed } from "../typed-command.js";
import { LiveScreen, type View, viewOf } from "./view.js";

const HELP = `Usage: foundry-local-mcp monitor [flags]

Shows the service and the running servers of this user, refreshed each second; Ctrl+C ends it. It starts
nothing and asks no model. Where the output is no terminal, the view is written once.

  --once     write the view once and end: exit code 0 for a healthy service, 1 for a degraded one, 3 where
             none answers
  --json     one line of JSON a second; with --once a single one

Not visible: servers of other users, of containers and of other machines, servers with FOUNDRY_KEEP=never,
and programs that use the library. A server appears a second after its first request.
`;

const schema = z.object({ json: z.boolean().default(false), once: z.boolean().default(false) });

const REFRESH_MS = 1000;
/** A search for a service starts programs, so it is repeated less often. */
const SEARCH_MS = 5000;

/** `foundry-local-mcp monitor`: the service and the running servers, live, once or as JSON. */
export async function monitor(args: readonly string[]): Promise<number> {
  const { own, words, flags, asksForHelp } = readArguments("monitor", args, schema);
  if (asksForHelp) return printed(HELP);
  if (words.length > 0) throw misuse("monitor takes no argument.", "Leave it out.");
  return clientCommand({ flags }, (command) => watch(command, own));
}

async function watch(
  { client, signal }: ClientCommand,
  { json, once }: z.output<typeof schema>,
): Promise<number> {
  const service = new ServiceWatch(client, signal);
  const { isTTY } = process.stdout;
  const isLive = !json && !once && isTTY && process.env["TERM"] !== "dumb";
  const isOnce = once || (!json && !isLive);
  const screen = isLive ? new LiveScreen(process.stdout) : null;
  let isUnread = false;
  process.stdout.once("error", () => {
    isUnread = true;
  });
  try {
    for (;;) {
      const begin = performance.now();
      const [health, servers] = await Promise.all([service.latest(), runningServers()]);
      if (signal.aborted) return EXIT.interrupted;
      const view: View = { version: VERSION, at: new Date(), health, servers };
      if (json) process.stdout.write(`${JSON.stringify(jsonOf(view))}\n`);
      else if (screen !== null) screen.show((output) => viewOf(view, output));
      else viewOf(view, process.stdout);
      if (isOnce) return exitCodeOf(health);
      const restMs = Math.max(0, REFRESH_MS - (performance.now() - begin));
      await setTimeout(restMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return EXIT.interrupted;
      if (isUnread) return EXIT.done;
    }
  } finally {
    screen?.close();
  }
}

/** The health of the service. A check that takes long does not hold up the view. */
class ServiceWatch {
  readonly #client: FoundryClient;
  readonly #signal: AbortSignal;
  #latest: Health | null = null;
  #checking: Promise<Health> | null = null;
  #dueAt = 0;

  constructor(client: FoundryClient, signal: AbortSignal) {
    this.#client = client;
    this.#signal = signal;
  }

  /** The newest there is; the first one is waited for. */
  async latest(): Promise<Health> {
    if (this.#checking === null && performance.now() >= this.#dueAt) {
      this.#checking = this.#client
        .healthCheck({ signal: this.#signal })
        .then((health) => {
          this.#latest = health;
          this.#dueAt = performance.now() + (health.endpoint === null ? SEARCH_MS : 0);
          return health;
        })
        .finally(() => {
          this.#checking = null;
        });
      // Aborted by Ctrl+C while nothing waits for it.
      this.#checking.catch(() => {});
    }
    return this.#latest ?? (await this.#checking) ?? this.latest();
  }
}

function exitCodeOf({ status }: Health): number {
  if (status === "healthy") return EXIT.done;
  return status === "degraded" ? EXIT.failed : EXIT.noService;
}

/** Its members stay as they are; others may be added. */
const jsonOf = ({ version, at, health, servers }: View) => ({
  version,
  at: at.toISOString(),
  service: inSnakeCase({
    status: health.status,
    endpoint: health.endpoint,
    dialect: health.dialect,
    service: health.service,
    foundBy: health.foundBy,
    loadedModels: health.loadedModels,
    busy: health.busy,
    memory: health.memory,
    uptimeSeconds: health.uptimeSeconds,
    pid: health.pid,
    latencyMs: health.latencyMs,
    problems: health.problems.map(({ what, fix }) => ({
      what: terminalWords(what),
      fix: terminalWords(fix),
    })),
  }),
  servers,
});
