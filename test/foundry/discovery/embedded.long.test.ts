import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { get } from "../../../packages/simulator/test/ask.js";
import { isProcessAlive } from "../../../src/platform/processes.js";
import {
  type EmbeddedInstallation,
  installEmbedded,
  processOf,
  type Watched,
  watchedService,
} from "./embedded-installation.js";

let installation: EmbeddedInstallation;
const started: Watched[] = [];

beforeAll(async () => {
  installation = await installEmbedded();
});
afterEach(async () => {
  await Promise.all(started.splice(0).map(({ service }) => service.close()));
});
afterAll(() => installation?.remove());

function embedded(options: Parameters<typeof watchedService>[1] = {}): Watched {
  const watched = watchedService(installation, options);
  started.push(watched);
  return watched;
}

const answers = async (endpoint: string): Promise<boolean> => {
  // Not by `fetch`, which fails under wine 8.
  return (await get(endpoint, "/v1/models")).status === 200;
};

describe("an embedded service", () => {
  test("listens at the endpoint that its start returns", async () => {
    const { service } = embedded();

    const before = service.endpoint;
    const { endpoint } = await service.start();

    expect(before).toBeNull();
    expect(service.endpoint).toBe(endpoint);
    expect(endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(await answers(endpoint)).toBe(true);
  });

  test("is started once for concurrent and later calls", async () => {
    const { service, printed } = embedded();

    const [one, other] = await Promise.all([service.start(), service.start()]);
    const later = await service.start();
    await service.close();

    expect(other).toEqual(one);
    expect(later).toEqual(one);
    expect(printed.filter((line) => line.startsWith("listening"))).toHaveLength(1);
  });

  test("starts for the others when one caller leaves", async () => {
    const { service } = embedded();
    const leaving = new AbortController();

    const left = service.start(leaving.signal);
    const stays = service.start();
    leaving.abort();

    await expect(left).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await answers((await stays).endpoint)).toBe(true);
  });

  test("is configured with the application's name, the folders of models and logs, and a low log level", async () => {
    const { service, printed } = embedded();

    await service.start();
    await service.close();

    const own = join(installation.home, ".foundry-local-mcp");
    const line = printed.find((each) => each.startsWith("settings ")) ?? "";
    expect(JSON.parse(line.slice("settings ".length))).toEqual({
      appName: "foundry-local-mcp",
      modelCacheDir: join(own, "cache", "models"),
      logsDir: join(own, "logs"),
      logLevel: "warn",
    });
  });

  test("uses the command line's models where they exist", async () => {
    const ofCommandLine = join(installation.home, "other", ".foundry", "cache", "models");
    await mkdir(ofCommandLine, { recursive: true });
    const home = join(installation.home, "other");
    const watched = watchedService({ ...installation, home });
    started.push(watched);

    await watched.service.start();
    await watched.service.close();

    expect(watched.printed.join("\n")).toContain(JSON.stringify(ofCommandLine));
  });

  test("starts with an SDK of version 2, which has fewer settings", async () => {
    const { service, printed } = embedded({ failing: "version 2" });

    const { endpoint } = await service.start();
    const answered = await answers(endpoint);
    await service.close();

    expect(answered).toBe(true);
    expect(printed.join("\n")).toContain('"modelCacheDir"');
  });

  test("ends when it is closed, and is not started again", async () => {
    const { service, printed } = embedded();
    const { endpoint } = await service.start();

    await service.close();

    expect(service.endpoint).toBeNull();
    expect(await answers(endpoint)).toBe(false);
    expect(isProcessAlive(processOf(printed))).toBe(false);
    expect(printed).toContain("stopped");
    await expect(service.start()).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
  });

  test("that is closed while it starts leaves no process behind", async () => {
    const { service, printed } = embedded({ failing: "slow start" });

    const start = service.start().catch((error: unknown) => error);
    await vi.waitFor(() => expect(printed.join()).toContain("settings"), 10_000);
    await service.close();

    expect(await start).toMatchObject({ code: "CLIENT_CLOSED" });
    expect(service.endpoint).toBeNull();
  });
});

