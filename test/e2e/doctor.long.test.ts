import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type DoctorReport, doctorReportSchema } from "../../src/commands/doctor/report.js";
import { Executable, MAIN, run, type Settings } from "./executable.js";
import { FoundryMachine, INSTALLATIONS, type MachineOptions } from "./foundry-machine.js";
import { ANSWER, ENDLESS, PROMPT_ANSWER, simulated } from "./simulated.js";

/** Do not start an SDK that may be installed beside the package. */
const ALONE: Settings = { FOUNDRY_EMBEDDED: "false" };

const C1: MachineOptions = { dialect: "C1", generation: "server" };
const NOTHING: MachineOptions = { dialect: "C1", generation: null, isRunning: false };

async function doctorOn(machine: FoundryMachine, set: Settings = {}, flags: string[] = []) {
  return run(["doctor", ...flags], machine.settings({ ...ALONE, ...set }));
}

/** What `--json` printed: one document and nothing besides. */
async function reportOn(machine: FoundryMachine, set: Settings = {}, flags: string[] = []) {
  const { code, stdout } = await doctorOn(machine, set, ["--json", ...flags]);
  const report: DoctorReport = doctorReportSchema.strict().parse(JSON.parse(stdout));
  expect(code).toBe(report.ok ? 0 : 1);
  return report;
}

/** How often a text contains another one. */
const timesIn = (text: string, part: string): number => text.split(part).length - 1;

test.for(INSTALLATIONS)("doctor finds $dialect and reports no problem", async (installed) => {
  const models = [{ id: PROMPT_ANSWER, script: { text: ANSWER } }];
  const machine = await FoundryMachine.start({ ...installed, simulator: { models } });

  const report = await reportOn(machine);

  expect(report).toMatchObject({
    format: 1,
    ok: true,
    status: "healthy",
    endpoint: machine.simulator.url,
    // On a busy machine the file of the service answers before the command line.
    found_by: expect.stringMatching(
      installed.generation === "service" ? /^service_status$/ : /^(?:server_status|daemon_file)$/,
    ),
    search_ms: expect.any(Number),
    dialect: installed.dialect,
    command_line: {
      generation: installed.generation,
      version: installed.generation === "service" ? "0.8.113" : "0.10.3",
    },
    models: { listed: 1, downloaded: 1, default: PROMPT_ANSWER },
    completion: { ok: true, model: PROMPT_ANSWER, text: ANSWER, error: null },
    problems: [],
  });
});

test("doctor reports the same to a person, in lines that grep can search", async () => {
  const machine = await FoundryMachine.start(C1);

  const { code, stdout, stderr } = await doctorOn(machine);

  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^ {2}Running at +http:\/\/127\.0\.0\.1:\d+$/m);
  // The file of the service is read at the same time, and on a busy machine the command line takes longer.
  expect(stdout).toMatch(
    /^ {2}Found by +(?:`foundry server status`|its own file, \.foundry\/daemon\.json), in \d.*s$/m,
  );
  expect(stdout).toMatch(/^ {2}Command line +0\.10\.3 at .*foundry/m);
  expect(stdout).toMatch(/^ {2}Listed +2 \(2 downloaded\)$/m);
  expect(stdout).toMatch(/^ {2}Answer +"Hello from a tiny model\."$/m);
  expect(stdout).toMatch(/\nIt works\.\n$/);
  // No colours, no status lines: this is not a terminal.
  expect(stdout).not.toContain("\u001b");
});

test("doctor waits for a command line that takes 5 s to answer, where the service was found without it", async () => {
  const machine = await FoundryMachine.start({
    dialect: "S",
    generation: "server",
    switches: { status: "says_stopped", delayMs: 5000 },
  });

  const report = await reportOn(machine, {}, ["--no-completion"]);

  expect(report).toMatchObject({
    endpoint: machine.simulator.url,
    command_line: { generation: "server", version: "0.10.3" },
    problems: [{ what: expect.stringContaining("is the service of an old Foundry Local") }],
  });
});

