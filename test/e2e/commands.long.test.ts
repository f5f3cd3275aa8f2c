import { spawn } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { TYPED_COMMANDS } from "../../src/commands/command-line.js";
import { temporaryFolder } from "../temporary-folder.js";
import { Executable, environmentWith, MAIN, run, type Settings } from "./executable.js";
import { ENDLESS, MODELS, simulated } from "./simulated.js";

/** Every setting there is, with its default. */
const SETTINGS: Settings = {
  FOUNDRY_ENDPOINT: "searched for",
  FOUNDRY_DISCOVERY: "auto",
  FOUNDRY_AUTOSTART: "true",
  FOUNDRY_EMBEDDED: "auto",
  FOUNDRY_CLI: "searched for",
  FOUNDRY_API_KEY: "none",
  FOUNDRY_HEADERS: "none",
  FOUNDRY_MODEL: "phi-4-mini",
  FOUNDRY_ROUTES: "none",
  FOUNDRY_TIMEOUT: "30",
  FOUNDRY_STALL_TIMEOUT: "300",
  FOUNDRY_LOAD_TIMEOUT: "900",
  FOUNDRY_DOWNLOAD_STALL_TIMEOUT: "300",
  FOUNDRY_REPLY_WITHIN: "by host",
  FOUNDRY_KEEP: "auto",
  FOUNDRY_ON_CANCEL: "auto",
  FOUNDRY_CONCURRENCY: "auto",
  FOUNDRY_QUEUE: "64",
  FOUNDRY_RATE_LIMIT: "0",
  FOUNDRY_CACHE: "0, or 1000 with FOUNDRY_CACHE_DIR",
  FOUNDRY_CACHE_DIR: "none",
  FOUNDRY_FILES: "none",
  FOUNDRY_VECTORS: "none",
  FOUNDRY_OTEL: "OTEL_EXPORTER_OTLP_ENDPOINT",
  FOUNDRY_RETRIES: "3",
  FOUNDRY_MAX_TOKENS: "1024",
  FOUNDRY_HTTP_KEY: "none",
  FOUNDRY_LOG_LEVEL: "info",
};

function started(args: readonly string[], settings: Settings = {}): Executable {
  const executable = new Executable(args, settings);
  onTestFinished(() => executable.destroy());
  return executable;
}

test.for(["--help", "-h"])("%s shows every setting with its flag and default", async (flag) => {
  const { code, stdout, stderr } = await run([flag]);

  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  for (const [name, value] of Object.entries(SETTINGS)) {
    const flagName = `--${name.replace("FOUNDRY_", "").toLowerCase().replaceAll("_", "-")}`;
    expect(stdout).toContain(`${name}, ${flagName}  (default: ${value})`);
  }
  const shown = [...stdout.matchAll(/^ +(FOUNDRY_\w+), --/gm)].map(([, name]) => name);
  expect(shown.sort()).toEqual(Object.keys(SETTINGS).sort());
  for (const command of ["serve", "demo", "doctor", "simulate"])
    expect(stdout).toContain(`  ${command}`);
});

