import { describe, expect, it } from "vitest";
import { simulate } from "../../src/commands/simulate.js";
import { get } from "./ask.js";

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

describe("foundry-local-mcp simulate", () => {
  it("prints its URL first, serves with its faults, and ends at SIGTERM", async () => {
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

  it("explains itself with --help", async () => {
    const { written, output } = collected();
    expect(await simulate(["--help"], output)).toBe(0);
    expect(written.stdout).toContain("--tokens-per-second");
    expect(written.stdout).toContain("error-event");
  });

  const wrong: [string[], string, string][] = [
    [["--port", "70000"], '--port is "70000".', "Allowed: a whole number from 0 to 65535."],
    [["--port", "x"], '--port is "x".', "Allowed: a whole number from 0 to 65535."],
    [["--dialect", "S"], '--dialect is "S".', "Allowed: one of C2, openai."],
    [["--version", "9"], '--version is "9".', "Allowed: one of 2.0.0, 2.0.1, 2.1.0, 2.2.1."],
    [
      ["--tokens-per-second", "0"],
      '--tokens-per-second is "0".',
      "Allowed: a number above 0, or infinity.",
    ],
    [["--load-ms", "soon"], '--load-ms is "soon".', "Allowed: milliseconds, 0 or more."],
    [
      ["--fault", "explode"],
      '--fault is "explode".',
      "times=N][,method=M][,path=P]; reset, close, ",
    ],
    [["--speed", "1"], "Unknown option '--speed'.", "See foundry-local-mcp simulate --help."],
  ];

  it.each(wrong)("refuses %j by name and value, and says what is allowed", async (...row) => {
    const [args, message, action] = row;
    const refused = simulate(args, collected().output);
    await expect(refused).rejects.toMatchObject({
      code: "INVALID_SETTING",
      message: expect.stringContaining(message),
      action: expect.stringContaining(action),
    });
  });
});