test("doctor starts a service that does not run, as the server would, and reports it", async () => {
  const machine = await FoundryMachine.start({ ...C1, isRunning: false });

  const { code, stdout } = await doctorOn(machine, {}, ["--no-completion"]);

  expect(code).toBe(0);
  expect(stdout).toContain("`foundry server status`: says that it is not running");
  expect(stdout).toMatch(/^ {2}Found by +starting it, in /m);
  expect(stdout).not.toContain("Test completion");
  expect(stdout).toMatch(/\nIt answers; no model was asked\.\n$/);
});

interface Trouble {
  readonly what: string;
  readonly machine: MachineOptions;
  readonly set?: Settings;
  /** The text of the only problem, and what to do. */
  readonly says: string;
  readonly fix: string;
  /** Default 1. */
  readonly code?: number;
}

const MODELS_MISSING = [{ id: PROMPT_ANSWER, downloaded: false }];

const TROUBLES: readonly Trouble[] = [
  {
    what: "nothing is installed",
    machine: NOTHING,
    says: "No Foundry Local was found, and its command line is not installed.",
    fix: "FOUNDRY_ENDPOINT",
  },
  {
    what: "the service does not run and may not be started",
    machine: { ...C1, isRunning: false },
    set: { FOUNDRY_AUTOSTART: "false" },
    says: "Foundry Local is installed, but not running.",
    fix: "`foundry server start`",
  },
  {
    what: "the listener is dead and the service may not be restarted",
    machine: { ...C1, isRunning: false, switches: { status: "dead_listener" } },
    set: { FOUNDRY_AUTOSTART: "false" },
    says: "Foundry Local says that it runs, but nothing listens where it says.",
    fix: "`foundry server restart`",
  },
  {
    what: "the service cannot be started (#146)",
    machine: { ...C1, isRunning: false, switches: { start: "port_in_use" } },
    says: "Foundry Local could not be started.",
    fix: "Inference.Service.Agent",
  },
  {
    what: "the command line cannot reach its service (#286, #405)",
    machine: { ...C1, isRunning: false, switches: { status: "broken_ipc" } },
    says: "Foundry Local's command line does not say whether it runs.",
    fix: "restart Foundry Local",
  },
  {
    what: "the catalog is empty",
    machine: { ...C1, simulator: { models: [] } },
    says: "The service lists no models.",
    fix: "`foundry model download phi-4-mini`",
  },
  {
    what: "no model is downloaded",
    machine: { dialect: "C2", generation: "server", simulator: { models: MODELS_MISSING } },
    says: "No model is downloaded.",
    fix: "main.js download tiny`",
  },
  {
    what: "the configured default model does not exist",
    machine: C1,
    set: { FOUNDRY_MODEL: "nonsense" },
    says: 'The default model that is set, "nonsense", is not among the service\'s models.',
    fix: "FOUNDRY_MODEL",
  },
  {
    what: "an old agent answers beside a new command line (#146)",
    machine: { dialect: "S", generation: "server", switches: { status: "says_stopped" } },
    says: "is the service of an old Foundry Local",
    fix: "Inference.Service.Agent",
    code: 0,
  },
  {
    what: "FOUNDRY_ENDPOINT is stale (#884, #933)",
    machine: C1,
    set: { FOUNDRY_ENDPOINT: "http://127.0.0.1:9", FOUNDRY_RETRIES: "0" },
    says: "Nothing listens at http://127.0.0.1:9.",
    fix: "Take FOUNDRY_ENDPOINT out of the settings",
  },
];

test.for(TROUBLES)("doctor reports once that $what, and what to do", async (trouble) => {
  const machine = await FoundryMachine.start(trouble.machine);

  const { code, stdout, stderr } = await doctorOn(machine, trouble.set);

  expect({ code, stderr }).toEqual({ code: trouble.code ?? 1, stderr: "" });
  expect(timesIn(stdout, trouble.says)).toBe(1);
  expect(timesIn(stdout, "  => ")).toBe(1);
  expect(stdout.split("  => ")[1]).toContain(trouble.fix);
  expect(stdout).toContain("\nA problem\n");
  // The attempts are in a list above, and not repeated in the problem.
  expect(stdout).not.toContain("Tried:");
});

test("doctor reports the address that FOUNDRY_ENDPOINT should have", async () => {
  const machine = await FoundryMachine.start(C1);

  const { problems } = await reportOn(machine, {
    FOUNDRY_ENDPOINT: "http://127.0.0.1:9",
    FOUNDRY_RETRIES: "0",
  });

  expect(problems).toEqual([
    { what: expect.stringContaining(machine.simulator.url), fix: expect.any(String) },
  ]);
});

