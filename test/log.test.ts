import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";

const line = z.looseObject({
  level: z.number(),
  time: z.number(),
  pid: z.number(),
  msg: z.string(),
});

/** Runs code that has `log` in a process of its own; gives what it wrote. */
async function written(
  level: string,
  code: string,
): Promise<{ stdout: string; stderr: string; lines: z.output<typeof line>[] }> {
  const source = `
    import { createLogger } from ${JSON.stringify(new URL("../src/log.ts", import.meta.url).href)};
    const log = createLogger(${JSON.stringify(level)});
    ${code}`;
  const tsx = fileURLToPath(import.meta.resolve("tsx/cli"));
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>(
    (resolve, reject) => {
      execFile(
        process.execPath,
        [tsx, "--input-type=module", "--eval", source],
        (error, stdout, stderr) => (error === null ? resolve({ stdout, stderr }) : reject(error)),
      );
    },
  );
  const lines = stderr
    .split("\n")
    .filter((text) => text !== "")
    .map((text) => line.parse(JSON.parse(text)));
  return { stdout, stderr, lines };
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

  it("writes only what is at least as grave as its level", async () => {
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

  it("writes no secret, on the first, second or third level", async () => {
    const { stderr, lines } = await written(
      "trace",
      `log.info({ apiKey: "s3cret", FOUNDRY_API_KEY: "s3cret", authorization: "Bearer s3cret",
         options: { apiKey: "s3cret", headers: { "X-Key": "s3cret" } },
         request: { options: { Authorization: "s3cret", model: "a:1" } } }, "hello");`,
    );
    expect(stderr).not.toContain("s3cret");
    expect(lines).toMatchObject([
      {
        apiKey: "(secret)",
        options: { headers: "(secret)" },
        request: { options: { model: "a:1" } },
      },
    ]);
  });
});
