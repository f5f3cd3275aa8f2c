import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startFoundryCli } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { windowsProgram } from "../../src/platform/paths.js";
import { runProgram } from "../../src/platform/run-program.js";
import { environmentWith, MAIN, type Settings } from "../e2e/executable.js";
import { simulated } from "../e2e/simulated.js";
import { temporaryFolder } from "../temporary-folder.js";
import { Server } from "./server.js";

/** Compiled from the C beside them by scripts/test-windows.sh. */
const PLANT = fileURLToPath(new URL("plant.exe", import.meta.url));
const LAUNCHER = fileURLToPath(new URL("foundry-launcher.exe", import.meta.url));
const canRun = process.platform === "win32" && existsSync(PLANT) && existsSync(LAUNCHER);

const SYSTEM = windowsProgram("", process.env);

async function folder(): Promise<string> {
  const path = await temporaryFolder("windows ü ");
  return path;
}

describe.runIf(canRun)("programs in the working directory of the server", () => {
  const NAMES = ["wmic", "powershell", "tasklist", "netstat", "cmd", "node", "foundry"];

  async function planted(): Promise<string> {
    const path = await folder();
    for (const name of NAMES) await copyFile(PLANT, join(path, `${name}.exe`));
    return path;
  }
  const wasRun = async (path: string): Promise<string[]> =>
    (await readdir(path)).filter((name) => name.endsWith(".was-run"));

  it("are detected by this test when they are run", async () => {
    const path = await planted();
    await runProgram(join(path, "wmic.exe"), [], { timeoutMs: 20_000 });
    expect(await wasRun(path)).toEqual(["wmic.exe.was-run"]);
  });

  it("are not run for memory and age of a service's process", async () => {
    const path = await planted();
    // The process is inspected only where its models are on this machine.
    const { url } = await simulated({ modelCachePath: await folder() });
    const server = await Server.start({ settings: { FOUNDRY_ENDPOINT: url }, folder: path });
    expect(await server.call("health_check")).toMatchObject({
      structuredContent: { status: "healthy", pid: process.pid, memory: expect.anything() },
    });
    expect(await server.end()).toBe(0);
    expect(await wasRun(path)).toEqual([]);
  });

  it("are not run to find a service, although PATH contains that folder as a relative path", async () => {
    const path = await planted();
    const home = await folder();
    const settings = { PATH: `.;${SYSTEM}`, USERPROFILE: home, LOCALAPPDATA: join(home, "none") };
    const server = await Server.start({ settings, folder: path });
    await server.call("list_models");
    expect(await server.end()).toBe(0);
    expect(await wasRun(path)).toEqual([]);
  });
});

describe.runIf(canRun)("a real foundry.exe", () => {
  interface Place {
    /** Below the home. */
    readonly folder: string;
    readonly settings: (installed: string, home: string) => Settings;
  }
  const APPS = "AppData\\Local\\Microsoft\\WindowsApps";
  const PLACES: readonly (readonly [string, Place])[] = [
    ["on PATH", { folder: "tools", settings: (at) => ({ PATH: `${SYSTEM};${at}` }) }],
    [
      "in a quoted entry of PATH",
      { folder: "tools; ü", settings: (at) => ({ PATH: `${SYSTEM};"${at}"` }) },
    ],
    [
      "among the aliases of packages",
      { folder: APPS, settings: (_, home) => ({ LOCALAPPDATA: join(home, "AppData", "Local") }) },
    ],
    ["there without LOCALAPPDATA", { folder: APPS, settings: () => ({ LOCALAPPDATA: "" }) }],
    [
      "where winget makes links",
      {
        folder: "L\\Microsoft\\WinGet\\Links",
        settings: (_, home) => ({ LOCALAPPDATA: join(home, "L") }),
      },
    ],
    [
      "as the Explorer copies its path",
      { folder: "a b", settings: (at) => ({ FOUNDRY_CLI: `"${join(at, "foundry.exe")}"` }) },
    ],
    [
      "below a variable",
      { folder: "x", settings: () => ({ FOUNDRY_CLI: "%USERPROFILE%\\x\\foundry.exe" }) },
    ],
  ];

  it.each(PLACES)("is found %s", async (_where, { folder: below, settings }) => {
    const home = await folder();
    const service = await simulated({ dialect: "C1" });
    const cli = await startFoundryCli({ generation: "server", service });
    onTestFinished(() => cli.close());
    const installed = join(home, below);
    await mkdir(installed, { recursive: true });
    await copyFile(LAUNCHER, join(installed, "foundry.exe"));
    await copyFile(cli.script, join(installed, "foundry.mjs"));
    await writeFile(join(installed, "foundry.node"), process.execPath);

    const { LOCALAPPDATA: _, ...base } = environmentWith({
      PATH: SYSTEM,
      USERPROFILE: home,
      FOUNDRY_AUTOSTART: "false",
      FOUNDRY_EMBEDDED: "false",
    });
    const { LOCALAPPDATA = "", ...given } = settings(installed, home);
    const environment = { ...base, ...given, ...(LOCALAPPDATA === "" ? {} : { LOCALAPPDATA }) };
    const args = [MAIN, "doctor", "--json", "--no-completion"];
    const run = await runProgram(process.execPath, args, { timeoutMs: 60_000, environment });

    expect(JSON.parse(run.stdout)).toMatchObject({
      ok: true,
      endpoint: service.url,
      command_line: { path: join(installed, "foundry.exe"), generation: "server" },
    });
  });
});