test("doctor reports that a completion failed, and why", async () => {
  const models = [{ id: "sick:1", loaded: true, script: { text: "a b c", failAfterTokens: 1 } }];
  const machine = await FoundryMachine.start({ ...C1, simulator: { models } });

  const report = await reportOn(machine);

  expect(report).toMatchObject({
    ok: false,
    status: "healthy",
    completion: { ok: false, error: { code: expect.any(String) } },
  });
  expect(report.problems).toEqual([
    { what: report.completion?.error?.what, fix: report.completion?.error?.fix },
  ]);
});

test("doctor reports as unknown what another engine does not report", async () => {
  const engine = await simulated({ dialect: "openai" });
  const machine = await FoundryMachine.start(NOTHING);

  const report = await reportOn(machine, { FOUNDRY_ENDPOINT: engine.url });

  expect(report).toMatchObject({
    ok: true,
    found_by: "set",
    search_ms: null,
    tried: [],
    dialect: "openai",
    pid: null,
    memory: null,
    models: { downloaded: null, loaded: null },
    completion: { ok: true },
  });
});

test("doctor names the setting that a misspelled variable probably means", async () => {
  const machine = await FoundryMachine.start(C1);

  const { stdout } = await doctorOn(machine, { FOUNDRY_MODLE: "phi-4-mini" }, ["--no-completion"]);

  expect(stdout).toContain("FOUNDRY_MODLE is set, but there is no such setting.");
  expect(stdout).toContain("=> Did you mean FOUNDRY_MODEL?");
});

test("doctor reports the settings in force with their source, and hides secrets", async () => {
  const machine = await FoundryMachine.start(C1);
  const set = {
    FOUNDRY_API_KEY: "sk-hush",
    FOUNDRY_HEADERS: '{"X-Team":"hush"}',
    FOUNDRY_RETRIES: "1",
  };

  const { stdout } = await doctorOn(machine, set, ["--no-completion", "--timeout", "7"]);
  const { settings } = await reportOn(machine, set, ["--no-completion", "--timeout", "7"]);

  expect(stdout).not.toContain("hush");
  expect(stdout).toMatch(/^ {2}FOUNDRY_TIMEOUT +7 \(flag\)$/m);
  expect(stdout).toMatch(/^ {2}FOUNDRY_RETRIES +1 \(environment\)$/m);
  expect(stdout).toMatch(/^ {2}FOUNDRY_API_KEY +\(hidden\) \(environment\)$/m);
  expect(stdout).toMatch(/^ {2}Default: .*FOUNDRY_MODEL phi-4-mini/m);
  expect(JSON.stringify(settings)).not.toContain("hush");
  expect(settings).toContainEqual({ name: "FOUNDRY_TIMEOUT", value: "7", source: "flag" });
});

test("doctor never reports as found what was not found", async () => {
  const machine = await FoundryMachine.start(NOTHING);

  const { stdout } = await doctorOn(machine);

  expect(stdout).toMatch(/^ {2}Service +not found, in /m);
  expect(stdout).toMatch(/^ {2}Default: FOUNDRY_ENDPOINT searched for,/m);
  expect(stdout).not.toMatch(/^ {2}Found|none found|FOUNDRY_\w+ found/m);
});

test("doctor gives advice for a terminal, not for an agent", async () => {
  const models = [{ id: PROMPT_ANSWER, downloaded: false }];
  const machine = await FoundryMachine.start({ ...C1, dialect: "C2", simulator: { models } });

  const { stdout } = await doctorOn(machine, { FOUNDRY_MODEL: "nonsense" });

  expect(stdout).not.toMatch(/\b(?:load_model|list_models|health_check|complete)\b|ask the user/);
});