describe("an embedded service that native code blocks", () => {
  test("is still ended when it is closed", async () => {
    const { service, printed } = embedded({ failing: "hang" });
    const start = service.start().catch((error: unknown) => error);
    await vi.waitFor(() => expect(processOf(printed)).toBeGreaterThan(0), 10_000);

    await service.close();

    expect(await start).toMatchObject({ code: "CLIENT_CLOSED" });
    expect(isProcessAlive(processOf(printed))).toBe(false);
  });
});

describe("an embedded service that does not start", () => {
  test("reports that the SDK is not installed", async () => {
    const { service } = watchedService({ ...installation, folder: installation.home });

    const isInstalled = await service.isInstalled();
    const start = service.start();

    expect(isInstalled).toBe(false);
    await expect(start).rejects.toMatchObject({
      code: "EMBEDDED_FAILED",
      message: "The npm package foundry-local-sdk is not installed beside foundry-local-mcp.",
      // The tests run in a clone.
      action: expect.stringContaining("npm install --no-save --save-dev foundry-local-sdk"),
    });
  });

  test.each([
    ["no native libraries", "without its native libraries", "npm rebuild foundry-local-sdk"],
    ["core does not load", "is there but does not load", "npm rebuild foundry-local-sdk"],
    ["wrong platform", "no build for this kind of machine", "Macs with Apple silicon"],
    ["listens nowhere", "listens nowhere", "The log at level debug"],
  ])("reports the reason: %s", async (failing, what, remedy) => {
    const { service } = embedded({ failing });

    const isInstalled = await service.isInstalled();
    const error = await service.start().catch((reason: unknown) => reason);

    expect(isInstalled).toBe(true);
    expect(error).toMatchObject({
      code: "EMBEDDED_FAILED",
      message: expect.stringContaining(what),
      action: expect.stringContaining(remedy),
    });
    expect(String(error)).not.toContain("/somewhere");
  });

  test("reports how its process ended, with its last output only for the log", async () => {
    const { service } = embedded({ failing: "crash on start" });

    const error = await service.start().catch((reason: unknown) => reason);

    expect(error).toMatchObject({
      code: "EMBEDDED_FAILED",
      message: "The embedded Foundry Local ended while it started (exit code 134).",
      detail: expect.stringContaining("terminate called"),
      retryable: true,
    });
  });

  // On Windows, another code reports it.
  test.skipIf(process.platform === "win32")(
    "reports that the system refuses to start its process",
    async () => {
      // Linux takes 128 KiB in one variable, and macOS 1 MiB in all.
      const variables = { TOO_LONG: "x".repeat(2 ** 21) };
      const { service } = embedded({ variables });

      const error = await service.start().catch((reason: unknown) => reason);

      expect(error).toMatchObject({
        code: "EMBEDDED_FAILED",
        message: "The embedded Foundry Local ended while it started (E2BIG).",
        retryable: true,
      });
    },
  );

  test("is ended when it does not report its endpoint in time", async () => {
    const { service, printed } = embedded({ failing: "hang", startTimeoutMs: 1500 });

    const start = service.start();

    await expect(start).rejects.toMatchObject({
      code: "EMBEDDED_FAILED",
      message: expect.stringContaining("within 1.5 s"),
    });
    expect(isProcessAlive(processOf(printed))).toBe(false);
  });

  test("is refused where its version is too old", async () => {
    const old = await installEmbedded("0.5.0");
    const { service } = watchedService(old);

    const start = service.start();

    await expect(start).rejects.toMatchObject({ message: expect.stringContaining("0.5.0") });
    await old.remove();
  });
});

describe("an embedded service that crashes", () => {
  test("fails its running download, and is started again when it is needed", async () => {
    const { service } = embedded();
    const { endpoint } = await service.start();

    const error = await service.download({ id: "fatal:1" }).catch((reason: unknown) => reason);
    const afterwards = service.endpoint;
    const again = await service.start();

    expect(error).toMatchObject({
      code: "EMBEDDED_FAILED",
      message: expect.stringContaining("ended during a download"),
      retryable: true,
    });
    expect(afterwards).toBeNull();
    expect(await answers(endpoint)).toBe(false);
    expect(await answers(again.endpoint)).toBe(true);
  });
});

