import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { type Simulator, startSimulator } from "foundry-local-simulator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import manifest from "../../package.json" with { type: "json" };
import { removeFolder } from "../temporary-folder.js";

const exec = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));
const isWindows = process.platform === "win32";
/** On Windows, npm and npx are scripts, which only a shell starts. */
const shell = { shell: isWindows };

const packed = z
  .tuple([
    z.object({
      filename: z.string(),
      unpackedSize: z.number(),
      files: z.array(z.object({ path: z.string() })),
    }),
  ])
  .transform(([one]) => one);

let folder: string;
let tarball: string;
let files: string[];
let size: number;
let environment: NodeJS.ProcessEnv;
let simulator: Simulator;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "foundry-local-mcp-pack-"));
  const { PATH, HOME, SystemRoot, APPDATA, USERPROFILE, TEMP } = process.env;
  // Without npm's variables from this test run, and without network access.
  environment = {
    ...{ PATH, HOME, SystemRoot, APPDATA, USERPROFILE, TEMP },
    npm_config_cache: join(folder, "cache"),
    npm_config_offline: "true",
    npm_config_audit: "false",
    npm_config_fund: "false",
    npm_config_update_notifier: "false",
  };
  const { stdout } = await exec(
    "npm",
    ["pack", "--ignore-scripts", "--json", "--pack-destination", folder],
    { cwd: root, env: environment, ...shell },
  );
  const result = packed.parse(JSON.parse(stdout));
  tarball = join(folder, result.filename);
  files = result.files.map(({ path }) => path);
  size = result.unpackedSize;
  simulator = await startSimulator({
    models: [{ id: "tiny:1", script: { text: "Hello from a tiny model." } }],
  });
}, 180_000);

afterAll(async () => {
  await simulator?.close();
  await removeFolder(folder);
});

/** An empty folder, as of a new user of this package. */
async function emptyFolder(name: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(path);
  return path;
}

describe("the package", () => {
  test("contains the files that a user needs", () => {
    expect(files).toEqual(
      expect.arrayContaining([
        "package.json",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "mcp.json.example",
        "dist/main.js",
        "dist/serve.js",
        "dist/index.js",
        "dist/simulator.js",
        "dist/embedded.js",
        "dist/types/index.d.ts",
        "dist/types/simulator/index.d.ts",
        "dist/THIRD-PARTY-LICENSES.txt",
        "docs/scaling.md",
        "docs/tools.md",
        "examples/README.md",
        "examples/answers.json",
        "examples/basic.js",
        "examples/scaling/config.yaml",
        "examples/scaling/haproxy.cfg",
      ]),
    );
  });

  test("contains no other files", () => {
    const known =
      /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|mcp\.json\.example|docs\/[\w-]+\.(md|svg)|skills\/[\w-]+\/SKILL\.md|examples\/([\w-]+\.(js|py)|README\.md|answers\.json|scaling\/(config\.yaml|haproxy\.cfg))|dist\/(main|serve|index|simulator|embedded)\.js|dist\/chunks\/[\w-]+\.js|dist\/types\/[\w/-]+\.d\.ts|dist\/THIRD-PARTY-LICENSES\.txt)$/;

    expect(files.filter((path) => !known.test(path))).toEqual([]);
    expect(size).toBeLessThan(3_300_000);
  });

  test("has no dependencies, so that it installs without a registry", () => {
    expect(manifest).not.toHaveProperty("dependencies");
    // Peers are used where they are installed, and npm never installs them.
    const peers = Object.keys(manifest.peerDependencies);
    expect(peers).toEqual(Object.keys(manifest.peerDependenciesMeta));
    expect(Object.values(manifest.peerDependenciesMeta)).toEqual([{ optional: true }]);
    expect(manifest).not.toHaveProperty("optionalDependencies");
  });
});

/** The line that answers a request; notifications may come before it. */
async function answerTo(id: number, lines: AsyncIterator<string>): Promise<unknown> {
  for (;;) {
    const { value } = await lines.next();
    const message: unknown = JSON.parse(value);
    if (Object(message).id === id) return message;
  }
}

