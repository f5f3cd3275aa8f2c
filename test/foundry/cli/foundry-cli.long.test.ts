import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type FoundryCli, findFoundryCli } from "../../../src/foundry/cli/index.js";
import { thisMachine } from "../../../src/platform/machine.js";
import { isProcessAlive } from "../../../src/platform/processes.js";
import { ProgramFolder } from "../../platform/program-folder.js";

let programs: ProgramFolder;
beforeEach(async () => {
  programs = await ProgramFolder.make();
});
afterEach(async () => {
  for (const pid of await hanging()) if (isProcessAlive(pid)) process.kill(pid, "SIGKILL");
  await programs.remove();
});

/** The ids of the processes that a command has left running. */
async function hanging(): Promise<number[]> {
  const ids = await readFile(join(programs.path, "hanging"), "utf8").catch(() => "");
  return ids.split("\n").filter(Boolean).map(Number);
}

const asked = () => join(programs.path, "asked");

/** A command line whose answers are pieces of JavaScript; it records its arguments. */
async function cliThat(answers: Readonly<Record<string, string>>): Promise<FoundryCli> {
  const file = await programs.script(
    "foundry",
    `import { appendFileSync } from "node:fs";
     import { spawn } from "node:child_process";
     const asked = process.argv.slice(2).join(" ");
     appendFileSync(${JSON.stringify(asked())}, asked + "\\n");
     const answers = {
       ${Object.entries(answers)
         .map(([words, code]) => `${JSON.stringify(words)}: () => { ${code} },`)
         .join("\n")}
     };
     const otherwise = () => {
       console.error("● error: Unrecognized command or argument '" + process.argv[2] + "'.");
       process.exitCode = 2;
     };
     (answers[asked] ?? otherwise)();`,
  );
  const cli = await findFoundryCli(thisMachine(), file);
  if (cli === null) throw new Error("a path that is set is always taken");
  return cli;
}

async function questions(): Promise<string[]> {
  return (await readFile(asked(), "utf8")).trim().split("\n");
}

const say = (text: string) => `console.log(${JSON.stringify(text)});`;
const NEW_STATUS = "server status -o json";
const NEW_START = "server start -o json";
const READY = '{"running":true,"state":"ready","pid":23948,"webUrls":["http://127.0.0.1:48077"]}';
const OLD_READY = "🟢 Model management service is running on http://127.0.0.1:54657/openai/status";
/**
 * Commands that start something are not ended by the client, so the test collects process ids to end. One that
 * started too late for that ends by itself.
 */
const HANG = `appendFileSync(new URL("hanging", import.meta.url), process.pid + "\\n"); setTimeout(() => {}, 180_000);`;

