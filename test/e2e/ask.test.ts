import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { chatEngine, events } from "../foundry/dialects/chat-engine.js";
import { temporaryFolder } from "../temporary-folder.js";
import { Executable, run, type Settings } from "./executable.js";
import { ANSWER, chatRequest, ENDLESS, MODELS, PROMPT_ANSWER, simulated } from "./simulated.js";

/** Named, so that no note says which model was chosen. */
const TINY = ["--model", "tiny"];

const isWindows = process.platform === "win32";

function started(args: readonly string[], settings: Settings): Executable {
  const executable = new Executable(args, settings);
  onTestFinished(() => executable.destroy());
  return executable;
}

/** The prompt that the service was sent. */
const promptOf = (simulator: Parameters<typeof chatRequest>[0]): unknown => {
  const { body } = chatRequest(simulator);
  const { messages } = Object(body);
  return Object(messages.at(-1))["content"];
};

test("ask writes only the answer to stdout", async () => {
  const { url } = await simulated();

  const { code, stdout, stderr } = await run(["ask", "Hello", ...TINY, "--endpoint", url]);

  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${ANSWER}\n`, stderr: "" });
});

test("ask streams, and stops the generation at Ctrl+C", async () => {
  const simulator = await simulated();
  const ask = started(["ask", "Go on.", "--model", ENDLESS], { FOUNDRY_ENDPOINT: simulator.url });
  await ask.when("a part of the answer", () => (ask.stdout.length > 20 ? true : undefined));

  ask.signal("SIGINT");
  const { code } = await ask.ended;

  await simulator.waitFor(({ requests }) =>
    requests.find(({ path, endedBy }) => path.endsWith("/chat/completions") && endedBy !== null),
  );
  if (isWindows) return;
  expect({ code, stderr: ask.stderr }).toEqual({ code: 130, stderr: "" });
  expect(ask.stdout).toMatch(/^On and on .*\n$/s);
});

test.skipIf(isWindows).for([
  ["it waits for stdin", ["ask", "-"], {}],
  ["the model loads", ["ask", "Hi", "--model", "slow"], { loadMs: 600_000 }],
  ["nothing has been answered yet", ["ask", "Hi"], { firstTokenMs: 600_000 }],
] as const)("ask ends with 130 where it is interrupted while %s", async ([, args, speeds]) => {
  const models = [...MODELS, { id: "slow-generic-cpu:1" }];
  const simulator = await simulated({ models, ...speeds });
  const ask = started(args, { FOUNDRY_ENDPOINT: simulator.url });
  if (args.some((arg) => arg === "-")) {
    // More than a pipe holds: it is taken once the command reads.
    await ask.writeBytes(Buffer.alloc(4_000_000, "part "));
  } else {
    ask.endInput();
    await simulator.waitFor(
      ({ requests }) => requests.some(({ path }) => /models\/load|chat/.test(path)),
      60_000,
    );
  }

  ask.signal("SIGINT");
  const { code } = await ask.ended;

  expect({ code, stdout: ask.stdout }).toEqual({ code: 130, stdout: "" });
  expect(ask.stderr).not.toContain("    at ");
});

test.skipIf(isWindows)("ask ends at a second Ctrl+C while a file does not answer", async () => {
  const folder = await temporaryFolder("ask-");
  const pipe = join(folder, "pipe");
  // A thread that opens a pipe without a writer blocks like one that accesses a dead share.
  execFileSync("mkfifo", [pipe]);
  const tells = `
    import fs from "node:fs";
    const { open } = fs;
    fs.open = (path, ...rest) => {
      open(path, ...rest);
      if (path === ${JSON.stringify(pipe)}) process.stderr.write("opens");
    };
    process.on("SIGINT", () => process.stderr.write("heard"));`;
  const ask = started(["ask", "Hello", "--file", pipe], {
    FOUNDRY_ENDPOINT: "http://127.0.0.1:9",
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(tells)}`,
  });
  ask.endInput();
  await ask.when("the file", () => ask.stderr.includes("opens") || undefined);

  ask.signal("SIGINT");
  // Two signals arrive as one until the first has been taken.
  await ask.when("the first signal", () => ask.stderr.includes("heard") || undefined);
  ask.signal("SIGINT");

  expect(await ask.ended).toMatchObject({ code: null, signal: "SIGKILL" });
});

test.for([
  ["below its limit: the context is full", 96, "the context of the model is full, or the engine"],
  ["at its limit: a larger one helps", 2000, "raise `--max-tokens` for more"],
] as const)("ask says why an answer was cut off %s", async ([, completion_tokens, reason]) => {
  const { url } = await chatEngine(() =>
    events(
      { choices: [{ delta: { content: "It is" }, finish_reason: "length" }] },
      { choices: [], usage: { prompt_tokens: 4000, completion_tokens } },
    ),
  );

  const flags = ["--model", "m", "--max-tokens", "2000", "--endpoint", url];
  const { stdout, stderr } = await run(["ask", "Why?", ...flags]);

  expect(stdout).toBe("It is\n");
  expect(stderr).toContain(`The answer was cut off after ${completion_tokens} tokens: ${reason}`);
});

