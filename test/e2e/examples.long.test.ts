import { type ChildProcess, execFile, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { answersFromJson, type Simulator, startSimulator } from "foundry-local-simulator";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../temporary-folder.js";
import { environmentWith } from "./executable.js";
import { chatRequest } from "./simulated.js";

const exec = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FOLDER = join(ROOT, "examples");
const FILES = readdirSync(FOLDER).filter((name) => /\.(js|py)$/.test(name));
/** Those with packages of others: `test/clients/examples.test.ts` runs them. */
const FRAMEWORKS = ["ai-sdk.js", "langchain.js"];

/** With the answers of the examples, as `simulate --answers examples/answers.json` gives them. */
async function simulated(firstTokenMs = 0): Promise<Simulator> {
  const answers = answersFromJson(JSON.parse(readFileSync(join(FOLDER, "answers.json"), "utf8")));
  const modelCachePath = await temporaryFolder("foundry-local-mcp-examples-");
  const simulator = await startSimulator({ answers, modelCachePath, firstTokenMs });
  onTestFinished(() => simulator.close());
  return simulator;
}

/** Starts an example as its first lines say. */
function start(file: string, endpoint: string, settings: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join("examples", file), endpoint], {
    cwd: ROOT,
    env: environmentWith(settings),
    stdio: ["pipe", "pipe", "pipe"],
  });
  onTestFinished(() => {
    if (child.exitCode === null) child.kill("SIGKILL");
  });
  return child;
}

async function outcomeOf(child: ChildProcess) {
  let [stdout, stderr] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code, stdout, stderr };
}

test.each([
  ["basic.js", "", "Air scatters blue light more than red light.\n", /Phi-4-mini.*, \d+ tokens/],
  ["chat.js", "Why is the sky blue?\n", "> Air scatters blue light more than red light.\n", /^$/],
  ["batch.js", "", /(?=.*positive: Great)(?=.*negative: The)(?=.*neutral: It)/s, /^$/],
  ["structured.js", "", /^notebook: 4\.50\nfountain pen: 32\.00\nKari Nordmann/, /1 attempt/],
  ["tools.js", "", "No, the fountain pen is sold out.\n", /stock_of fountain pen: 0\n2 requests/],
  ["files.js", "", "chat.js remembers the conversation.\n", /^README\.md, lines \d+-\d+\n/],
  ["ranking.js", "", "Hold the red button for five seconds.\n", /^0\.\d\d To reset the alarm/],
] as const)("examples/%s runs on the simulator", async (file, input, stdout, stderr) => {
  const { url } = await simulated();
  const child = start(file, url);
  child.stdin.end(input);

  expect(await outcomeOf(child)).toEqual({
    code: 0,
    stdout: typeof stdout === "string" ? stdout : expect.stringMatching(stdout),
    stderr: expect.stringMatching(stderr),
  });
});

test.each(["basic.js", "structured.js", "tools.js", "ranking.js", "files.js"])(
  "examples/%s prints what to do where the service fails",
  async (file) => {
    const child = start(file, "http://127.0.0.1:1");
    child.stdin.end();

    expect(await outcomeOf(child)).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^[A-Z_]+: .+\. .+/m),
    });
  },
);

test("examples/files.js waits for an answer that takes longer than the server waits by default", async () => {
  const { url } = await simulated(48_000);
  const child = start("files.js", url);
  child.stdin.end();

  expect(await outcomeOf(child)).toMatchObject({
    code: 0,
    stdout: "chat.js remembers the conversation.\n",
  });
});

test("examples/chat.js sends the earlier turns with each question", async () => {
  const simulator = await simulated();
  const child = start("chat.js", simulator.url);
  child.stdin.end("Why is the sky blue?\nWhy is it red at night?\n");

  expect(await outcomeOf(child)).toMatchObject({ code: 0, stderr: "" });
  expect(chatRequest(simulator).body).toMatchObject({
    messages: [
      { role: "system" },
      { role: "user", content: "Why is the sky blue?" },
      { role: "assistant", content: "Air scatters blue light more than red light." },
      { role: "user", content: "Why is it red at night?" },
    ],
  });
});

test("examples/production.js answers with its second model, reports, and shuts down properly", async () => {
  const simulator = await simulated();
  const child = start("production.js", simulator.url, { PORT: "0" });
  const outcome = outcomeOf(child);
  const [line] = await new Promise<string[]>((resolve) =>
    createInterface({ input: child.stdout }).once("line", (...lines) => resolve(lines)),
  );
  const address = `http://127.0.0.1:${/port: (\d+)/.exec(line ?? "")?.[1]}`;
  const ask = (body: string) => fetch(address, { method: "POST", body });

  const answer = await ask("Why is the sky blue?");
  expect(await answer.json()).toEqual({
    text: "Air scatters blue light more than red light.",
    model: "Phi-4-mini-instruct-generic-cpu:5",
  });
  expect((await ask("Why is the sky blue?")).status).toBe(200);
  expect((await ask(" ")).status).toBe(400);
  const health = await fetch(`${address}/health`);
  expect({ status: health.status, body: await health.json() }).toMatchObject({
    status: 200,
    body: { status: "healthy" },
  });
  expect(await (await fetch(`${address}/metrics`)).json()).toMatchObject({
    endpoint: simulator.url,
    queue: { running: 0, waiting: 0 },
    operations: expect.arrayContaining([
      expect.objectContaining({
        operation: "complete",
        model: "Phi-4-mini-instruct-generic-cpu:5",
        cacheHits: 1,
      }),
    ]),
  });
  // Windows has no signal that a program can handle.
  if (process.platform === "win32") return;
  child.kill("SIGTERM");
  expect(await outcome).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^"phi-4" was not used: .*download/),
  });
});

test("the examples compile with the types of the library", async () => {
  const own = FILES.filter((name) => name.endsWith(".js") && !FRAMEWORKS.includes(name));
  const flags = ["--noEmit", "--strict", "--allowJs", "--checkJs", "--types", "node"];
  const target = ["--module", "nodenext", "--target", "es2023", "--ignoreConfig"];

  await exec(
    process.execPath,
    [join("node_modules", "typescript", "bin", "tsc"), ...flags, ...target].concat(
      own.map((name) => join("examples", name)),
    ),
    { cwd: ROOT },
  );
});

test.each(FILES)("examples/%s is short, and explains how to run it", (name) => {
  const text = readFileSync(join(FOLDER, name), "utf8");
  const lines = text.trimEnd().split(/\r?\n/);
  const [what, ...head] = lines.slice(0, 10);

  expect(lines.length).toBeLessThan(60);
  expect(what).toMatch(/^(\/\/|#) .+\.$/);
  expect(head.join("\n")).toMatch(
    new RegExp(`(node|python) examples/${name} http://127.0.0.1:5273`),
  );
  expect(head.join("\n")).toContain(
    "node dist/main.js simulate --port 5273 --answers examples/answers.json",
  );
});