describe("a request for the state", () => {
  it("tries the newer commands first, and remembers the generation", async () => {
    const cli = await cliThat({ [NEW_STATUS]: say(READY) });
    expect(cli.generation).toBeNull();
    expect(cli.command("status")).toBe("foundry server status");

    const report = await cli.status();

    expect(report).toEqual({ kind: "running", urls: ["http://127.0.0.1:48077"] });
    expect(cli.generation).toBe("server");
    expect(await questions()).toEqual([NEW_STATUS]);
  });

  it("uses the older commands where the newer are unknown, and only these afterwards", async () => {
    const cli = await cliThat({ "service status": say(OLD_READY) });

    const reports = [await cli.status(), await cli.status()];

    const running = { kind: "running", urls: ["http://127.0.0.1:54657"] };
    expect(reports).toEqual([running, running]);
    expect(cli.generation).toBe("service");
    expect([cli.command("status"), cli.command("start")]).toEqual([
      "foundry service status",
      "foundry service start",
    ]);
    expect(await questions()).toEqual([NEW_STATUS, "service status", "service status"]);
  });

  it("detects that the command line was replaced by a newer one", async () => {
    const old = await cliThat({ "service status": say(OLD_READY) });
    await old.status();
    await cliThat({ [NEW_STATUS]: say('{"running":false,"state":"not_running"}') });

    expect(await old.status()).toEqual({ kind: "stopped", urls: [] });
    expect(old.generation).toBe("server");
  });

  it("detects a newer command line also by a refusal in an unknown language", async () => {
    const refuse = `console.error("Unbekannter Befehl oder unbekanntes Argument „service“."); process.exitCode = 1;`;
    const old = await cliThat({ "service status": say(OLD_READY) });
    await old.status();
    await cliThat({ [NEW_STATUS]: say(READY), "service status": refuse });

    expect(await old.status()).toMatchObject({ urls: ["http://127.0.0.1:48077"] });
    expect(old.generation).toBe("server");
  });

  it("reports why the status failed where no other command line replaced it", async () => {
    const cli = await cliThat({ [NEW_STATUS]: say(READY) });
    await cli.status();
    await cliThat({ [NEW_STATUS]: `console.error("error: no pipe"); process.exitCode = 1;` });

    const what = 'ended with exit code 1 and said "no pipe"';
    expect(await cli.status()).toEqual({ kind: "failed", what });
    expect(cli.generation).toBe("server");
  });

  it("falls back to text where the JSON option is unknown", async () => {
    const cli = await cliThat({
      [NEW_STATUS]: `console.error("Unrecognized command or argument '-o'."); process.exitCode = 1;`,
      "server status": say("State    Ready\nPID      29056\nWeb URLs http://127.0.0.1:52364"),
    });
    expect(await cli.status()).toEqual({
      kind: "running",
      urls: ["http://127.0.0.1:52364"],
    });
  });

  it("recognises a refusal in an unknown language", async () => {
    const cli = await cliThat({
      [NEW_STATUS]: `console.error("Unbekannter Befehl: „server“."); process.exitCode = 1;`,
      "service status": say("🔴 Model management service is not running!"),
    });
    expect(await cli.status()).toEqual({ kind: "stopped", urls: [] });
    expect(cli.generation).toBe("service");
  });

  it("recognises a page of help as a refusal", async () => {
    const cli = await cliThat({
      [NEW_STATUS]: say("Usage:\n  foundry [command] [options]\n"),
      "service status": say(OLD_READY),
    });
    expect(await cli.status()).toMatchObject({ urls: ["http://127.0.0.1:54657"] });
    expect(cli.generation).toBe("service");
  });

  it("learns the generation from the unknown command, although the other one gives no answer", async () => {
    const cli = await cliThat({ "service status": "process.exitCode = 3;" });
    expect(await cli.status()).toEqual({ kind: "failed", what: "ended with exit code 3" });
    expect(cli.command("status")).toBe("foundry service status");
  });

  it("trusts the output more than the exit code", async () => {
    const cli = await cliThat({ [NEW_STATUS]: `${say(READY)} process.exitCode = 1;` });
    expect(await cli.status()).toMatchObject({ kind: "running" });
  });

  it("uses the answer of a command that does not end", async () => {
    const cli = await cliThat({ [NEW_STATUS]: `${say(READY)} ${HANG}` });
    expect(await cli.status({ timeoutMs: 6000 })).toMatchObject({ kind: "running" });
  });
});

