import { existsSync, realpathSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import os from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MOST_ANSWER_BYTES, MOST_OUTPUT_BYTES } from "../../src/lib/limits.js";
import { isProcessAlive } from "../../src/platform/processes.js";
import { type ProgramOptions, runProgram } from "../../src/platform/run-program.js";
import { ProgramFolder } from "./program-folder.js";

const onWindows = process.platform === "win32";

/** Runs TypeScript of this project in a separate process. */
const TSX = new URL("../../node_modules/tsx/dist/cli.mjs", import.meta.url);

/** Of Linux. */
const PRLIMIT = "/usr/bin/prlimit";

let programs: ProgramFolder;
let pidsToEnd: number[];
beforeEach(async () => {
  programs = await ProgramFolder.make();
  pidsToEnd = [];
});
afterEach(async () => {
  for (const pid of pidsToEnd) if (isProcessAlive(pid)) process.kill(pid, "SIGKILL");
  await programs.remove();
});

async function run(
  source: string,
  { args = [], ...options }: Partial<ProgramOptions> & { args?: readonly string[] } = {},
) {
  const file = await programs.script("program", source);
  return runProgram(file, args, { timeoutMs: 20_000, ...options });
}

const exited = (code: number) => ({ kind: "exited", code, signal: null });

/** Runs for a minute, and holds its pipes open. */
const GRANDCHILD = `
  import { spawn } from "node:child_process";
  const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"], {
    stdio: ["ignore", "inherit", "inherit"],
    // A Node on Windows ends the children that it did not detach.
    detached: process.platform === "win32",
  });
  child.unref();
  console.log("started " + child.pid);
`;

function pidIn(text: string): number {
  const pid = Number(/started (\d+)/.exec(text)?.[1]);
  pidsToEnd.push(pid);
  return pid;
}

describe("a program that ends by itself", () => {
  it("returns its exit code and its output on each stream", async () => {
    const ended = await run(
      `console.log("out"); console.error("err", ...process.argv.slice(2)); process.exitCode = 3;`,
      { args: ["a b", '"$HOME"', "*"] },
    );
    expect(ended).toEqual({ end: exited(3), stdout: "out\n", stderr: 'err a b "$HOME" *\n' });
  });

  it("has its output passed on as it is written, from stdout and stderr", async () => {
    const heard: string[] = [];
    const ended = await run(
      `import { writeSync } from "node:fs"; writeSync(1, "one "); writeSync(2, "two");`,
      { onOutput: (text) => heard.push(text) },
    );
    expect(ended.end).toEqual(exited(0));
    expect(heard.sort()).toEqual(["one ", "two"]);
  });

  it("runs in the user's home, with settings for plain output and the given variables", async () => {
    const ended = await run(
      `console.log(JSON.stringify([process.cwd(), process.env.NO_COLOR, process.env.TERM, process.env.OF_A_TEST]));`,
      { environment: { ...process.env, OF_A_TEST: "yes", TERM: "xterm" } },
    );
    expect(JSON.parse(ended.stdout)).toEqual([realpathSync(os.homedir()), "1", "dumb", "yes"]);
  });

  it("finds nothing on its stdin", async () => {
    const ended = await run(`for await (const _ of process.stdin) console.log("something");`);
    expect(ended).toEqual({ end: exited(0), stdout: "", stderr: "" });
  });

  it.skipIf(onWindows)("returns the signal of a crash", async () => {
    const ended = await run(`process.kill(process.pid, "SIGSEGV"); setTimeout(() => {}, 10_000);`);
    expect(ended.end).toEqual({ kind: "exited", code: null, signal: "SIGSEGV" });
  });

  it.skipIf(onWindows)("may be any executable file", async () => {
    const file = await programs.executable("foundry", `console.log("executed")`);
    const ended = await runProgram(file, [], { timeoutMs: 20_000 });
    expect(ended).toEqual({ end: exited(0), stdout: "executed\n", stderr: "" });
  });
});

describe("a program that leaves a child process behind", () => {
  it("counts as ended when it has exited, although the child holds its pipes open", async () => {
    const ended = await run(GRANDCHILD);
    expect(ended.end).toEqual(exited(0));
    expect(isProcessAlive(pidIn(ended.stdout))).toBe(true);
  });

  it("counts as ended although the child never stops writing", async () => {
    const ended = await run(
      GRANDCHILD.replace("setTimeout(() => {}, 60_000)", "setInterval(() => console.log(1), 5)"),
    );
    expect(ended.end).toEqual(exited(0));
    pidIn(ended.stdout);
  });

  it("is killed without its child", async () => {
    const abort = new AbortController();
    const ended = await run(`${GRANDCHILD}; setInterval(() => {}, 1000);`, {
      signal: abort.signal,
      onOutput: () => abort.abort(),
    });
    expect(ended.end).toEqual({ kind: "aborted" });
    expect(isProcessAlive(pidIn(ended.stdout))).toBe(true);
  });
});

