import type { Call } from "../call.js";
import type { Installation, Report } from "../installation.js";

export async function start(call: Call, installation: Installation): Promise<number> {
  const started = await installation.start(call.number("port") ?? installation.port);
  call.holdPipes(installation.switches.startHoldsPipesMs);
  switch (started.kind) {
    case "started":
    case "already": {
      const { url } = started;
      const port = Number(new URL(url).port);
      if (call.json) call.printJson({ running: true, webUrls: [url], port });
      else {
        call.print(
          started.kind === "started" ? "● Server started." : "● Server is already running.",
          `Web URLs ${url}`,
        );
      }
      return 0;
    }
    case "port_in_use":
      return refused(call, `Failed to bind to address ${started.url}: address already in use.`);
    case "failed":
      return refused(call, "The server did not start.");
  }
}

export async function stop(call: Call, installation: Installation): Promise<number> {
  await installation.stop();
  if (call.json) call.printJson({ running: false, state: "not_running" });
  else call.print("● Server stopped.");
  return 0;
}

export async function restart(call: Call, installation: Installation): Promise<number> {
  await installation.stop();
  return await start(call, installation);
}

export function status(call: Call, installation: Installation): number {
  const report = installation.report();
  if (report.kind === "unreachable") return refused(call, "The daemon could not be reached.");
  if (call.json) call.printJson(statusJson(report, installation));
  else call.print(...statusLines(report, installation));
  return 0;
}

function statusJson(report: Exclude<Report, { kind: "unreachable" }>, { pid }: Installation) {
  switch (report.kind) {
    case "ready":
      return {
        running: true,
        state: "ready",
        pid,
        webUrls: [report.url],
        startedAt: report.startedAt.toISOString(),
        uptime: uptime(report.startedAt),
        logFile: "",
      };
    case "initializing":
      return { running: false, state: "initializing" };
    case "stopped": {
      const stale = report.staleUrl === null ? {} : { pid, webUrls: [report.staleUrl] };
      return { running: false, state: "not_running", ...stale };
    }
  }
}

function statusLines(report: Report, { pid }: Installation): string[] {
  if (report.kind === "initializing") return ["State    Initializing"];
  if (report.kind !== "ready") return ["State    Not running"];
  return [
    "State    Ready",
    `PID      ${pid}`,
    `Started  ${report.startedAt.toISOString().replace("T", " ").slice(0, 19)}Z`,
    `Uptime   ${uptime(report.startedAt)}`,
    `Web URLs ${report.url}`,
  ];
}

function uptime(since: Date): string {
  const seconds = Math.floor((Date.now() - since.getTime()) / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds}s` : `${minutes}m ${seconds % 60}s`;
}

export function logs(call: Call, installation: Installation): number {
  call.print(...installation.logLines.slice(-(call.number("lines") ?? 50)));
  return 0;
}

export async function overview(call: Call, installation: Installation): Promise<number> {
  const simulator = await installation.simulator();
  const reachable = installation.report().kind === "ready";
  const models = {
    available: simulator.models.length,
    loaded: simulator.loaded.length,
    cached: simulator.models.filter(({ downloaded }) => downloaded).length,
  };
  const connectivity = {
    "Local service": reachable ? "Reachable" : "Unreachable",
    "Model registry": "Reachable",
  };
  if (call.json) {
    const system = { ram: "13.1 GB available / 31.5 GB total" };
    call.printJson({ system, service: { running: reachable }, models, connectivity });
    return 0;
  }
  call.print(
    "- **RAM:** 13.1 GB available / 31.5 GB total",
    `- **Models:** ${models.available} available, ${models.loaded} loaded, ${models.cached} cached`,
    `- **Local service:** ${connectivity["Local service"]}`,
  );
  return 0;
}

export async function cacheLocation(call: Call, installation: Installation): Promise<number> {
  const path = (await installation.simulator()).modelCachePath;
  if (call.json) call.printJson({ path, userSet: false });
  else call.print(path);
  return 0;
}

export async function showConfig(call: Call, installation: Installation): Promise<number> {
  const { port } = installation;
  const path = (await installation.simulator()).modelCachePath;
  const rows = [
    { key: "port", value: port === null ? "auto" : String(port), userSet: port !== null },
    { key: "cache-directory", value: path, userSet: false },
  ];
  if (call.json) call.printJson(rows);
  else call.print(...rows.map(({ key, value }) => `${key.padEnd(16)} ${value}`));
  return 0;
}

export function setConfig(call: Call, installation: Installation): number {
  const [, , key, value = ""] = call.words;
  if (key !== "port") return refused(call, `Unknown configuration key '${key ?? ""}'.`);
  installation.port = value === "auto" ? null : Number(value) || null;
  call.print(`● port is ${value}. It takes effect when the server is restarted.`);
  return 0;
}

export function resetConfig(call: Call, installation: Installation): number {
  installation.port = null;
  call.print("● The configuration is reset.");
  return 0;
}

/** Prints an error in its known form, with ASSUMED words. @returns the exit code. */
export function refused(call: Call, why: string): number {
  call.complain(`● error: ${why}`);
  return 1;
}