test("ask reads the question, or what it is about, from stdin and from files", async () => {
  const simulator = await simulated();
  const folder = await temporaryFolder("ask ü ");
  const file = join(folder, "a file.txt");
  await writeFile(file, "in the file");
  const ask = started(["ask", "Summarize:", ...TINY, "--file", file], {
    FOUNDRY_ENDPOINT: simulator.url,
  });
  ask.write("in the pipe");
  ask.endInput();

  const { code } = await ask.ended;

  expect(code).toBe(0);
  expect(promptOf(simulator)).toBe(
    "Summarize:\n\nin the pipe\n\n--- a file.txt ---\nin the file\n--- end of a file.txt ---",
  );
});

test("ask --json writes one object, of an answer and of a failure", async () => {
  const { url } = await simulated();

  const good = await run(["ask", "Hello", "--json", ...TINY, "--endpoint", url]);
  const bad = await run(["ask", "Hello", "--json", "--model", "absent", "--endpoint", url]);

  expect(good.code).toBe(0);
  expect(JSON.parse(good.stdout)).toMatchObject({
    ok: true,
    text: ANSWER,
    model: PROMPT_ANSWER,
    finish_reason: "stop",
    usage: { output_tokens: expect.any(Number) },
    error: null,
  });
  expect(bad.code).toBe(4);
  expect(JSON.parse(bad.stdout)).toMatchObject({ ok: false, error: { code: "MODEL_NOT_FOUND" } });
});

test("ask --schema writes JSON that fits the schema", async () => {
  const models = [{ id: PROMPT_ANSWER, loaded: true, script: { text: '{"city": "Oslo"}' } }];
  const { url } = await simulated({ models });
  const folder = await temporaryFolder("ask-");
  const schema = join(folder, "schema.json");
  await writeFile(schema, '{"type":"object","required":["city"]}');

  const { code, stdout } = await run(["ask", "Where?", "--schema", schema, "--endpoint", url]);

  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ city: "Oslo" });
});

test.for([
  [["ask"], 2, "nothing to ask"],
  [["ask", "Hi", "--josn"], 2, "Did you mean --json?"],
  [["ask", "Hi", "--file", "absent.txt"], 2, '"absent.txt" does not exist.'],
  [["ask", "Hi", "--schema", "absent.json"], 2, '"absent.json" does not exist.'],
  [["ask", "Hi", "--max-tokens", "many"], 2, "--max-tokens"],
  [["ask", "Hi", "--model", "tiney"], 4, "main.js models`"],
  [["ask", "Hi", "--model", "missing"], 4, "is not downloaded"],
  [["ask", "Hi", "--endpoint", "http://127.0.0.1:9", "--retries", "0"], 3, "Nothing listens"],
] as const)("%j fails in one line with exit code %i", async ([args, code, words]) => {
  const models = [...MODELS, { id: "missing-generic-cpu:1", downloaded: false }];
  const { url } = await simulated({ models });

  const ended = await run(args, { FOUNDRY_ENDPOINT: url });

  expect(ended).toMatchObject({ code, stdout: "" });
  expect(ended.stderr).toContain(words);
  expect(
    ended.stderr
      .replace(/^ {2}Loading .*\n/, "")
      .trimEnd()
      .split("\n"),
  ).toHaveLength(1);
  expect(ended.stderr).not.toMatch(/`\w+[A-Z]\w+`| {4}at /);
});

test("ask reports on stderr that it loads a model", async () => {
  const models = [{ id: PROMPT_ANSWER, script: { text: ANSWER } }];
  const { url } = await simulated({ models });

  const { code, stdout, stderr } = await run(["ask", "Hello", ...TINY, "--endpoint", url]);

  expect({ code, stdout }).toEqual({ code: 0, stdout: `${ANSWER}\n` });
  expect(stderr).toBe(`  Loading ${PROMPT_ANSWER} ...\n`);
});

test("ask stops the generation when its stdout is closed", async () => {
  const simulator = await simulated();
  const ask = started(["ask", "Go on.", "--model", ENDLESS], { FOUNDRY_ENDPOINT: simulator.url });
  await ask.when("a part of the answer", () => (ask.stdout.length > 20 ? true : undefined));

  ask.closeOutput();
  const { code } = await ask.ended;

  expect({ code, stderr: ask.stderr }).toEqual({ code: 0, stderr: "" });
  await simulator.waitFor(({ requests }) =>
    requests.find(({ path, endedBy }) => path.endsWith("/chat/completions") && endedBy !== null),
  );
});

test("ask marks on stderr where thinking ends, and --json separates it from the answer", async () => {
  const tokens = ["So ", "I ", "think.", "</think>", "It ", "is ", "blue."];
  const { url } = await simulated({
    models: [{ id: "thinker:1", loaded: true, script: { tokens } }],
  });
  const flags = ["--model", "thinker", "--endpoint", url];

  const shown = await run(["ask", "Why?", ...flags]);
  const json = await run(["ask", "Why?", "--json", ...flags]);

  expect(shown.stdout).toMatch(/^So I think\.\n+It is blue\.\n$/);
  expect(shown.stderr).toContain("the text above was thinking");
  expect(JSON.parse(json.stdout)).toMatchObject({ text: "It is blue.", reasoning: "So I think." });
});
