import { FOUND_BY_WORDS } from "../../foundry/index.js";
import { counted, formatDuration } from "../../lib/index.js";
import { terminalWords } from "../../terminal-words.js";
import { type Screen, TIE } from "../terminal.js";
import type { CompletionReport, DoctorReport } from "./report.js";

type Row = readonly [name: string, value: string | null];

/** The report for a person: what is there, whether it works, what is wrong and what to do. */
export function showReport(report: DoctorReport, screen: Screen): void {
  const { version, machine, completion } = report;
  screen.title(`foundry-local-mcp ${version}`);
  screen.say(`Node ${machine.node} on ${machine.platform} ${machine.arch}`);
  showService(report, screen);
  showModels(report, screen);
  if (completion !== null) {
    screen.title("Test completion");
    screen.table(completionRows(completion));
  }
  showHosts(report, screen);
  showSettings(report, screen);
  showProblems(report, screen);
  showVerdict(report, screen);
}

/** If found in one of these ways, do not list the failed attempts. */
const AS_USUAL: ReadonlySet<string> = new Set([
  "set",
  "last_url",
  "server_status",
  "service_status",
]);

function showService(report: DoctorReport, screen: Screen): void {
  const { endpoint, search_ms: searchMs, status, tried } = report;
  const foundBy = status === "unavailable" ? null : report.found_by;
  screen.title("Foundry Local");
  if (tried.length > 0 && !AS_USUAL.has(foundBy ?? "")) {
    for (const { what, outcome, ok } of tried) screen.say(`${ok ? "+" : "-"} ${what}: ${outcome}`);
  }
  const took = searchMs === null ? "" : `, in ${duration(searchMs)}`;
  const how = foundBy === null ? null : `${terminalWords(FOUND_BY_WORDS[foundBy])}${took}`;
  screen.table([
    endpoint === null
      ? ["Service", `not found${took}`]
      : [status === "unavailable" ? "No answer at" : "Running at", endpoint],
    [foundBy === "set" ? "Set by" : "Found by", how],
    ["Kind", report.service],
    ["Answers in", report.latency_ms === null ? null : `${report.latency_ms} ms`],
    ["Process", processOf(report)],
    ["Memory", memoryOf(report)],
    ["Command line", commandLineOf(report)],
    ["Keeper", report.keeper && `runs; completions and loads in it: ${report.keeper.holds}`],
  ]);
}

function commandLineOf({ command_line: cli, dialect }: DoctorReport): string | null {
  if (cli !== null) return `${cli.version ?? "of unknown version"} at ${cli.path}`;
  return dialect === "openai" ? null : "not found";
}

function processOf({ pid, uptime_s: uptime, memory }: DoctorReport): string | null {
  if (pid === null) return null;
  const age = uptime === null ? "" : `, up for ${duration(uptime * 1000)}`;
  const size = memory === null || memory.process_mb === null ? "" : `, ${memory.process_mb} MB`;
  return `${pid}${age}${size}`;
}

const memoryOf = ({ memory }: DoctorReport): string | null =>
  memory === null ? null : `${memory.free_mb} of ${memory.total_mb} MB free`;

function showModels({ models }: DoctorReport, screen: Screen): void {
  if (models === null) return;
  const { listed, downloaded, loaded, default: defaultModel } = models;
  screen.title("Models");
  screen.table([
    ["Listed", downloaded === null ? String(listed) : `${listed} (${downloaded} downloaded)`],
    ["In memory", loaded === null ? "not known" : loaded.join(", ") || "none"],
    ["Default", defaultModel ?? "none"],
  ]);
}

const HOST_WORDS = {
  set_up: "starts this server",
  switched_off: "has this server switched off in its settings",
  not_set_up: "does not start it: `foundry-local-mcp setup` adds it",
  broken: "starts a file that does not exist: see below",
  unreadable: "cannot be read: see below",
} as const;

function showHosts({ hosts }: DoctorReport, screen: Screen): void {
  if (hosts.length === 0) return;
  screen.title("MCP hosts");
  screen.table(hosts.map(({ name, status }): Row => [name, HOST_WORDS[status]]));
}

function completionRows(completion: CompletionReport): Row[] {
  const { model, text, error, load_ms: loadMs, first_token_ms: firstMs } = completion;
  const loaded = loadMs !== null && loadMs > 0 ? `, loaded in ${duration(loadMs)}` : "";
  const first = firstMs === null ? "" : `, the first after ${duration(firstMs)}`;
  return [
    ["Model", model === null ? null : `${model}${loaded}`],
    ["Speed", error === null ? `${speedOf(completion)}${first}` : null],
    ["Answer", text.trim() === "" ? null : JSON.stringify(text.trim())],
    ["Result", error === null ? null : `failed with ${error.code}: see below`],
  ];
}

function speedOf(completion: CompletionReport): string {
  const { output_tokens: tokens, estimated, tokens_per_second: perSecond } = completion;
  const count =
    tokens === null ? "" : `${counted(tokens, "token")}${estimated ? " (estimated)" : ""}`;
  if (perSecond !== null)
    return `${counted(perSecond, "token")} a second, ${count || "number unknown"}`;
  return count || "number of tokens unknown";
}

function showSettings({ settings }: DoctorReport, screen: Screen): void {
  screen.title("Settings");
  const isDefault = ({ source }: DoctorReport["settings"][number]) => source === "default";
  const given = settings.filter((setting) => !isDefault(setting));
  if (given.length > 0) {
    screen.table(given.map(({ name, value, source }): Row => [name, `${value} (${source})`]));
  }
  const rest = settings.filter(isDefault).map(({ name, value }) => `${name}${TIE}${value}`);
  if (rest.length > 0) screen.faint(`Default: ${rest.join(", ")}`);
}

function showProblems({ problems, status, ok }: DoctorReport, screen: Screen): void {
  if (problems.length === 0) return;
  const isAdvice = ok && status === "healthy";
  const count = problems.length === 1 ? "A problem" : `${problems.length} problems`;
  screen.title(isAdvice ? "To consider" : count);
  for (const { what, fix } of problems) screen.say(what, `=> ${fix}`);
}

function showVerdict({ ok, problems, completion }: DoctorReport, screen: Screen): void {
  const works = completion === null ? "It answers; no model was asked." : "It works.";
  if (!ok) screen.verdict("It does not work yet: see above for what to do.");
  else screen.good(problems.length === 0 ? works : `${works} See above for what could be better.`);
}

/** `12 ms`, `1.5 s`, `3 min`, `2 h`. */
function duration(ms: number): string {
  if (ms < 60_000) return formatDuration(ms);
  const minutes = Math.round(ms / 60_000);
  return minutes < 60 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