test("npx of the tarball starts the server in an empty folder", async () => {
  const cwd = await emptyFolder("npx");
  const server = spawn(
    "npx",
    ["--yes", `--package=${tarball}`, "foundry-local-mcp", "--endpoint", simulator.url],
    { cwd, env: environment, stdio: ["pipe", "pipe", "inherit"], ...shell },
  );
  try {
    const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
    const send = (message: object): void => {
      server.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    };
    const clientInfo = { name: "e2e", version: "1" };

    send({
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo },
    });
    const introduction: unknown = JSON.parse((await lines.next()).value);
    send({ method: "notifications/initialized" });
    send({
      id: 2,
      method: "tools/call",
      params: { name: "complete", arguments: { prompt: "Hello" } },
    });
    const answer = await answerTo(2, lines);

    expect(introduction).toMatchObject({ result: { serverInfo: { name: "foundry-local-mcp" } } });
    expect(answer).toMatchObject({
      result: { structuredContent: { text: "Hello from a tiny model." } },
    });
    const ended = new Promise((resolve) => server.once("close", resolve));
    server.stdin.end();
    expect(await ended).toBe(0);
  } finally {
    if (server.exitCode === null) server.kill("SIGKILL");
  }
}, 180_000);

test.each(["demo", "doctor"])(
  "%s of the tarball runs in an empty folder",
  async (command) => {
    const cwd = await emptyFolder(command);
    const running = exec("npx", ["--yes", `--package=${tarball}`, "foundry-local-mcp", command], {
      cwd,
      env: { ...environment, ...(command === "doctor" ? { FOUNDRY_ENDPOINT: simulator.url } : {}) },
      ...shell,
    });

    const { stdout } = await running;

    expect(stdout).toContain(command === "demo" ? "simulated text" : "It works.");
  },
  180_000,
);

test("the server loads the SDK once before its first call, and none of serve-http", async () => {
  const loaded = new Map<string, string>();
  const load = async (path: string): Promise<void> => {
    if (loaded.has(path)) return;
    const text = await readFile(path, "utf8");
    loaded.set(path, text);
    for (const [, name = ""] of text.matchAll(/(?:from|import)"(\.[^"]+\.js)"/g)) {
      await load(join(dirname(path), name));
    }
  };
  for (const file of ["serve.js", "chunks/handlers.js", "chunks/backend.js"]) {
    await load(join(root, "dist", file));
  }
  const holding = (part: string) =>
    [...loaded].filter(([, text]) => text.includes(part)).map(([path]) => basename(path));

  expect(loaded.size).toBeGreaterThan(5);
  expect(holding("mcp.SdkError")).toEqual(["serve.js"]);
  // The server over HTTP imports it.
  expect(holding('"node:http2"')).toEqual([]);
});