describe("a program that does not end", () => {
  const HANGS = `console.log("started " + process.pid); setInterval(() => {}, 1000);`;

  it("is killed at its time limit, and its output is kept", async () => {
    const ended = await run(HANGS, { timeoutMs: 3000 });
    expect(ended.end).toEqual({ kind: "timed_out" });
    expect(isProcessAlive(pidIn(ended.stdout))).toBe(false);
  });

  it.skipIf(onWindows)("is killed although it ignores SIGTERM", async () => {
    const abort = new AbortController();
    const ended = await run(`process.on("SIGTERM", () => {}); ${HANGS}`, {
      signal: abort.signal,
      onOutput: () => abort.abort(),
    });
    expect(ended.end).toEqual({ kind: "aborted" });
    expect(isProcessAlive(pidIn(ended.stdout))).toBe(false);
  });

  it("is killed when the caller aborts", async () => {
    const abort = new AbortController();
    const ended = await run(HANGS, { signal: abort.signal, onOutput: () => abort.abort() });
    expect(ended.end).toEqual({ kind: "aborted" });
    expect(isProcessAlive(pidIn(ended.stdout))).toBe(false);
  });

  it("is not started for a caller that has already aborted", async () => {
    const ended = await run(HANGS, { signal: AbortSignal.abort() });
    expect(ended).toEqual({ end: { kind: "aborted" }, stdout: "", stderr: "" });
  });

  it("may take any time where the limit is longer than a timer's maximum", async () => {
    const ended = await run(`setTimeout(() => console.log("late"), 200);`, {
      timeoutMs: Number.POSITIVE_INFINITY,
    });
    expect(ended).toMatchObject({ end: exited(0), stdout: "late\n" });
  });
});

describe("a program that is left running once its output suffices", () => {
  it("continues, is not blocked by full pipes, and ends by itself", async () => {
    const done = join(programs.path, "done");
    const ended = await run(
      `import { writeFileSync } from "node:fs";
       console.log("started " + process.pid);
       setTimeout(() => {
         for (let each = 0; each < 200; each++) console.log("x".repeat(10_000));
         writeFileSync(${JSON.stringify(done)}, "yes");
       }, 100);`,
      { leaveWhen: ({ stdout }) => /started \d+\n/.test(stdout), outlivesUs: true },
    );
    expect(ended.end).toEqual({ kind: "left" });
    const pid = pidIn(ended.stdout);
    await vi.waitFor(() => expect(isProcessAlive(pid)).toBe(false), { timeout: 10_000 });
    expect(await readFile(done, "utf8")).toBe("yes");
  });

  it("does not keep the process that started it alive", async () => {
    const hangs = await programs.script(
      "hangs",
      `console.log("started " + process.pid); setInterval(() => {}, 1000);`,
    );
    const runner = new URL("../../src/platform/run-program.ts", import.meta.url).href;
    const starter = await programs.script(
      "starter",
      `const { runProgram } = await import(${JSON.stringify(runner)});
       const { stdout } = await runProgram(${JSON.stringify(hangs)}, [], { timeoutMs: 60_000, outlivesUs: true, leaveWhen: () => true });
       console.log(stdout);`,
    );
    const ended = await runProgram(fileURLToPath(TSX), [starter], { timeoutMs: 20_000 });
    expect(ended.end).toEqual(exited(0));
    expect(isProcessAlive(pidIn(ended.stdout))).toBe(true);
  });
});

describe("a program that may be left running and cannot be started", () => {
  it("is reported as such, although another program starts it", async () => {
    const run = await runProgram(join(programs.path, "missing.exe"), [], {
      timeoutMs: 20_000,
      outlivesUs: true,
      whenOver: "leave",
    });
    expect(run.end).toEqual({ kind: "not_started", reason: "there is no such file" });
  });
});

describe.skipIf(onWindows)("a program that outlives this process", () => {
  const GROUP = `import { execFileSync } from "node:child_process";
    console.log(process.pid === Number(execFileSync("ps", ["-o", "pgid=", "-p", String(process.pid)])));`;

  it("does not get the signals that a terminal sends to this process", async () => {
    expect((await run(GROUP, { outlivesUs: true })).stdout).toBe("true\n");
  });

  it("differs from others, which get them", async () => {
    expect((await run(GROUP)).stdout).toBe("false\n");
  });
});

describe("a program that cannot be started", () => {
  const start = (file: string) => runProgram(file, ["--version"], { timeoutMs: 20_000 });
  const notStarted = (reason: string) => ({
    end: { kind: "not_started", reason },
    stdout: "",
    stderr: "",
  });

  it("is reported as missing", async () => {
    expect(await start(join(programs.path, "missing"))).toEqual(
      notStarted("there is no such file"),
    );
  });

  it.skipIf(onWindows)("is reported as not executable", async () => {
    const file = join(programs.path, "plain");
    await writeFile(file, "text");
    expect(await start(file)).toEqual(notStarted("it may not be executed"));
    await mkdir(join(programs.path, "folder"));
    expect(await start(join(programs.path, "folder"))).toEqual(
      notStarted("it may not be executed"),
    );
  });

  it("is reported as not searched for by its name alone", async () => {
    expect(await start("node")).toEqual(notStarted("its path is not absolute"));
  });

  it("is reported as refused for an impossible path", async () => {
    expect((await start(join(programs.path, "a\0b"))).end).toMatchObject({ kind: "not_started" });
  });
});