test.each([...TYPED_COMMANDS])(
  "%s --help explains only this command, as it is typed here",
  async (name) => {
    const { code, stdout, stderr } = await run([name, "--help"]);

    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^Usage: node \\S*dist/main\\.js ${name}\\b`));
    expect(stdout).not.toMatch(/foundry-local-mcp [a-z-]/);
  },
);

test.for(["models", "serve"])("help %s prints the same", async (name) => {
  expect(await run(["help", name])).toEqual(await run([name, "--help"]));
});

test.for(["--version", "-v"])("%s shows the package's version", async (flag) => {
  const { code, stdout } = await run([flag]);

  expect({ code, stdout }).toEqual({ code: 0, stdout: `${manifest.version}\n` });
});

test.for(["sevre", "help sevre"])(
  "an unknown command in %s is answered with the existing ones",
  async (line) => {
    const { code, stdout, stderr } = await run(line.split(" "));

    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain('"sevre"');
    for (const command of ["serve", "demo", "doctor", "simulate"])
      expect(stderr).toContain(command);
  },
);

// On Windows a process cannot handle SIGTERM, and Node's own fetch fails under wine 8.
test.skipIf(process.platform === "win32")(
  "simulate prints its URL, serves there, and ends at SIGTERM",
  async () => {
    const simulator = started(["simulate", "--port", "0"]);
    const url = await simulator.when(
      "the URL",
      () => /http:\/\/127\.0\.0\.1:\d+/.exec(simulator.stdout)?.[0],
    );

    const status = await fetch(`${url}/status`);
    const models = await fetch(`${url}/v1/models`);
    simulator.signal("SIGTERM");
    const { code } = await simulator.ended;

    expect(status.status).toBe(200);
    expect(await models.json()).toMatchObject({ object: "list" });
    expect(code).toBe(0);
  },
);

test("simulate refuses unknown flags and values", async () => {
  const { code, stdout, stderr } = await run(["simulate", "--port", "many"]);

  expect(code).not.toBe(0);
  expect(stdout).toBe("");
  expect(stderr).toContain("port");
  expect(stderr).not.toContain("    at ");
});

test("demo shows the main job with Node alone", async () => {
  const demo = started(["demo"]);

  const { code } = await demo.ended;

  expect(code).toBe(0);
  expect(demo.stdout).toContain("simulated Foundry Local");
  // The demo found it as it would find a user's own.
  expect(demo.stdout).toContain("Found by: `foundry server status`");
  for (const step of ["health_check", "list_models", "load_model", "complete"]) {
    expect(demo.stdout).toContain(step);
  }
  expect(demo.stdout).toContain("This is simulated text");
  // Its figures come after the text.
  expect(demo.stdout).toMatch(/This is simulated text.*\d+ tokens.*a second/s);
  expect(demo.stderr).toBe("");
});

test("demo streams a completion", async () => {
  // Its 200 tokens take 20 s.
  const models = MODELS.map((model) => ({ ...model, tokensPerSecond: 10 }));
  const simulator = await simulated({ models });
  const demo = started(["demo"], { FOUNDRY_ENDPOINT: simulator.url, FOUNDRY_MODEL: ENDLESS });

  await demo.when("the text", () => demo.stdout.includes("On and on") || undefined);

  expect(simulator.generating).toBe(1);
  expect(demo.stdout).not.toMatch(/\d+ tokens.*a second/);
});

/** A folder for temporary files, so that leftovers are detected. */
async function folderOfSettings(): Promise<{ path: string; settings: Settings }> {
  const path = await temporaryFolder("demo-");
  return { path, settings: { TMPDIR: path, TEMP: path, TMP: path } };
}

test("demo uses none of the user's files and settings, and leaves no file behind", async () => {
  const { path, settings } = await folderOfSettings();
  const users = await simulated();
  const home = join(path, "home");
  await mkdir(join(home, ".foundry"), { recursive: true });
  const daemon = JSON.stringify({ web_urls: [users.url], pid: process.pid });
  await writeFile(join(home, ".foundry", "daemon.json"), daemon);

  const { code, stderr } = await run(["demo"], {
    ...settings,
    HOME: home,
    USERPROFILE: home,
    FOUNDRY_CLI: join(path, "foundry"),
    FOUNDRY_EMBEDDED: "true",
    FOUNDRY_MODEL: "a-model-of-the-user",
  });

  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(users.requests).toEqual([]);
  expect(await readdir(path)).toEqual(["home"]);
});

test.skipIf(process.platform === "win32").for(["at once", "while it loads"])(
  "demo that is interrupted %s leaves nothing behind",
  async (when) => {
    const { path, settings } = await folderOfSettings();
    const demo = started(["demo"], settings);
    if (when === "at once") {
      while ((await readdir(path)).length === 0) await setTimeout(2);
    } else {
      await demo.when("a load", () => (demo.stdout.includes("load_model  ") ? true : undefined));
    }

    demo.signal("SIGINT");
    const { code } = await demo.ended;

    expect({ code, stderr: demo.stderr }).toEqual({ code: 130, stderr: "" });
    expect(await readdir(path)).toEqual([]);
    // No process of its group is left.
    expect(() => process.kill(-demo.pid, 0)).toThrow("ESRCH");
  },
);

test("demo uses the service at FOUNDRY_ENDPOINT where that is set", async () => {
  const simulator = await simulated();
  const demo = started(["demo"], {
    FOUNDRY_ENDPOINT: simulator.url,
    FOUNDRY_MODEL: "tiny",
  });

  const { code } = await demo.ended;

  expect(code).toBe(0);
  expect(demo.stdout).toContain(simulator.url);
  expect(demo.stdout).toContain("Hello from a tiny model.");
});

test("demo shows no password of the address", async () => {
  const { url } = await simulated();
  const endpoint = url.replace("//", "//me:word-12345@");
  const { code, stdout, stderr } = await run(["demo"], { FOUNDRY_ENDPOINT: endpoint });

  expect(code).toBe(0);
  expect(stdout + stderr).not.toContain("word-12345");
});

test("a slow reader gets the whole output of a command", async () => {
  // Ten times the pipe's buffer: Node drops the output of a process that has ended.
  const models = Array.from({ length: 10_000 }, (_, at) => ({ id: `m-generic-cpu:${at + 1}` }));
  const { url } = await simulated({ dialect: "openai", models });
  const child = spawn(process.execPath, [MAIN, "models", "--json", "--endpoint", url], {
    env: environmentWith({}),
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  // Longer than the process lives after its last line.
  await setTimeout(4000);

  const output = await text(child.stdout);

  expect(JSON.parse(output).models).toHaveLength(10_000);
});

test("demo fails with a reason where there is no service", async () => {
  const simulator = await simulated();
  await simulator.stop();
  const demo = started(["demo"], { FOUNDRY_ENDPOINT: simulator.url });

  const { code } = await demo.ended;

  expect(code).toBe(1);
  expect(demo.stdout + demo.stderr).toContain("Problem:");
  expect(demo.stdout + demo.stderr).not.toContain("    at ");
});

test("demo shows no log of the server where the level is blank", async () => {
  const { code, stderr } = await run(["demo"], { FOUNDRY_LOG_LEVEL: " " });

  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

test.for(["demo", "simulate"])("%s explains an unexpected error without a stack", async (name) => {
  // A file in place of the folder for temporary files.
  const settings = { TMPDIR: MAIN, TEMP: MAIN, TMP: MAIN };
  const plain = await run([name], settings);
  const atDebug = await run([name], { ...settings, FOUNDRY_LOG_LEVEL: "debug" });

  expect(plain.code).toBe(1);
  expect(plain.stderr).toMatch(/^foundry-local-mcp failed: \S+.*FOUNDRY_LOG_LEVEL=debug.*\n$/);
  expect(plain.stderr).not.toContain("    at ");
  const [, line = ""] = atDebug.stderr.split("\n");
  expect(JSON.parse(line)).toMatchObject({ detail: expect.stringContaining("    at ") });
});
