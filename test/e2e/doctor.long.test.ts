import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ALONE, C1, doctorOn, reportOn } from "./doctor.js";
import { Executable, MAIN } from "./executable.js";
import { FoundryMachine, INSTALLATIONS } from "./foundry-machine.js";
import { ANSWER, ENDLESS, PROMPT_ANSWER } from "./simulated.js";

// `doctor-report.long.test.ts` has what is the same on each system.

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