describe("a command that gives no answer", () => {
  const failed = (what: string) => ({ kind: "failed", what });

  it("reports that it took too long", async () => {
    const cli = await cliThat({ [NEW_STATUS]: HANG });
    expect(await cli.status({ timeoutMs: 500 })).toEqual(failed("did not answer within 0.5 s"));
  });

  it("reports that it failed", async () => {
    const cli = await cliThat({ [NEW_STATUS]: "process.exitCode = 134;" });
    expect(await cli.status()).toEqual(failed("ended with exit code 134"));
  });

  it.skipIf(process.platform === "win32")("reports that it crashed", async () => {
    const cli = await cliThat({
      [NEW_STATUS]: `process.kill(process.pid, "SIGABRT"); ${HANG}`,
    });
    expect(await cli.status()).toEqual(failed("was ended by SIGABRT"));
  });

  it("reports an unexpected answer", async () => {
    const cli = await cliThat({ [NEW_STATUS]: say("Welcome to Foundry Local") });
    expect(await cli.status()).toEqual(failed("answered nothing that says where the service is"));
  });

  it("reports that it cannot reach its own service, without trying the other commands", async () => {
    const cli = await cliThat({
      "service status": `console.error("Exception: Request to local service failed. Uri:http://127.0.0.1:0/foundry/list"); process.exitCode = 1;`,
    });
    expect(await cli.status()).toEqual(failed("says that it cannot reach its own service"));
    expect(cli.generation).toBe("service");
  });

  it("reports another program of the same name", async () => {
    const cli = await cliThat({});
    expect(await cli.status()).toEqual(failed("is unknown to the program of that name"));
    expect(cli.generation).toBeNull();
  });

  it("reports that it cannot be started", async () => {
    const cli = await findFoundryCli(thisMachine(), join(programs.path, "missing"));
    expect(await cli?.status()).toEqual({
      ...failed("could not be started: there is no such file"),
      isStartable: false,
    });
    expect(await cli?.version()).toBeNull();
  });

  it("is ended when the caller aborts", async () => {
    const cli = await cliThat({ [NEW_STATUS]: HANG, [NEW_START]: HANG, "--version": HANG });
    const ways = [
      (signal: AbortSignal) => cli.status({ signal }),
      (signal: AbortSignal) => cli.start({ signal }),
      (signal: AbortSignal) => cli.version({ signal }),
    ];
    for (const ask of ways) {
      const abort = new AbortController();
      setTimeout(() => abort.abort(), 100);
      await expect(ask(abort.signal)).rejects.toMatchObject({ code: "CANCELLED" });
    }
  });
});

describe("a start of the service", () => {
  it("uses no options that would unload models", async () => {
    const cli = await cliThat({
      [NEW_START]: say('{"running":true,"webUrls":["http://127.0.0.1:48077"],"port":48077}'),
    });
    expect(await cli.start()).toEqual({
      kind: "running",
      urls: ["http://127.0.0.1:48077"],
    });
    expect(cli.generation).toBe("server");
    expect(await questions()).toEqual([NEW_START]);
  });

  it("also uses the older commands", async () => {
    const cli = await cliThat({
      "service start": say("🟢 Service is Started on http://127.0.0.1:64646/, PID 17000!"),
    });
    expect(await cli.start()).toMatchObject({ kind: "running", urls: ["http://127.0.0.1:64646"] });
    expect(cli.command("start")).toBe("foundry service start");
    expect(await questions()).toEqual([NEW_START, "service start"]);
  });

  it("ends although the service holds the command's pipes open", async () => {
    const cli = await cliThat({
      [NEW_START]: `
        const service = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"], { detached: true, stdio: ["ignore", "inherit", "inherit"] });
        service.unref();
        appendFileSync(new URL("hanging", import.meta.url), service.pid + "\\n");
        console.log(JSON.stringify({ running: true, urls: ["http://127.0.0.1:48077"] }));`,
    });
    await cli.start();
    expect((await hanging()).map(isProcessAlive)).toEqual([true]);
  });

  it("ends once the address is printed, without ending a command that continues", async () => {
    const cli = await cliThat({
      "service start": `console.log("🟢 Service is Started on http://127.0.0.1:64646/, PID " + process.pid + "!"); ${HANG}`,
    });
    expect(await cli.start()).toEqual({ kind: "running", urls: ["http://127.0.0.1:64646"] });
    await vi.waitFor(async () => {
      expect((await hanging()).map(isProcessAlive)).toEqual([true]);
    }, 10_000);
  });

  it("reports why it failed, with the output of the generation that knows the command", async () => {
    const cli = await cliThat({
      [NEW_START]: `console.error("Failed to bind to address http://127.0.0.1:5273: address already in use."); process.exitCode = 1;`,
    });
    expect(await cli.start()).toEqual({
      kind: "failed",
      what: 'ended with exit code 1 and said "Failed to bind to address http://127.0.0.1:5273: address already in use"',
    });
  });

  it("succeeds without an address where the command ends with success", async () => {
    const cli = await cliThat({ [NEW_START]: say("Serveur démarré.") });
    expect(await cli.start()).toEqual({ kind: "running", urls: [] });
  });

  it("reports the command's message without paths", async () => {
    const cli = await cliThat({
      [NEW_START]: `console.error("● error: Could not read /home/ada/.foundry/config.json."); process.exitCode = 1;`,
    });
    expect(await cli.start()).toEqual({
      kind: "failed",
      what: 'ended with exit code 1 and said "Could not read config.json"',
    });
  });

  it.each(["start", "restart"] as const)("continues a %s whose caller aborts", async (verb) => {
    const cli = await cliThat({ [`server ${verb} -o json`]: HANG });
    const leaving = new AbortController();
    const report = cli[verb]({ signal: leaving.signal });
    const hanging = join(programs.path, "hanging");
    await vi.waitFor(() => readFile(hanging, "utf8"), { timeout: 10_000 });

    leaving.abort();

    await expect(report).rejects.toMatchObject({ code: "CANCELLED" });
    expect(isProcessAlive(Number(await readFile(hanging, "utf8")))).toBe(true);
  });
});

