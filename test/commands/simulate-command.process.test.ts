import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { contentOf, get, jsonOf, post } from "../../packages/simulator/test/ask.js";
import { allowedPort, cliUse, simulate } from "../../src/commands/simulate.js";
import { temporaryFolder } from "../temporary-folder.js";

function collected() {
  const written = { stdout: "", stderr: "" };
  const write = (name: "stdout" | "stderr") => ({
    write: (text: string) => {
      written[name] += text;
    },
  });
  return { written, output: { stdout: write("stdout"), stderr: write("stderr") } };
}

async function firstLine(written: { readonly stdout: string }): Promise<string> {
  while (!written.stdout.includes("\n")) await new Promise((resolve) => setImmediate(resolve));
  return written.stdout.split("\n")[0] ?? "";
}

describe("how the simulated command line is used", () => {
  const cli = { directory: "C:\\a b", script: "C:\\a b\\foundry.mjs" };

  it("is shown with the syntax of cmd and PowerShell on Windows", () => {
    const words = cliUse("win32", cli);
    expect(words).toContain('set "FOUNDRY_CLI=C:\\a b\\foundry.mjs"');
    expect(words).toContain('$env:FOUNDRY_CLI = "C:\\a b\\foundry.mjs"');
    expect(words).not.toContain("PATH=");
  });

  it.each(["linux", "darwin"] as const)("is shown with the syntax of a shell on %s", (platform) => {
    expect(cliUse(platform, { directory: "/tmp/a", script: "/tmp/a/foundry.mjs" })).toBe(
      'Its command line is used with PATH="/tmp/a:$PATH" or FOUNDRY_CLI="/tmp/a/foundry.mjs".',
    );
  });
});

describe("an unavailable port", () => {
  const failed = (code: string) => Object.assign(new Error(code), { code });

  it.each([
    ["EADDRINUSE", "linux", "a port that is free"],
    ["EADDRINUSE", "win32", "a port that is free"],
    ["EACCES", "win32", expect.stringContaining("excludedportrange")],
    ["EACCES", "linux", expect.stringContaining("1024")],
    ["EMFILE", "linux", null],
  ] as const)("%s on %s is %s", (code, platform, allowed) => {
    expect(allowedPort(failed(code), platform)).toEqual(allowed);
  });
});

