import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";

const line = z.looseObject({
  level: z.number(),
  time: z.number(),
  pid: z.number(),
  msg: z.string(),
});

/** Runs code that has `log` in a process of its own. */
function started(level: string, code: string, secrets: readonly string[] = []) {
  const source = `
    import { createLogger } from ${JSON.stringify(new URL("../src/log.ts", import.meta.url).href)};
    import { SecretMask } from ${JSON.stringify(new URL("../src/lib/secrets.ts", import.meta.url).href)};
    const log = createLogger(${JSON.stringify(level)}, new SecretMask(${JSON.stringify(secrets)}));
    ${code}`;
  const child = spawn(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", source],
    { cwd: fileURLToPath(new URL("..", import.meta.url)), stdio: "pipe" },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

const linesOf = (stderr: string): z.output<typeof line>[] =>
  stderr
    .split("\n")
    .filter((each) => each !== "")
    .map((each) => line.parse(JSON.parse(each)));

/** The output of such code. */
async function written(level: string, code: string, secrets: readonly string[] = []) {
  const child = started(level, code, secrets);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { stdout, stderr, lines: linesOf(stderr) };
}

describe("createLogger", () => {
  it("writes JSON lines on stderr, with fields, process and time, and nothing on stdout", async () => {
    const { stdout, lines } = await written("info", `log.info({ model: "a:1" }, "hello");`);
    expect(stdout).toBe("");
    expect(lines).toEqual([
      expect.objectContaining({ level: 30, msg: "hello", model: "a:1", pid: expect.any(Number) }),
    ]);
  });

  it("loses no line when the process exits at once", async () => {
    const { lines } = await written("info", `log.error({}, "last words"); process.exit(0);`);
    expect(lines.map(({ msg }) => msg)).toEqual(["last words"]);
  });

  it("writes only lines of its level and above", async () => {
    const { lines } = await written(
      "info",
      `for (const level of ["trace", "debug", "info", "warn", "error", "silent"]) {
         const at = createLogger(level);
         at.trace({}, level + " t"); at.debug({}, level + " d"); at.info({}, level + " i");
         at.warn({}, level + " w"); at.error({}, level + " e");
       }`,
    );
    expect(lines.map(({ msg }) => msg)).toEqual([
      ...["trace t", "trace d", "trace i", "trace w", "trace e"],
      ...["debug d", "debug i", "debug w", "debug e"],
      ...["info i", "info w", "info e"],
      ...["warn w", "warn e"],
      "error e",
    ]);
  });

  it("writes no secret field of the first level, and no value that is a secret at any level", async () => {
    const { stderr, lines } = await written(
      "trace",
      `log.info({ apiKey: "k3y", headers: { "X-Key": "k3y" }, authorization: "Bearer k3y",
         requests: [{ options: { "X-Key": "Bearer s3cret", model: "a:1" } }] }, "hello s3cret");`,
      ["s3cret"],
    );
    expect(stderr).not.toMatch(/k3y|s3cret/);
    expect(lines).toMatchObject([
      {
        apiKey: "(secret)",
        headers: "(secret)",
        requests: [{ options: { "X-Key": "Bearer (secret)", model: "a:1" } }],
        msg: "hello (secret)",
      },
    ]);
  });

  // On Windows the last lines need `logWritten` before the exit.
  it.skipIf(process.platform === "win32")(
    "loses no line of a burst when stderr is read",
    async () => {
      const { lines } = await written(
        "info",
        `for (let n = 0; n < 3000; n += 1) log.info({ n, text: "x".repeat(200) }, "many");
       process.exit(0);`,
      );
      expect(lines.map((each) => each["n"])).toEqual(Array.from({ length: 3000 }, (_, n) => n));
    },
  );

  it("loses no line of many after `logWritten`", async () => {
    const { lines } = await written(
      "info",
      `import { logWritten } from ${JSON.stringify(new URL("../src/log.ts", import.meta.url).href)};
       for (let n = 0; n < 1000; n += 1) log.info({ n, text: "x".repeat(200) }, "many");
       void logWritten().then(() => process.exit(0));`,
    );
    expect(lines.map((each) => each["n"])).toEqual(Array.from({ length: 1000 }, (_, n) => n));
  });

  it("does not wait for a reader that does not read", async () => {
    const child = started(
      "info",
      `import { logWritten } from ${JSON.stringify(new URL("../src/log.ts", import.meta.url).href)};
       for (let n = 0; n < 1000; n += 1) log.info({ n, text: "x".repeat(500) }, "many");
       void logWritten().then(() => process.exit(7));`,
    );
    const [code] = await once(child, "exit");
    expect(code).toBe(7);
  });

  it("counts the lines that it dropped while stderr was not read, and never blocks", async () => {
    const total = 10_000;
    const child = started(
      "info",
      `for (let n = 1; n < ${total}; n += 1) log.info({ text: "x".repeat(500) }, "many");
       process.stdout.write("logged");
       process.stdin.resume().on("end", () => log.info({}, "last"));`,
    );
    // The process has come so far although nothing has read its stderr.
    await once(child.stdout, "data");
    const stderr = text(child.stderr);
    child.stdin.end();
    const lines = linesOf(await stderr).map(({ msg }) => msg);
    // On a loaded machine the last line may come while stderr is still full.
    expect(lines.at(-1)).toMatch(/^last$|lines are missing here$/);
    const dropped = lines.map((msg) => /; (\d+) lines are missing here$/.exec(msg)?.[1] ?? 0);
    const missing = dropped.reduce<number>((sum, count) => sum + Number(count), 0);
    const there = lines.filter((msg) => msg === "many" || msg === "last").length;
    expect(missing).toBeGreaterThan(0);
    expect(there + missing).toBe(total);
  });
});