describe.skipIf(onWindows || !existsSync(PRLIMIT))(
  "a start on a machine where no more files can be opened",
  () => {
    /** The end of a run without free file handles; `duringStart` is code that runs beside it, and `files` has all open files. */
    async function endWith(duringStart: string): Promise<unknown> {
      const runner = new URL("../../src/platform/run-program.ts", import.meta.url).href;
      const starter = await programs.script(
        "starter",
        `import { closeSync, openSync } from "node:fs";
         const { runProgram } = await import(${JSON.stringify(runner)});
         const start = () => runProgram(process.execPath, ["--version"], { timeoutMs: 20_000 });
         const once = await start();
         const files = [];
         try { for (;;) files.push(openSync(process.execPath)); } catch {}
         const starting = start();
         ${duringStart}
         const { end } = await starting;
         process.stdout.write(JSON.stringify([once.end.kind, end]));`,
      );
      const args = ["--nofile=200", process.execPath, fileURLToPath(TSX), starter];
      const ended = await runProgram(PRLIMIT, args, { timeoutMs: 60_000 });
      return JSON.parse(ended.stdout);
    }

    it("is reported as temporarily impossible", async () => {
      expect(await endWith("")).toEqual([
        "exited",
        {
          kind: "not_started",
          reason: "the system has no room for another program at the moment",
          isPassing: true,
        },
      ]);
    });

    it("is retried for a moment", async () => {
      const freed = "setTimeout(() => files.splice(0, 50).forEach((file) => closeSync(file)), 20);";
      expect(await endWith(freed)).toEqual(["exited", exited(0)]);
    });
  },
);

describe("a listener that throws", () => {
  it("ends the program, and its error is passed to the caller", async () => {
    let text = "";
    const running = run(`console.log("started " + process.pid); setInterval(() => {}, 1000);`, {
      onOutput: (piece) => {
        text += piece;
        throw new Error("of the listener");
      },
    });
    await expect(running).rejects.toThrow("of the listener");
    const pid = pidIn(text);
    await expect.poll(() => isProcessAlive(pid)).toBe(false);
  });
});

describe("the output of a program", () => {
  /** Writes bytes one after the other, each as a separate chunk. */
  const bytewise = (bytes: readonly number[]) => `
    import { writeSync } from "node:fs";
    for (const byte of ${JSON.stringify(bytes)}) {
      writeSync(1, Buffer.from([byte]));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }`;

  it("is intact although a character is split between chunks", async () => {
    const heard: string[] = [];
    const ended = await run(bytewise([...Buffer.from("🟢 ü")]), {
      onOutput: (text) => heard.push(text),
    });
    expect(ended.stdout).toBe("🟢 ü");
    expect(heard.join("")).toBe("🟢 ü");
  });

  it("loses its byte order mark, and has invalid UTF-8 replaced", async () => {
    const ended = await run(bytewise([0xef, 0xbb, 0xbf, 0x41, 0xff, 0x42, 0xe2, 0x82]));
    expect(ended.stdout).toBe("A\ufffdB\ufffd");
  });

  it("may be a single byte", async () => {
    expect((await run(bytewise([0x41]))).stdout).toBe("A");
  });

  it.each([
    ["with a byte order mark", "\ufeffService läuft"],
    ["without one", "Service läuft"],
  ])("may be UTF-16, %s", async (_title, text) => {
    const ended = await run(bytewise([...Buffer.from(text, "utf16le")]));
    expect(ended.stdout).toBe("Service läuft");
  });

  it("keeps its beginning and its end when it is too long", async () => {
    const ended = await run(
      `process.stdout.write("beginning " + "x".repeat(5 * 1024 * 1024) + " end");`,
    );
    expect(ended.end).toEqual(exited(0));
    expect(ended.stdout).toMatch(/^beginning x+\n\(\d+ characters left out\)\nx+ end$/);
    expect(ended.stdout.length).toBeLessThan(2 * 1024 * 1024);
  });

  it("is handled in short time when it is a flood without a line break", async () => {
    let heard = 0;
    let asked = 0;
    const before = process.memoryUsage().rss;
    const ended = await run(
      `const piece = "x".repeat(1024 * 1024);
       for (let each = 0; each < ${onWindows ? 128 : 512}; each += 1) {
         if (!process.stdout.write(piece)) await new Promise((go) => process.stdout.once("drain", go));
       }`,
      {
        timeoutMs: 120_000,
        onOutput: (text) => {
          heard += text.length;
        },
        leaveWhen: () => {
          asked += 1;
          return false;
        },
      },
    );
    expect(ended.end).toEqual(exited(0));
    expect(heard).toBeLessThanOrEqual(MOST_OUTPUT_BYTES);
    expect(asked).toBeLessThanOrEqual(MOST_ANSWER_BYTES);
    expect(ended.stdout.length).toBeLessThan(2 * 1024 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024);
  }, 120_000);
});
