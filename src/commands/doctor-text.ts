import type { CompletionReport, DoctorReport } from "./doctor-report.js";
import type { Screen } from "./screen.js";

const FOUND_BY: Readonly<Record<string, string>> = {
  set: "as FOUNDRY_ENDPOINT says",
  last_url: "where it was before",
  server_status: "as foundry server status says",
  service_status: "as foundry service status says",
  daemon_file: "as its daemon.json says",
  known_port: "on a port it often has",
  started: "started just now",
  embedded: "in a process of ours",
};

/** The report for a person: what was found, what is wrong, what to do. */
export function showReport(report: DoctorReport, screen: Screen): void {
  const { version, machine, tried, command_line: cli, models, completion, problems } = report;
  screen.title(`foundry-local-mcp ${version}`);
  screen.say(`Node ${machine.node} on ${machine.platform} ${machine.arch}`);

  screen.title("Foundry Local");
  for (const { what, outcome, ok } of tried) screen.say(`${ok ? "+" : "-"} ${what}: ${outcome}`);
  screen.say(
    cli === null
      ? "Command line: none found"
      : `Command line: ${cli.version ?? "version unknown"} at ${cli.path}`,
  );
  if (report.endpoint !== null) {
    screen.say(`Endpoint: ${report.endpoint} (${FOUND_BY[report.found_by ?? ""] ?? "unknown"})`);
  }
  const facts: readonly (readonly [string, string | null])[] = [
    ["Service", report.service],
    ["Answered in", report.latency_ms === null ? null : `${report.latency_ms} ms`],
    ["Process", report.pid === null ? null : String(report.pid)],
    ["Up for", report.uptime_s === null ? null : `${report.uptime_s} s`],
  ];
  for (const [name, value] of facts) if (value !== null) screen.say(`${name}: ${value}`);

  if (models !== null) {
    screen.title("Models");
    screen.say(
      `${models.listed} listed, ${models.downloaded ?? "an unknown number"} downloaded`,
      `Loaded: ${models.loaded === null ? "unknown" : models.loaded.join(", ") || "none"}`,
      `Default: ${models.default ?? "none"}`,
    );
  }
  if (completion !== null) {
    screen.title("Test completion");
    showCompletion(completion, screen);
  }
  if (problems.length > 0) {
    screen.title(problems.length === 1 ? "A problem" : `${problems.length} problems`);
    for (const { what, fix } of problems) screen.say(what, `=> ${fix}`);
  }
  screen.title("Settings");
  for (const { name, value, source } of report.settings)
    screen.say(`${name}: ${value} (${source})`);
  if (report.ok) screen.good("It works.");
  else screen.verdict("It does not work yet: see above for what to do.");
}

function showCompletion(completion: CompletionReport, screen: Screen): void {
  const { model, text, output_tokens: tokens, error } = completion;
  if (error !== null) {
    screen.say(`${error.what} (${error.code})`, `=> ${error.fix}`);
    return;
  }
  const speed =
    completion.tokens_per_second === null ? "" : `, ${completion.tokens_per_second} a second`;
  const loaded = completion.load_ms > 0 ? `, loaded in ${seconds(completion.load_ms)}` : "";
  const first =
    completion.first_token_ms === null ? "" : `, first after ${seconds(completion.first_token_ms)}`;
  screen.say(
    `${model ?? "unknown model"}${loaded}`,
    `${tokens ?? "?"} tokens${completion.estimated ? " (estimated)" : ""}${speed}${first}`,
    JSON.stringify(text.trim()),
  );
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