test("doctor --fix repairs only host entries that start a missing file", async () => {
  const machine = await FoundryMachine.start(C1);
  const file = join(machine.home, ".cursor", "mcp.json");
  const args = [join(machine.home, "foundry-local-mcp", "dist", "main.js"), "--model", "tiny"];
  // An entry of another program, which may be missing for its own reasons.
  const other = { command: process.execPath, args: [join(machine.home, "dist", "main.js")] };
  const before = { mcpServers: { other, local: { command: process.execPath, args } } };
  await mkdir(join(machine.home, ".cursor"));
  await writeFile(file, JSON.stringify(before));

  const found = await doctorOn(machine, {}, ["--no-completion"]);
  const fixed = await doctorOn(machine, {}, ["--no-completion", "--fix"]);
  const again = await doctorOn(machine, {}, ["--no-completion", "--fix"]);

  expect(found.stdout).toContain("The entry in Cursor starts a file that does not exist");
  expect(found.stdout).toContain("main.js doctor --fix`");
  expect(fixed.stderr).toContain("Fixed the entry in Cursor.");
  expect(fixed.stdout).toMatch(/^ {2}Cursor +starts this server$/m);
  expect(again.stderr).toContain("Nothing to fix");
  const local = { command: process.execPath, args: [MAIN, "--model", "tiny"] };
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual({
    mcpServers: { other, local },
  });
});

test("doctor says which hosts have the server switched off", async () => {
  const machine = await FoundryMachine.start(C1);
  const own = { command: process.execPath, args: [MAIN] };
  const entries = {
    ".codeium/windsurf/mcp_config.json": { ...own, disabled: true },
    ".cursor/mcp.json": own,
  };
  for (const [name, entry] of Object.entries(entries)) {
    const file = join(machine.home, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, JSON.stringify({ mcpServers: { "foundry-local": entry } }));
  }

  const { stdout } = await doctorOn(machine, {}, ["--no-completion"]);

  expect(stdout).toMatch(/^ {2}Windsurf +has this server switched off in its settings$/m);
  expect(stdout).toMatch(/^ {2}Cursor +starts this server$/m);
});

test("doctor --fix reports a file that it cannot change, and leaves it unchanged", async () => {
  const machine = await FoundryMachine.start(C1);
  const file = join(machine.home, ".codex", "config.toml");
  const gone = join(machine.home, "foundry-local-mcp", "dist", "main.js");
  const command = JSON.stringify(process.execPath);
  const entry = `{ command = ${command}, args = [${JSON.stringify(gone)}] }`;
  const before = `[mcp_servers]\nfoundry-local = ${entry}\n`;
  await mkdir(join(machine.home, ".codex"));
  await writeFile(file, before);

  const { stderr } = await doctorOn(machine, {}, ["--no-completion", "--fix"]);

  expect(stderr).toContain("was not fixed: its file was left as it is");
  expect(stderr).not.toContain("Fixed the entry");
  expect(await readFile(file, "utf8")).toBe(before);
});

test("doctor refuses an invalid setting with exit code 2, and prints no report", async () => {
  const { code, stdout, stderr } = await run(["doctor", "--json"], { FOUNDRY_RETRIES: "many" });

  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("FOUNDRY_RETRIES");
});

test("doctor refuses an unknown flag, and names the one that was probably meant", async () => {
  const { code, stdout, stderr } = await run(["doctor", "--jsno"]);

  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("--jsno");
  expect(stderr).toContain("Did you mean --json?");
});

test("doctor --help explains the command and its exit codes", async () => {
  const { code, stdout } = await run(["doctor", "--help"]);

  expect(code).toBe(0);
  for (const word of ["--json", "--no-completion", "Exit code 0", "FOUNDRY_AUTOSTART"]) {
    expect(stdout).toContain(word);
  }
});

test("doctor ends at once when interrupted, without half a report", async () => {
  const machine = await FoundryMachine.start({
    ...C1,
    simulator: { models: [{ id: ENDLESS }], loadMs: 600_000 },
  });
  const doctor = new Executable(["doctor", "--json"], machine.settings(ALONE));
  onTestFinished(() => doctor.destroy());
  await machine.simulator.waitFor(
    ({ requests }) => requests.some(({ path }) => path.startsWith("/models/load/")),
    60_000,
  );

  doctor.signal("SIGINT");
  const { code } = await doctor.ended;

  expect(doctor.stdout).toBe("");
  // Windows has no signals: the process is terminated.
  if (process.platform !== "win32") {
    expect({ code, stderr: doctor.stderr }).toEqual({ code: 130, stderr: "" });
  }
});
