import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Settings } from "./executable.js";
import { ANSWER, PROMPT_ANSWER, simulated, wireHostOn } from "./simulated.js";
import type { WireHost } from "./wire-host.js";

const KEY = "sk-very-secret-key";
const HEADER = "very-secret-header";
const PROMPT = "the patient's name is Ada";
const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

const logLine = z.looseObject({ level: z.number(), msg: z.string() });

/** Valid and invalid calls of a session, and the end of the server. */
async function session(settings: Settings): Promise<WireHost> {
  const simulator = await simulated({ dialect: "openai", apiKey: KEY });
  const host = await wireHostOn(simulator.url, {
    FOUNDRY_API_KEY: KEY,
    FOUNDRY_HEADERS: JSON.stringify({ "X-Team": HEADER }),
    FOUNDRY_RETRIES: "1",
    ...settings,
  });
  const call = async (name: string, given: object): Promise<void> => {
    await host.answerTo(host.call(name, given));
  };
  await call("complete", { prompt: PROMPT, model: PROMPT_ANSWER });
  await call("complete", { prompt: PROMPT, temperature: 99 });
  await call("complete", { promt: PROMPT });
  await call("complete", { prompt: PROMPT, model: "none" });
  await call("list_models", {});
  await call("health_check", {});
  host.write("nonsense\n");
  simulator.addFault({ kind: "status", status: 500, body: '{"error":{"message":"oops"}}' });
  await call("complete", { prompt: PROMPT, model: PROMPT_ANSWER });
  await simulator.stop();
  await call("complete", { prompt: PROMPT, model: PROMPT_ANSWER });
  host.endInput();
  await host.ended;
  const sent = simulator.requests.every(({ headers }) => headers["x-team"] === HEADER);
  expect(sent && simulator.requests.length > 0).toBe(true);
  return host;
}

describe("at any log level", () => {
  test.for(LEVELS)(
    "%s: stdout is protocol, stderr is JSON lines, neither contains a secret",
    async (level) => {
      // Every line on stdout was read as a message: the host throws at any other.
      const host = await session({ FOUNDRY_LOG_LEVEL: level });

      expect(host.stdout.endsWith("\n")).toBe(true);
      expect(host.received.length).toBeGreaterThan(8);
      for (const line of host.stderrLines) logLine.parse(JSON.parse(line));
      expect(host.stderrLines.length > 0).toBe(["trace", "debug", "info", "warn"].includes(level));
      for (const secret of [KEY, HEADER]) {
        expect(host.stderr).not.toContain(secret);
        expect(host.stdout).not.toContain(secret);
      }
    },
  );

  test("prompts and answers are logged only at trace", async () => {
    const atTrace = await session({ FOUNDRY_LOG_LEVEL: "TRACE" });
    const atDebug = await session({ FOUNDRY_LOG_LEVEL: "debug" });

    expect(atTrace.stderr).toContain("Ada");
    expect(atDebug.stderr).not.toContain("Ada");
    expect(atDebug.stderr).not.toContain(ANSWER);
  });
});

test("a refused key is not logged either", async () => {
  const simulator = await simulated({ dialect: "openai", apiKey: "another" });
  const host = await wireHostOn(simulator.url, {
    FOUNDRY_API_KEY: KEY,
    FOUNDRY_LOG_LEVEL: "trace",
  });

  const { result } = await host.answerTo(host.call("complete", { prompt: "Hello" }));

  expect(result).toMatchObject({
    isError: true,
    content: [{ text: expect.stringMatching(/^UNAUTHORIZED(.|\n)*FOUNDRY_API_KEY/) }],
  });
  expect(host.stdout + host.stderr).not.toContain(KEY);
});
