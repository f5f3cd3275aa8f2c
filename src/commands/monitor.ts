import { setTimeout } from "node:timers/promises";
import * as z from "zod";
import { FOUND_BY_WORDS, type FoundBy, type Health } from "../foundry/index.js";
import type { FoundryClient } from "../jobs/index.js";
import { formatDuration, inSnakeCase, VERSION, withoutAnsi } from "../lib/index.js";
import { terminalWords } from "../terminal-words.js";
import { readArguments } from "./arguments.js";
import { type ClientCommand, clientCommand } from "./client-command.js";
import { EXIT } from "./command-line.js";
import { type RunningServer, runningServers } from "./running-servers.js";
import {
  type Column,
  columnLines,
  type Output,
  printHelp,
  SETTINGS_NOTE,
  terminalScreen,
  widthOf,
} from "./terminal.js";

const HELP = `Usage: foundry-local-mcp monitor [flags]

Shows the service and the running servers of this user, refreshed each second; Ctrl+C ends it. It starts
nothing and asks no model. Where the output is no terminal, the view is written once.

  --once     write the view once and end: exit code 0 for a healthy service, 1 for a degraded one, 3 where
             none answers
  --json     one line of JSON a second; with --once a single one

Not visible: servers of other users, of containers and of other machines, servers with FOUNDRY_KEEP=never,
and programs that use the library. A server appears a second after its first request.

${SETTINGS_NOTE}`;

const schema = z.object({ json: z.boolean().default(false), once: z.boolean().default(false) });

const REFRESH_MS = 1000;
/** A search for a service starts programs, so it is repeated less often. */
const SEARCH_MS = 5000;

/** `foundry-local-mcp monitor`: the service and the running servers, live, once or as JSON. */
export async function monitor(args: readonly string[]): Promise<number> {
  const { own, flags, asksForHelp } = readArguments("monitor", args, schema);
  if (asksForHelp) return printHelp(HELP);
  return clientCommand({ flags }, (command) => watch(command, own));
}