describe("a restart of the service", () => {
  it("uses the command of its generation", async () => {
    const cli = await cliThat({
      "service restart": say(
        "🔴 Service is stopped.\n🟢 Service is Started on http://127.0.0.1:64646/, PID 17!",
      ),
    });
    expect(await cli.restart()).toMatchObject({ urls: ["http://127.0.0.1:64646"] });
    expect(cli.command("restart")).toBe("foundry service restart");
  });
});

describe("other commands", () => {
  it("print the version", async () => {
    const cli = await cliThat({ "--version": say("0.8.113+70167233c5") });
    expect(await cli.version()).toBe("0.8.113");
  });

  it("give no version when they fail", async () => {
    const cli = await cliThat({
      "--version": `${say("You must install .NET 9.0.1 to run this.")} process.exitCode = 150;`,
    });
    expect(await cli.version()).toBeNull();
  });

  it("pass on their output while they run, and accept any arguments", async () => {
    const cli = await cliThat({ "model download a b": say("Downloading 100%") });
    const heard: string[] = [];
    const run = await cli.run(["model", "download", "a b"], {
      timeoutMs: 20_000,
      onOutput: (text) => heard.push(text),
    });
    expect(run).toEqual({
      end: { kind: "exited", code: 0, signal: null },
      stdout: "Downloading 100%\n",
      stderr: "",
    });
    expect(heard.join("")).toBe("Downloading 100%\n");
  });

  it("never start the service or download something by themselves", async () => {
    const cli = await cliThat({});
    await cli.status();
    await cli.version();
    expect(await questions()).toEqual([NEW_STATUS, "service status", "--version"]);
  });
});

describe.skipIf(process.platform === "win32")("the command line of a machine", () => {
  const machine = () => ({
    ...thisMachine(),
    home: programs.path,
    environment: { PATH: `.:${programs.path}`, OF_A_TEST: "yes" },
  });

  it("is found in PATH, and gets that machine's variables", async () => {
    const file = await programs.executable(
      "foundry",
      `console.log("9.9.9-" + process.env.OF_A_TEST)`,
    );
    const cli = await findFoundryCli(machine());
    expect(cli?.path).toBe(file);
    expect(await cli?.version()).toBe("9.9.9-yes");
  });

  it("is searched for again each time", async () => {
    const file = await programs.executable("foundry", "");
    await findFoundryCli(machine());
    await rm(file);
    // This machine may have its own command line in a folder that is always searched.
    expect((await findFoundryCli(machine()))?.path).not.toBe(file);
  });

  it("is the one that is set, whatever PATH contains", async () => {
    await programs.executable("foundry", "");
    const other = await programs.executable("other", "");
    expect((await findFoundryCli(machine(), other))?.path).toBe(other);
    expect((await findFoundryCli(machine(), "~/other"))?.path).toBe(other);
    expect((await findFoundryCli(machine(), "other"))?.path).toBe(other);
    expect(await findFoundryCli(machine(), "nowhere-to-be-found")).toBeNull();
  });
});