describe("foundry-local-mcp simulate", () => {
  it("prints its URL first, serves with the given faults, and ends at SIGTERM", async () => {
    const { written, output } = collected();
    const faults = ["--fault", "status,status=503,times=1"];
    const ended = simulate(["--version", "2.0.1", "--load-ms", "0", ...faults], output);
    const url = await firstLine(written);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(written.stderr).toContain("simulated");
    expect((await get(url, "/status")).status).toBe(503);
    expect((await get(url, "/status")).status).toBe(200);
    expect((await get(url, "/catalogs/local/v1/models")).status).toBe(404);
    process.emit("SIGTERM", "SIGTERM");
    expect(await ended).toBe(0);
    expect((await get(url, "/status")).connection).toBe("ECONNREFUSED");
  });

  const lines: ["S" | "C1" | "C2", string[], string][] = [
    ["S", ["service", "status"], "🟢 Model management service is running on HERE/openai/status\n"],
    ["C1", ["server", "status"], "Web URLs HERE\n"],
    ["C2", ["server", "status"], "Web URLs HERE\n"],
  ];

  it.each(lines)(
    "creates the command line of %s in a directory, and removes it",
    async (...row) => {
      const [dialect, args, expected] = row;
      const directory = await temporaryFolder("foundry-local-mcp-test-");
      const { written, output } = collected();
      const ended = simulate(["--dialect", dialect, "--cli", directory], output);
      const url = await firstLine(written);
      const script = join(directory, "foundry.mjs");
      const { stdout } = await promisify(execFile)(process.execPath, [script, ...args]);
      process.emit("SIGTERM", "SIGTERM");
      await ended;
      const left = await readdir(directory);
      expect(stdout).toContain(expected.replace("HERE", url));
      expect(written.stderr).toContain("simulated Foundry Local");
      expect(written.stderr).toContain(cliUse(process.platform, { directory, script }));
      expect(left).toEqual([]);
    },
  );

  it("ends its service and removes its files where its command line cannot be removed", async () => {
    const directory = await temporaryFolder("foundry-local-mcp-test-");
    const temporary = await temporaryFolder("foundry-local-mcp-test-");
    onTestFinished(() => void vi.unstubAllEnvs());
    for (const name of ["TMPDIR", "TEMP"]) vi.stubEnv(name, temporary);
    const { written, output } = collected();
    const ended = simulate(["--cli", directory], output);
    const url = await firstLine(written);
    const script = join(directory, "foundry.mjs");
    await rm(script);
    await mkdir(script);
    process.emit("SIGTERM", "SIGTERM");
    await expect(ended).rejects.toThrow();
    expect((await get(url, "/status")).connection).toBe("ECONNREFUSED");
    expect(await readdir(temporary)).toEqual([]);
  });

  it("does not replace a real command line", async () => {
    const directory = await temporaryFolder("foundry-local-mcp-test-");
    await writeFile(join(directory, "foundry.mjs"), "the real one");
    const refused = simulate(["--cli", directory], collected().output);
    await expect(refused).rejects.toMatchObject({
      code: "INVALID_SETTING",
      message: `Invalid value for --cli: ${JSON.stringify(directory)}.`,
      action: expect.stringContaining("a directory that can be written to, without a foundry"),
    });
    expect(await readFile(join(directory, "foundry.mjs"), "utf8")).toBe("the real one");
  });

  it("does not replace the command line of another running simulator", async () => {
    const directory = await temporaryFolder("foundry-local-mcp-test-");
    const first = collected();
    const ended = simulate(["--cli", directory], first.output);
    const url = await firstLine(first.written);
    const second = simulate(["--cli", directory], collected().output);
    await expect(second).rejects.toMatchObject({
      code: "INVALID_SETTING",
      message: `Another simulator's command line is in ${JSON.stringify(directory)} and still runs.`,
      action: "Name another directory with --cli, or end that simulator first.",
    });
    const script = join(directory, "foundry.mjs");
    const answer = await promisify(execFile)(process.execPath, [script, "server", "status"]);
    process.emit("SIGTERM", "SIGTERM");
    await ended;
    const left = await readdir(directory);
    expect(answer.stdout).toContain(url);
    expect(left).toEqual([]);
  });

  it("has no command line for another engine", async () => {
    const refused = simulate(["--dialect", "openai", "--cli", "unused"], collected().output);
    await expect(refused).rejects.toMatchObject({
      code: "INVALID_SETTING",
      message: "--cli does not go with --dialect openai.",
    });
  });

  it("explains itself with --help", async () => {
    const { written, output } = collected();
    expect(await simulate(["--help"], output)).toBe(0);
    expect(written.stdout).toContain("--tokens-per-second");
    expect(written.stdout).toContain("error-event");
    expect(written.stdout).toContain("S or C1 or C2 or openai");
    expect(written.stdout).toContain("--cli DIR");
    expect(written.stdout).toContain("--answers FILE");
    expect(written.stdout).toMatch(/^ {2}stall +\[afterEvents=N\] \[ms=N\]$/m);
    expect(written.stdout).toMatch(/^ {2}status +status=200…599 .*\[header=NAME:VALUE\]$/m);
  });

  it("explains itself with --help beside a mistake", async () => {
    const { written, output } = collected();
    expect(await simulate(["--port", "x", "--help"], output)).toBe(0);
    expect(written.stdout).toContain("--tokens-per-second");
  });

  async function answersFile(text: string): Promise<string> {
    const directory = await temporaryFolder("foundry-local-mcp-test-");
    const file = join(directory, "answers.json");
    await writeFile(file, text);
    return file;
  }

  // The default service answers with loaded models only.
  it.each([[["--dialect", "openai"]], [[]]])("sends the answers of a file: %j", async (dialect) => {
    // With the byte order mark that Windows writes.
    const file = await answersFile('\uFEFF[{"match": "/^HELLO/i", "reply": "Scripted."}]');
    const { written, output } = collected();
    const ended = simulate([...dialect, "--answers", file], output);
    const url = await firstLine(written);
    const model = "Phi-4-mini-instruct-generic-cpu:5";
    const messages = [{ role: "user", content: "hello there" }];
    const answer = await post(url, "/v1/chat/completions", { model, messages });
    process.emit("SIGTERM", "SIGTERM");
    await ended;
    expect(contentOf(answer)).toBe("Scripted.");
  });

  it.each([
    ['[{"match": "a"}]', "answers[0]: has none of reply, toolCalls"],
    ["[", "list of answers; it is not valid JSON. See"],
  ])("refuses an invalid file of answers with the reason: %s", async (text, why) => {
    const file = await answersFile(text);
    await expect(simulate(["--answers", file], collected().output)).rejects.toMatchObject({
      code: "INVALID_SETTING",
      message: `Invalid value for --answers: ${JSON.stringify(file)}.`,
      action: expect.stringContaining(why),
    });
  });

  it("starts without any downloaded model with --nothing-downloaded", async () => {
    const { written, output } = collected();
    const ended = simulate(
      ["--dialect", "S", "--nothing-downloaded", "--download-ms", "1"],
      output,
    );
    const url = await firstLine(written);
    const models = jsonOf(await get(url, "/openai/models"));
    process.emit("SIGTERM", "SIGTERM");
    await ended;
    expect(models).toEqual([]);
  });

  const wrong: [string[], string, string][] = [
    [
      ["--port", "70000"],
      'Invalid value for --port: "70000".',
      "Allowed: a whole number from 0 to 65535.",
    ],
    [["--port", "x"], 'Invalid value for --port: "x".', "Allowed: a whole number from 0 to 65535."],
    [
      ["--dialect", "C3"],
      'Invalid value for --dialect: "C3".',
      "Allowed: one of S, C1, C2, openai.",
    ],
    [
      ["--version", "9"],
      'Invalid value for --version: "9".',
      "Allowed: one of 2.0.0, 2.0.1, 2.1.0, 2.2.1.",
    ],
    [
      ["--tokens-per-second", "0"],
      'Invalid value for --tokens-per-second: "0".',
      "Allowed: a number above 0, or infinity.",
    ],
    [
      ["--load-ms", "soon"],
      'Invalid value for --load-ms: "soon".',
      "Allowed: milliseconds, 0 or more.",
    ],
    [
      ["--fault", "explode"],
      'Invalid value for --fault: "explode".',
      "times=N][,method=M][,path=P]; reset, close, ",
    ],
    [
      ["--fault", "stall,after=2"],
      'Invalid value for --fault: "stall,after=2".',
      "there is no setting after; the settings of stall: [afterEvents=N] [ms=N].",
    ],
    [
      ["--download-ms", "x"],
      'Invalid value for --download-ms: "x".',
      "Allowed: milliseconds, 0 or more.",
    ],
    [["--speed", "1"], "Unknown option '--speed'.", "See `foundry-local-mcp simulate --help`."],
  ];

  it.each(wrong)("refuses %j with name, value and allowed values", async (...row) => {
    const [args, message, action] = row;
    const refused = simulate(args, collected().output);
    await expect(refused).rejects.toMatchObject({
      code: "INVALID_SETTING",
      message: expect.stringContaining(message),
      action: expect.stringContaining(action),
    });
  });
});
