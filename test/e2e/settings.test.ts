import { expect, test } from "vitest";
import { run, type Settings } from "./executable.js";
import { ANSWER, ordinaryAnswer, simulated } from "./simulated.js";
import { WireHost } from "./wire-host.js";

interface WrongSetting {
  readonly what: string;
  readonly settings?: Settings;
  readonly flags?: readonly string[];
  /** Name, value, what is allowed. */
  readonly says: readonly string[];
}

const WRONG: readonly WrongSetting[] = [
  {
    what: "an invalid number",
    settings: { FOUNDRY_TIMEOUT: "soon" },
    says: ["FOUNDRY_TIMEOUT", '"soon"', "a number of seconds", "default: 30"],
  },
  {
    what: "a number with a unit",
    settings: { FOUNDRY_STALL_TIMEOUT: "300s" },
    says: ["FOUNDRY_STALL_TIMEOUT", '"300s"', "a number of seconds"],
  },
  {
    what: "a number out of range",
    settings: { FOUNDRY_RETRIES: "-1" },
    says: ["FOUNDRY_RETRIES", '"-1"', "a whole number from 0 to 20"],
  },
  {
    what: "a fraction of a token",
    flags: ["--max-tokens", "10.5"],
    says: ["--max-tokens", '"10.5"', "a whole number"],
  },
  {
    what: "an endpoint that is an invalid URL",
    settings: { FOUNDRY_ENDPOINT: "localhost:5273" },
    says: ["FOUNDRY_ENDPOINT", '"localhost:5273"', "http://127.0.0.1:5273"],
  },
  {
    what: "an endpoint of another protocol",
    settings: { FOUNDRY_ENDPOINT: "ftp://127.0.0.1" },
    says: ["FOUNDRY_ENDPOINT", '"ftp://127.0.0.1"'],
  },
  {
    what: "an endpoint with a query, without showing it",
    settings: { FOUNDRY_ENDPOINT: "http://127.0.0.1:1/?a=hush" },
    says: ["FOUNDRY_ENDPOINT", "(hidden)", "without ? or #"],
  },
  {
    what: "an endpoint with a query, of the demo",
    settings: { FOUNDRY_ENDPOINT: "http://127.0.0.1:1/?a=hush" },
    flags: ["demo"],
    says: ["FOUNDRY_ENDPOINT", "(hidden)", "without ? or #"],
  },
  {
    what: "headers in invalid JSON, without showing them",
    settings: { FOUNDRY_HEADERS: "X-Secret: hush" },
    says: ["FOUNDRY_HEADERS", "(hidden)", "JSON object"],
  },
  {
    what: "headers that are not strings",
    settings: { FOUNDRY_HEADERS: '{"X-Secret":["hush"]}' },
    says: ["FOUNDRY_HEADERS", "(hidden)", "JSON object of texts"],
  },
  {
    what: "an unknown log level",
    settings: { FOUNDRY_LOG_LEVEL: "loud" },
    says: ["FOUNDRY_LOG_LEVEL", '"loud"', "trace", "silent"],
  },
  { what: "an unknown flag", flags: ["--modell", "phi"], says: ["--modell", "--model", "--help"] },
  { what: "a flag without its value", flags: ["--model"], says: ["--model"] },
  { what: "a word that is no flag", flags: ["serve", "now"], says: ["now", "--help"] },
];

test.for(WRONG.map((wrong) => [wrong.what, wrong] as const))(
  "%s prevents the start",
  async ([, { settings = {}, flags = [], says }]) => {
    const { code, stdout, stderr } = await run(flags, settings);

    expect(code).not.toBe(0);
    expect(stdout).toBe("");
    for (const words of says) expect(stderr).toContain(words);
    expect(stderr).not.toContain("hush");
    // An explanation, not a stack.
    expect(stderr).not.toContain("    at ");
  },
);

test("all invalid settings are reported at once", async () => {
  const { code, stderr } = await run(["--queue", "x"], { FOUNDRY_TIMEOUT: "soon" });

  expect(code).toBe(2);
  expect(stderr).toContain('Invalid value for FOUNDRY_TIMEOUT: "soon".');
  expect(stderr).toContain('Invalid value for --queue: "x".');
});

test("a misspelled variable is logged with the setting that it probably means", async () => {
  const host = await WireHost.start({ FOUNDRY_API_KYE: "hush", FOUNDRY_PROFILE: "ci" });
  await host.request("resources/list");
  const warnings = await host.when("a warning", () => {
    const lines = host.stderrLines.filter((line) => line.includes('"level":40'));
    return lines.length > 0 ? lines : undefined;
  });
  expect(warnings.map((line) => JSON.parse(line))).toMatchObject([
    { variable: "FOUNDRY_API_KYE", meant: "FOUNDRY_API_KEY" },
  ]);
  expect(host.stderr).not.toContain("hush");
});

test("a flag outranks its variable, and an empty variable counts as unset", async () => {
  const simulator = await simulated();

  const host = await WireHost.start(
    { FOUNDRY_ENDPOINT: "http://127.0.0.1:1", FOUNDRY_API_KEY: "", FOUNDRY_TIMEOUT: " " },
    ["--endpoint", simulator.url],
  );

  expect(await ordinaryAnswer(host)).toBe(ANSWER);
});

test.for(["/", "/v1", "/v1/"])("an endpoint may end with %s", async (end) => {
  const simulator = await simulated();

  const host = await WireHost.start({ FOUNDRY_ENDPOINT: `${simulator.url}${end}` });

  expect(await ordinaryAnswer(host)).toBe(ANSWER);
});

test("FOUNDRY_MODEL and FOUNDRY_MAX_TOKENS are the defaults of a call", async () => {
  const simulator = await simulated();
  const host = await WireHost.start({
    FOUNDRY_ENDPOINT: simulator.url,
    FOUNDRY_MODEL: "endless",
    FOUNDRY_MAX_TOKENS: "4",
  });

  const { result } = await host.answerTo(host.call("complete", { prompt: "Go on." }));

  expect(result).toMatchObject({
    structuredContent: {
      model: "endless-generic-cpu:1",
      usage: { output_tokens: 4 },
      notes: [expect.stringContaining("cut off at its token limit")],
    },
  });
});
