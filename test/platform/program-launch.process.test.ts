import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { isPassingFault, launchFailure, launchOf } from "../../src/platform/program-launch.js";

const on = (platform: NodeJS.Platform, outlivesUs = false, mayBeLeft = false) => ({
  platform,
  node: "/usr/bin/node",
  outlivesUs,
  mayBeLeft,
});

describe("launchOf", () => {
  it.each(["linux", "darwin"] as const)("starts a file directly on %s", (platform) => {
    expect(launchOf("/usr/local/bin/foundry", ["--version"], on(platform))).toEqual({
      command: "/usr/local/bin/foundry",
      args: ["--version"],
      detached: false,
      isLauncher: false,
    });
  });

  it("starts an executable directly on Windows", () => {
    const file = "C:\\Users\\a b\\AppData\\Local\\Microsoft\\WindowsApps\\foundry.exe";
    expect(launchOf(file, ["--version"], on("win32"))).toEqual({
      command: file,
      args: ["--version"],
      detached: false,
      isLauncher: false,
    });
  });

  it.each([
    ["linux", "/tmp/foundry.mjs"],
    ["darwin", "/tmp/foundry.js"],
    ["win32", "C:\\tmp\\foundry.CJS"],
  ] as const)("runs JavaScript with the current Node on %s", (platform, file) => {
    expect(launchOf(file, ["a"], on(platform))).toMatchObject({
      command: "/usr/bin/node",
      args: [file, "a"],
    });
  });

  it.each(["foundry.cmd", "foundry.BAT", "foundry.ps1"])("never runs %s on Windows", (name) => {
    expect(launchOf(`C:\\tools\\${name}`, [], on("win32"))).toEqual({
      refused: "it is a script for a shell, and nothing is run through one",
    });
  });

  it.each([
    ["linux", "foundry"],
    ["linux", "./foundry"],
    ["darwin", "bin/foundry"],
    ["win32", "foundry.exe"],
    ["win32", ".\\foundry.exe"],
    ["win32", "C:foundry.exe"],
  ] as const)("on %s does not search for %s", (platform, file) => {
    expect(launchOf(file, [], on(platform))).toEqual({ refused: "its path is not absolute" });
  });

  it("gives a program that outlives this process its own session, except on Windows", () => {
    expect(launchOf("/bin/foundry", [], on("linux", true))).toMatchObject({ detached: true });
    expect(launchOf("/bin/foundry", [], on("darwin", true))).toMatchObject({ detached: true });
    expect(launchOf("C:\\foundry.exe", [], on("win32", true))).toMatchObject({ detached: false });
  });

  it("starts a detached Node in between on Windows where the program may outlive this process", () => {
    const launch = launchOf("C:\\foundry.exe", ["server", "start"], on("win32", true, true));
    expect(launch).toMatchObject({ command: "/usr/bin/node", detached: true, isLauncher: true });
    expect("args" in launch && launch.args.slice(2)).toEqual([
      "--",
      "C:\\foundry.exe",
      "server",
      "start",
    ]);
    expect(launchOf("/bin/foundry", [], on("linux", true, true))).toMatchObject({
      isLauncher: false,
    });
  });
});

describe("the Node in between", () => {
  const launched = async (file: string, ...args: readonly string[]) => {
    const launch = launchOf(file, args, { ...on("win32", true, true), node: process.execPath });
    if ("refused" in launch) throw new Error(launch.refused);
    const child = spawn(launch.command, [...launch.args], { stdio: ["ignore", "pipe", "inherit"] });
    const [stdout] = await Promise.all([text(child.stdout), once(child, "exit")]);
    return { stdout, code: child.exitCode, failure: launchFailure(child.exitCode) };
  };

  it.runIf(process.platform === "win32")("passes on arguments, output and exit code", async () => {
    const code = "console.log(process.argv[1]); process.exitCode = 7";
    expect(await launched(process.execPath, "-e", code, "--", 'a "b" c')).toEqual({
      stdout: 'a "b" c\n',
      code: 7,
      failure: null,
    });
  });

  // Node throws this fault, in place of an event. Other systems cut the exit code.
  it.runIf(process.platform !== "win32")("prints no stack trace where a start throws", async () => {
    const launch = launchOf("C:\\foundry.exe", [], {
      ...on("win32", true, true),
      node: process.execPath,
    });
    if ("refused" in launch) throw new Error(launch.refused);
    const args = [...launch.args.slice(0, -1), `${process.execPath}/no-folder`];
    const child = spawn(launch.command, args, { stdio: ["ignore", "ignore", "pipe"] });
    expect(await text(child.stderr)).toBe("");
  });

  it.runIf(process.platform === "win32")("reports that the program does not exist", async () => {
    expect(await launched("C:\\nowhere\\foundry.exe")).toMatchObject({ failure: "ENOENT" });
  });

  it.each(["ETXTBSY", "EBUSY", "EAGAIN", "EMFILE"])("%s is temporary", (code) => {
    expect(isPassingFault(code)).toBe(true);
  });

  it.each([null, "ENOENT", "EACCES", ""])("%s is permanent", (code) => {
    expect(isPassingFault(code)).toBe(false);
  });

  it("is not blamed for a program's own exit code", () => {
    for (const code of [null, 0, 1, 255, 3221225786]) expect(launchFailure(code)).toBeNull();
  });
});