describe("the library", () => {
  let project: string;

  beforeAll(async () => {
    project = await emptyFolder("project");
    await writeFile(join(project, "package.json"), '{"type":"module","private":true}');
    await exec("npm", ["install", tarball], { cwd: project, env: environment, ...shell });
  }, 180_000);

  test("completes, installed from the tarball", async () => {
    await writeFile(
      join(project, "use.js"),
      `import { FoundryClient, FoundryError } from "foundry-local-mcp";
const client = new FoundryClient({ endpoint: process.argv[2] });
const { text } = await client.complete({ prompt: "Hello" });
const failure = await client.complete({ prompt: "Hello", model: "none" }).catch((error) => error);
await client.close();
process.stdout.write(JSON.stringify({ text, isOurs: failure instanceof FoundryError, code: failure.code }));
`,
    );

    const { stdout } = await exec(process.execPath, ["use.js", simulator.url], {
      cwd: project,
      env: environment,
    });

    expect(JSON.parse(stdout)).toEqual({
      text: "Hello from a tiny model.",
      isOurs: true,
      code: "MODEL_NOT_FOUND",
    });
  });

  test("shows an error that nothing catches without pages of code", async () => {
    const use =
      'import { FoundryClient } from "foundry-local-mcp"; new FoundryClient({ port: 1 });';
    await writeFile(join(project, "wrong.js"), use);

    const failed = exec(process.execPath, ["wrong.js"], { cwd: project, env: environment });
    const { stderr } = await failed.catch((error) => error);

    expect(stderr).toMatch(/^FoundryError: There is no option "port"\./m);
    expect(stderr.length).toBeLessThan(4000);
  });

  test("adds neither MCP nor a command to a bundle of FoundryClient", async () => {
    const { metafile, outputFiles } = await build({
      stdin: { contents: 'export { FoundryClient } from "./dist/index.js";', resolveDir: root },
      absWorkingDir: root,
      outdir: join(folder, "bundled"),
      bundle: true,
      splitting: true,
      platform: "node",
      format: "esm",
      metafile: true,
      write: false,
      logLevel: "silent",
    });

    const used = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs));
    const text = outputFiles.map((file) => file.text).join("");

    expect(text).toContain("FoundryClient");
    expect(text).not.toContain("notifications/initialized");
    expect(used.filter((path) => /main|serve|handlers|demo|doctor|simulat/.test(path))).toEqual([]);
  });

  test("imports no module in a way that webpack takes over: it follows createRequire", async () => {
    const library = files.filter((path) => /^dist\/(?:chunks\/.*|index|simulator)\.js$/.test(path));
    const texts = await Promise.all(library.map((path) => readFile(join(root, path), "utf8")));

    expect(library).toContain("dist/index.js");
    expect(
      library.filter((_, at) => /import\s*\{[^}]*\bcreateRequire\b/.test(texts[at] ?? "")),
    ).toEqual([]);
  });

  test.for(["esm", "cjs"] as const)(
    "completes in a bundle of another program, %s",
    async (format) => {
      const other = await emptyFolder(`bundle-${format}`);
      const outfile = join(other, format === "esm" ? "bundle.mjs" : "bundle.cjs");
      await build({
        stdin: {
          contents: `import { FoundryClient } from "foundry-local-mcp";
const client = new FoundryClient({ endpoint: process.argv[2] });
client.complete({ prompt: "Hello" }).then(async ({ text }) => {
  await client.close();
  process.stdout.write(text);
});`,
          resolveDir: project,
        },
        outfile,
        bundle: true,
        platform: "node",
        format,
        logLevel: "silent",
      });

      const { stdout } = await exec(process.execPath, [outfile, simulator.url], {
        env: environment,
      });

      expect(stdout).toBe("Hello from a tiny model.");
    },
  );

  test("can be tested by its users on the simulator with scripted answers", async () => {
    await writeFile(
      join(project, "simulated.js"),
      `import { FoundryClient } from "foundry-local-mcp";
import { startSimulator } from "foundry-local-mcp/simulator";
const simulator = await startSimulator({
  port: 0,
  answers: [{ match: "weather", reply: "Sunny." }],
});
const client = new FoundryClient({ endpoint: simulator.url });
const { text } = await client.complete({ prompt: "How is the weather?" });
await client.close();
await simulator.close();
process.stdout.write(text);
`,
    );

    const { stdout } = await exec(process.execPath, ["simulated.js"], {
      cwd: project,
      env: environment,
    });

    expect(stdout).toBe("Sunny.");
  });

  test("is typed: a strict project that checks its libraries compiles with it", async () => {
    const { stdout } = await compile(
      "typed.ts",
      `import { type Completion, FoundryClient, type FoundryClientOptions, FoundryError } from "foundry-local-mcp";

const options: FoundryClientOptions = { endpoint: "http://127.0.0.1:5273", timeoutMs: 1000 };
const client = new FoundryClient(options);
export async function answer(prompt: string): Promise<Completion> {
  try {
    for await (const event of client.streamComplete({ prompt, maxTokens: 10 })) {
      if (event.type === "text") process.stdout.write(event.text);
    }
    return await client.complete({ prompt }, { signal: AbortSignal.timeout(1000) });
  } catch (error) {
    if (error instanceof FoundryError && error.code === "MODEL_NOT_CACHED") throw new Error(error.action);
    throw error;
  }
}
`,
    );

    expect(stdout).toBe("");
  }, 180_000);

  test("is typed: without the types of Node, for a project that has those of a browser", async () => {
    const { stdout } = await compile(
      "browser.ts",
      `import {
  FoundryClient, FoundryError, type FoundryErrorJson, type Logger, type ModelListResult, type RetryOptions,
} from "foundry-local-mcp";

const retry: RetryOptions = { retries: 1 };
const log: Logger = { trace() {}, debug() {}, info() {}, warn(_fields, message) { console.warn(message); }, error() {} };
const client = new FoundryClient({ endpoint: "http://127.0.0.1:5273", retry, log });
export const models = (): Promise<ModelListResult> => client.listModels({ signal: AbortSignal.timeout(1000) });
export async function answers(prompts: readonly string[]): Promise<string[]> {
  const texts: string[] = [];
  for await (const { index, state } of client.completeBatch(prompts.map((prompt) => ({ prompt })))) {
    texts[index] = state.error?.message ?? state.text;
  }
  return texts;
}
export const written = (error: unknown): FoundryErrorJson | null =>
  error instanceof FoundryError ? error.toJSON() : null;
`,
      { lib: ["ES2022", "DOM"], types: [], typeRoots: [] },
    );

    expect(stdout).toBe("");
  }, 180_000);

  test("is typed: the simulator, without the types of Node", async () => {
    const { stdout } = await compile(
      "simulated-browser.ts",
      `import { startSimulator } from "foundry-local-mcp/simulator";
export const url = async (): Promise<string> => (await startSimulator()).url;
`,
      { lib: ["ES2022", "ESNext.Disposable", "DOM"], types: [], typeRoots: [] },
    );

    expect(stdout).toBe("");
  }, 180_000);

  test("is typed: the simulator, too", async () => {
    const { stdout } = await compile(
      "simulated.ts",
      `import { type ScriptedAnswer, type SimulatorOptions, startSimulator } from "foundry-local-mcp/simulator";

const answers: ScriptedAnswer[] = [
  { match: /weather/i, toolCalls: [{ name: "get_weather", arguments: { city: "Oslo" } }] },
  { json: { done: true }, delayMs: 10 },
];
const options: SimulatorOptions = { dialect: "C1", models: [{ id: "tiny:1", loaded: true }], answers };
export async function prompts(): Promise<number> {
  await using simulator = await startSimulator(options);
  const remove = simulator.addFault({ kind: "status", status: 503, times: 1, on: { path: "/v1/*" } });
  remove();
  return simulator.requests.filter(({ path }) => path.endsWith("/chat/completions")).length;
}
`,
    );

    expect(stdout).toBe("");
  }, 180_000);

  test("is typed: wrong use does not compile", async () => {
    const compiling = compile(
      "wrong.ts",
      `import { FoundryClient } from "foundry-local-mcp";
export const text: Promise<string> = new FoundryClient().complete({ promt: "Hello" });
`,
    );

    await expect(compiling).rejects.toMatchObject({
      stdout: expect.stringMatching(/'promt' does not exist(.|\n)*CompletionRequest|TS2322/),
    });
  }, 180_000);

  function compile(
    name: string,
    source: string,
    changes: Readonly<Record<string, readonly string[]>> = {},
  ): Promise<{ stdout: string }> {
    const options = {
      target: "ES2023",
      lib: ["ES2023"],
      module: "NodeNext",
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
      types: ["node"],
      typeRoots: [join(root, "node_modules", "@types")],
      ...changes,
    };
    const settings = JSON.stringify({ compilerOptions: options, files: [name] });
    const config = `tsconfig.${name}.json`;
    return Promise.all([
      writeFile(join(project, name), source),
      writeFile(join(project, config), settings),
    ]).then(() =>
      exec(
        process.execPath,
        [join(root, "node_modules", "typescript", "bin", "tsc"), "--project", config],
        { cwd: project, env: environment },
      ),
    );
  }
});