async function watch(
  { client, signal }: ClientCommand,
  { json, once }: z.output<typeof schema>,
): Promise<number> {
  const newestHealth = healthWatch(client, signal);
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
      const [health, servers] = await Promise.all([newestHealth(), runningServers()]);
      if (signal.aborted) return EXIT.interrupted;
      const view: View = { at: new Date(), health, servers };
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

/**
 * The newest health of the service. The first one is waited for; later, a check that takes long does not hold
 * up the view.
 */
function healthWatch(client: FoundryClient, signal: AbortSignal): () => Promise<Health> {
  let isChecking = false;
  let dueAt = 0;
  const check = (): Promise<Health> => {
    isChecking = true;
    const checked = client.healthCheck({ signal });
    checked
      .then(({ endpoint }) => {
        latest = checked;
        dueAt = performance.now() + (endpoint === null ? SEARCH_MS : 0);
      })
      // Aborted by Ctrl+C while nothing waits for it.
      .catch(() => {})
      .finally(() => {
        isChecking = false;
      });
    return checked;
  };
  let latest = check();
  return () => {
    if (!isChecking && performance.now() >= dueAt) void check();
    return latest;
  };
}

function exitCodeOf({ status }: Health): number {
  if (status === "healthy") return EXIT.done;
  return status === "degraded" ? EXIT.failed : EXIT.noService;
}

/** Its members stay as they are; others may be added. */
const jsonOf = ({ at, health, servers }: View) => ({
  version: VERSION,
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

export interface View {
  readonly at: Date;
  readonly health: Health;
  readonly servers: readonly RunningServer[];
}

const INDENT = 2;

/** Writes the view for a person, in the width of the terminal. */
export function viewOf({ at, health, servers }: View, output: Output): void {
  const screen = terminalScreen(output, process.env);
  const width = widthOf(output) - INDENT;
  screen.title(`foundry-local-mcp ${VERSION}`, at.toLocaleTimeString("en-GB"));
  const verdict = `The service is ${health.status}.`;
  if (health.status === "healthy") screen.good(verdict);
  else screen.verdict(verdict);
  screen.table(factsOf(health));
  for (const { what, fix } of health.problems) screen.say(terminalWords(`${what} ${fix}`));
  screen.title("Running servers", servers.length === 0 ? undefined : String(servers.length));
  if (servers.length === 0) screen.faint("none that this user can see");
  else screen.rows(serverLines(servers, at, width));
  const calls = callRows(servers);
  if (calls.length === 0) return;
  screen.title("Calls");
  screen.rows(columnLines(CALLS, calls, width));
}

const foundByWords = (by: FoundBy): string => terminalWords(FOUND_BY_WORDS[by]);

function factsOf(health: Health): [string, string | null][] {
  const { endpoint, service, foundBy, latencyMs, loadedModels, memory } = health;
  return [
    ["service", service],
    ["address", endpoint && (foundBy ? `${endpoint} (${foundByWords(foundBy)})` : endpoint)],
    ["answered in", latencyMs === null ? null : `${latencyMs} ms`],
    ["models", loadedModels && (loadedModels.join(", ") || "none loaded")],
    ["memory", memory && `${memory.freeMb} of ${memory.totalMb} MB free`],
  ];
}

/** The number of a server ties its calls to it, in fewer characters than its process id. */
const SERVERS: readonly Column[] = [
  { heading: "#", isRight: true },
  { heading: "PID", isRight: true },
  { heading: "HOST", shrinksTo: 10 },
  { heading: "UP", isRight: true },
  { heading: "DONE", isRight: true },
  { heading: "FAILED", isRight: true },
  { heading: "RUN", isRight: true },
  { heading: "WAIT", isRight: true },
  { heading: "CIRCUIT" },
  { heading: "ERROR", shrinksTo: 8 },
];

function serverLines(servers: readonly RunningServer[], at: Date, width: number): string[] {
  const rows = servers.map(({ pid, host, url, written_at: writtenAt, metrics }, index) => {
    const { operations, queue, circuit, last_error: error, uptime_ms: upMs } = metrics;
    const sum = (of: (each: (typeof operations)[number]) => number): string =>
      String(operations.reduce((all, each) => all + of(each), 0));
    return [
      String(index + 1),
      String(pid),
      url ?? host ?? "?",
      // An idle server writes its file seldom.
      time(upMs + Math.max(0, at.getTime() - writtenAt)),
      sum(({ completed }) => completed),
      sum(({ failed, interrupted }) => failed + interrupted),
      String(queue.running),
      String(queue.waiting),
      circuit.state ?? "-",
      error?.code ?? "-",
    ];
  });
  return columnLines(SERVERS, rows, width);
}

const CALLS: readonly Column[] = [
  { heading: "#", isRight: true },
  { heading: "CALL" },
  { heading: "MODEL", shrinksTo: 12 },
  { heading: "DONE", isRight: true },
  { heading: "FAILED", isRight: true },
  { heading: "P50", isRight: true },
  { heading: "P95", isRight: true },
  { heading: "FIRST", isRight: true },
  { heading: "TOK/S", isRight: true },
];

const callRows = (servers: readonly RunningServer[]): string[][] =>
  servers.flatMap(({ metrics: { operations } }, index) =>
    operations.map((of) => [
      String(index + 1),
      of.operation,
      of.model ?? "-",
      String(of.completed),
      String(of.failed + of.interrupted),
      time(of.latency_ms?.p50),
      time(of.latency_ms?.p95),
      time(of.first_token_ms?.p50),
      of.tokens_per_second === null ? "-" : String(Math.round(of.tokens_per_second.p50)),
    ]),
  );

/** In few characters. */
function time(ms: number | undefined): string {
  if (ms === undefined) return "-";
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 120_000) return formatDuration(ms).replace(" ", "");
  const minutes = Math.round(ms / 60_000);
  return minutes < 120 ? `${minutes}min` : `${Math.round(minutes / 60)}h`;
}

const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const CLEAR_LINE_END = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";
const DEFAULT_ROWS = 24;

/** The whole terminal, drawn again and again without flicker. What was on it is back at the end. */
class LiveScreen {
  readonly #output: NodeJS.WriteStream;
  readonly #restore = (): void => void this.#output.write(LEAVE);

  constructor(output: NodeJS.WriteStream) {
    this.#output = output;
    output.write(ENTER);
    // A second Ctrl+C ends the process at once.
    process.once("exit", this.#restore);
  }

  /** Shows what is written, as far as it fits. */
  show(write: (output: Output) => void): void {
    let text = "";
    const { isTTY, columns } = this.#output;
    write({
      isTTY,
      columns,
      write: (piece) => {
        text += piece;
      },
    });
    const { rows } = this.#output;
    this.#output.write(frameOf(text, rows || DEFAULT_ROWS, widthOf({ isTTY, columns })));
  }

  close(): void {
    process.off("exit", this.#restore);
    this.#restore();
  }
}

/** One drawing of the screen, in at most so many rows. A line that is longer than the screen takes several. */
export function frameOf(text: string, rows: number, columns: number): string {
  const lines = text.replace(/\n+$/, "").split("\n");
  const ends: number[] = [];
  for (const line of lines) {
    const height = Math.max(1, Math.ceil(withoutAnsi(line).length / columns));
    ends.push((ends.at(-1) ?? 0) + height);
  }
  const isWhole = (ends.at(-1) ?? 0) <= rows;
  const fitting = ends.filter((end) => end < rows).length;
  const shown = isWhole
    ? lines
    : [...lines.slice(0, fitting), `  ${lines.length - fitting} more lines`];
  return `${HOME}${shown.map((line) => line + CLEAR_LINE_END).join("\r\n")}${CLEAR_BELOW}`;
}