describe("a download", () => {
  test("reports percentages and ends", async () => {
    const { service } = embedded();
    const told: number[] = [];

    await service.download({ id: "tiny:1" }, { onPercent: (percent) => told.push(percent) });

    expect(told).toEqual([33.34, 66.67, 100]);
  });

  test("uses the newest version where the service gave a name without one", async () => {
    const { service, printed } = embedded();

    await service.download({ id: "tiny:1" });
    await service.download({ id: "tiny" });
    await service.close();

    const downloads = printed.filter((line) => line.startsWith("downloading"));
    expect(downloads).toEqual(["downloading tiny:1", "downloading tiny:2"]);
  });

  test("of a model that is not in the catalog fails with that reason", async () => {
    const { service } = embedded();

    const download = service.download({ id: "nope:1" });

    await expect(download).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: "nope:1 was not downloaded: the embedded Foundry Local's catalog does not have it.",
      retryable: false,
    });
  });

  test("that is cancelled ends in the SDK as well", async () => {
    const { service, printed } = embedded();
    const controller = new AbortController();

    const download = service.download(
      { id: "endless:1" },
      { signal: controller.signal, onPercent: () => controller.abort() },
    );

    await expect(download).rejects.toMatchObject({ code: "CANCELLED" });
    await expect.poll(() => printed).toContain("the download was aborted");
  });

  test("fails when the service is closed", async () => {
    const { service } = embedded();

    const download = service.download(
      { id: "endless:1" },
      { onPercent: () => void service.close() },
    );

    await expect(download).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
  });
});

test.skipIf(process.platform === "win32")(
  "a process without a free file gets an error, and goes on",
  async () => {
    const program = fileURLToPath(new URL("embedded-without-files.ts", import.meta.url));
    const line = 'ulimit -n 400; exec "$0" --import tsx "$1"';
    const host = spawn("sh", ["-c", line, process.execPath, program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [printed, [code]] = await Promise.all([text(host.stdout), once(host, "exit")]);

    expect(printed.trim()).toBe(
      "EMBEDDED_FAILED: The embedded Foundry Local ended while it started (EMFILE).",
    );
    expect(code).toBe(0);
  },
);

/** Starts the service in a process of its own; resolves with the lines it prints. */
async function hostedElsewhere(failing: string) {
  const program = fileURLToPath(new URL("embedded-host.ts", import.meta.url));
  const { home, folder, childFile } = installation;
  const args = ["--import", "tsx", program, home, folder, childFile, failing];
  const host = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const exited = new Promise((resolve) => host.once("exit", resolve));
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: host.stdout }).on("line", (line) => {
      const [, found] = /listening at (\S+)/.exec(line) ?? [];
      if (found !== undefined) resolve(found);
    });
    host.once("exit", () => reject(new Error("the host ended too early")));
  });
  return { host, exited, url };
}

/** A blocked process still accepts connections; only an ended one refuses them. */
async function takesConnections(url: string): Promise<boolean> {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

describe("the end of its parent", () => {
  test.each(["", "hang"])(
    "by a kill ends the child process, even while native code blocks it (%j)",
    async (failing) => {
      const { host, exited, url } = await hostedElsewhere(failing);
      const before = await takesConnections(url);

      host.kill("SIGKILL");
      await exited;

      expect(before).toBe(true);
      await vi.waitFor(async () => expect(await takesConnections(url)).toBe(false), 10_000);
    },
  );

  test("before the child process has loaded its program ends that, too", async () => {
    const host = `
      const { spawn } = require("node:child_process");
      const stdio = ["ignore", "ignore", "ignore", "ipc"];
      const child = spawn(process.execPath, [process.argv[1]], { stdio });
      require("node:fs").writeSync(1, String(child.pid));
      process.kill(process.pid, "SIGKILL");`;
    const killed = spawn(process.execPath, ["-e", host, installation.childFile], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const child = Number(await text(killed.stdout));

    expect(child).toBeGreaterThan(0);
    await vi.waitFor(() => expect(isProcessAlive(child)).toBe(false), 10_000);
  });

  test("by itself is not delayed by the child process", async () => {
    const { host, exited, url } = await hostedElsewhere("");

    host.stdin.end();
    const code = await exited;

    expect(code).toBe(0);
    await vi.waitFor(async () => expect(await takesConnections(url)).toBe(false), 10_000);
  });
});
