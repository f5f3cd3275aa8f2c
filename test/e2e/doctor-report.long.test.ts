import { expect, test } from "vitest";
import { C1, doctorOn, reportOn } from "./doctor.js";
import { run, type Settings } from "./executable.js";
import { FoundryMachine, type MachineOptions } from "./foundry-machine.js";
import { PROMPT_ANSWER, simulated } from "./simulated.js";

const NOTHING: MachineOptions = { dialect: "C1", generation: null, isRunning: false };

/** How often a text contains another one. */
const timesIn = (text: string, part: string): number => text.split(part).length - 1;

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
