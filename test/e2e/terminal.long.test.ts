import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { withoutAnsi } from "../../src/lib/index.js";
import { temporaryFolder } from "../temporary-folder.js";
import { environmentWith, MAIN, type Settings } from "./executable.js";
import { ANSWER, ENDLESS, MODELS, PROMPT_ANSWER, simulated } from "./simulated.js";

/** Of util-linux: gives a program a real terminal. */
const SCRIPT = "/usr/bin/script";
const INTERRUPT = "\u0003";
const END_OF_INPUT = "\u0004";
const ENTER = "\r";

/** The executable on a terminal. */
class Terminal {
  output = "";
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(args: readonly string[], settings: Settings, columns = 80) {
    const words = [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(" ");
    this.#child = spawn(SCRIPT, ["-qec", `stty cols ${columns}; exec ${words}`, "/dev/null"], {
      env: environmentWith({ TERM: "xterm", SHELL: "/bin/sh", ...settings }),
      stdio: "pipe",
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
    });
    this.ended = new Promise((resolve) => this.#child.once("close", (code) => resolve(code)));
    onTestFinished(() => void this.#child.kill("SIGKILL"));
  }

  async when(text: string): Promise<void> {
    await expect.poll(() => this.output).toContain(text);
  }

  press(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** The final screen: the last state of each line. */
  get lines(): string[] {
    return this.output
      .split(/\r?\n/)
      .map((line) => withoutAnsi(line.split("\r").at(-1) ?? "").trimEnd());
  }
}

/** A home with one host in it. */
async function homeWithCursor(): Promise<{ file: string; settings: Settings }> {
  const home = await temporaryFolder("terminal ü ");
  await mkdir(join(home, ".cursor"));
  const file = join(home, ".cursor", "mcp.json");
  await writeFile(file, "{}\n");
  return { file, settings: { HOME: home, XDG_CONFIG_HOME: join(home, ".config") } };
}

describe.skipIf(process.platform !== "linux" || !existsSync(SCRIPT))("on a terminal", () => {
  test("setup writes the confirmed entries", async () => {
    const { file, settings } = await homeWithCursor();
    const terminal = new Terminal(["setup", "--no-check"], settings);
    await terminal.when("Write these?");

    terminal.press(ENTER);

    expect(await terminal.ended).toBe(0);
    expect(await readFile(file, "utf8")).toContain("foundry-local");
    // Lines of a file keep their indentation.
    expect(terminal.lines).toContain('    +   "mcpServers": {');
  });

  test.for([
    ["Ctrl+C", INTERRUPT],
    ["Ctrl+D", END_OF_INPUT],
  ] as const)("setup that is ended by %s at its question writes nothing", async ([, key]) => {
    const { file, settings } = await homeWithCursor();
    const terminal = new Terminal(["setup", "--no-check"], settings);
    await terminal.when("Write these?");

    terminal.press(key);

    expect(await terminal.ended).toBe(130);
    // The cursor is shown again.
    expect(terminal.output.lastIndexOf("\u001b[?25h")).toBeGreaterThan(0);
    expect(terminal.output).toContain("Nothing was written.");
    expect(await readFile(file, "utf8")).toBe("{}\n");
    expect(await readdir(join(file, ".."))).toEqual(["mcp.json"]);
  });

  const WIDTHS = [80, 120];

  test.for(WIDTHS)(
    "setup in %i columns downloads a model after a yes, and ends with the model's answer",
    async (columns) => {
      const { settings } = await homeWithCursor();
      const small = { id: PROMPT_ANSWER, downloaded: false, sizeMb: 400, script: { text: ANSWER } };
      const { url } = await simulated({ dialect: "S", models: [small], downloadMs: 500 });
      const colourless = { ...settings, NO_COLOR: "1" };
      const terminal = new Terminal(["setup", "--endpoint", url], colourless, columns);
      await terminal.when("Write these?");
      terminal.press(ENTER);
      await terminal.when("Download tiny (400 MB) now?");
      terminal.press("y");
      await terminal.when("Ask a model a question now?");
      terminal.press("y");

      expect(await terminal.ended).toBe(0);
      expect(terminal.output).toMatch(/\[#+-*\] +\d+% Downloading tiny/);
      expect(terminal.output).toContain(ANSWER);
      for (const code of [31, 32, 33, 36]) expect(terminal.output).not.toContain(`\u001b[${code}m`);
    },
  );

  test("setup that is interrupted at its second question keeps the written entries", async () => {
    const { file, settings } = await homeWithCursor();
    const models = [{ id: PROMPT_ANSWER, downloaded: false }];
    const { url, requests } = await simulated({ dialect: "S", models });
    const terminal = new Terminal(["setup", "--endpoint", url], settings);
    await terminal.when("Write these?");
    terminal.press(ENTER);
    await terminal.when("Download tiny");

    terminal.press(INTERRUPT);

    expect(await terminal.ended).toBe(130);
    expect(await readFile(file, "utf8")).toContain("foundry-local");
    expect(requests.some(({ path }) => path.includes("download"))).toBe(false);
  });

  test.for(WIDTHS)("download draws its bar in one line of %i columns", async (columns) => {
    const id = "a-model-with-a-long-name-that-does-not-fit-into-a-narrow-terminal-generic-cpu:1";
    const models = [{ id, alias: "long", downloaded: false, sizeMb: 5000 }];
    const { url } = await simulated({ dialect: "S", models, downloadMs: 500 });
    const terminal = new Terminal(["download", "long", "--endpoint", url], {}, columns);

    expect(await terminal.ended).toBe(0);
    const drawn = terminal.output.split(/\r|\n/).filter((part) => part.includes("%"));
    expect(drawn.length).toBeGreaterThan(1);
    for (const each of drawn) {
      expect(withoutAnsi(each).length).toBeLessThan(columns);
    }
    expect(terminal.lines.at(-2)).toBe(`Downloaded ${id}`);
  });

  test("bench shows its progress and its table within 80 columns", async () => {
    const id = "a-model-with-a-long-name-that-does-not-fit-into-a-narrow-terminal-generic-cpu:1";
    const models = [{ id, alias: "long" }];
    const { url } = await simulated({ dialect: "S", models, tokensPerSecond: 400, loadMs: 300 });
    const args = ["bench", "long", "--rounds", "1", "--tokens", "32", "--endpoint", url];
    const terminal = new Terminal(args, { NO_COLOR: "1" });

    expect(await terminal.ended).toBe(0);
    const drawn = terminal.output.split(/\r|\n/).map(withoutAnsi);
    expect(drawn.some((line) => /\[#+-*\] +\d+% Measuring long: /.test(line))).toBe(true);
    for (const line of drawn.filter((each) => !each.includes(id))) {
      expect(line.length).toBeLessThanOrEqual(80);
    }
    expect(terminal.lines.filter((line) => /^ {2}(short|long), .* #+$/.test(line))).toHaveLength(6);
    // Colours only, since lines are replaced by a sequence, too.
    expect(terminal.output).not.toMatch(/\[\d+m/);
  });

  test("setup asks nothing on a dumb terminal, and writes with --yes", async () => {
    const { file, settings } = await homeWithCursor();
    const dumb = { ...settings, TERM: "dumb" };
    const asked = new Terminal(["setup", "--no-check"], dumb);

    expect(await asked.ended).toBe(2);
    expect(asked.output).toContain("--yes");
    expect(await readFile(file, "utf8")).toBe("{}\n");

    const written = new Terminal(["setup", "--no-check", "--yes"], dumb);

    expect(await written.ended).toBe(0);
    expect(await readFile(file, "utf8")).toContain("foundry-local");
    expect(`${asked.output}${written.output}`).not.toContain("\u001b");
  });

  test("doctor shows on a dumb terminal what it waits for, in lines", async () => {
    const { settings } = await homeWithCursor();
    const models = [{ id: PROMPT_ANSWER, script: { text: ANSWER } }];
    const { url } = await simulated({ models });
    const terminal = new Terminal(["doctor", "--endpoint", url], { ...settings, TERM: "dumb" });

    expect(await terminal.ended).toBe(0);
    expect(terminal.lines).toContain("  Asking a model …");
    expect(terminal.lines).toContain(`  Loading ${PROMPT_ANSWER} …`);
    expect(terminal.output).not.toContain("\u001b");
  });

  test("download that is interrupted ends with 130, and says whether the download continues", async () => {
    const models = [{ id: PROMPT_ANSWER, downloaded: false }];
    const { url } = await simulated({ dialect: "S", models, downloadMs: 600_000 });
    const terminal = new Terminal(["download", "tiny", "--endpoint", url], {});
    await terminal.when("Downloading tiny");

    terminal.press(INTERRUPT);

    expect(await terminal.ended).toBe(130);
    // Broken between words, and never within a command.
    expect(terminal.output).toMatch(/main\.js models`\s+shows\s+when\s+it\s+is\s+complete/);
  });

  test.for(WIDTHS)("ask breaks its lines between words in %i columns", async (columns) => {
    const words = Array.from({ length: 60 }, (_none, index) => `answer${index}`).join(" ");
    const script = { text: words };
    const { url } = await simulated({ models: [{ id: "long:1", loaded: true, script }] });
    const terminal = new Terminal(["ask", "Go", "--endpoint", url], {}, columns);

    expect(await terminal.ended).toBe(0);
    const lines = terminal.lines.filter((line) => line.startsWith("answer"));
    expect(lines.join(" ")).toBe(words);
    const longest = Math.max(...lines.map(({ length }) => length));
    expect(longest).toBeLessThanOrEqual(columns);
    // Longer lines than a hundred characters are hard to read.
    expect(longest).toBeGreaterThan(Math.min(columns, 100) - 12);
  });

  test("ask streams, stops at Ctrl+C, and removes control sequences from the answer", async () => {
    const evil = { id: "evil:1", loaded: true, script: { text: "a\u001b[2Jb \u0007c hidden\rd" } };
    const { url } = await simulated({ models: [...MODELS, evil] });
    const endless = new Terminal(["ask", "Go", "--model", ENDLESS, "--endpoint", url], {});
    await endless.when("On and on");
    endless.press(INTERRUPT);
    const steering = new Terminal(["ask", "Go", "--model", "evil", "--endpoint", url], {});

    expect(await endless.ended).toBe(130);
    expect(await steering.ended).toBe(0);
    expect(steering.output).not.toContain("\u001b[2J");
    expect(steering.output).toContain("a [2Jb  c hidden d");
  });

  test("models shows no line wider than the terminal, and no colour with NO_COLOR", async () => {
    const models = [
      { id: "deepseek-r1-distill-qwen-14b-instruct-quantized-generic-cpu:12", loaded: true },
      ...MODELS,
    ];
    const { url } = await simulated({ models });
    const terminal = new Terminal(["models", "--endpoint", url], { NO_COLOR: "1" });

    expect(await terminal.ended).toBe(0);
    for (const line of terminal.lines.slice(0, 4)) expect(line.length).toBeLessThanOrEqual(80);
    expect(terminal.lines[0]).toMatch(/^ALIAS +NAME/);
    for (const code of [1, 2, 31, 32, 36]) expect(terminal.output).not.toContain(`\u001b[${code}m`);
  });
});
