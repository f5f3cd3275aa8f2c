import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, open, readFile, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../temporary-folder.js";
import { WireHost } from "./wire-host.js";

/** The tools in the list; anything slow runs after the list, or beside it. */
async function listedBy(host: WireHost): Promise<unknown> {
  const { result } = await host.request("tools/list");
  return Object(result)["tools"];
}

const TOOLS = expect.arrayContaining([expect.objectContaining({ name: "complete" })]);

/** A command line of Foundry Local that never ends, and writes its process id when it begins. */
async function hangingFoundry() {
  const home = await temporaryFolder("home-");
  const bin = join(home, "bin");
  const began = join(home, "began");
  await mkdir(bin);
  await writeFile(join(bin, "foundry"), `#!/bin/sh\necho $$ >> '${began}'\nexec sleep 600\n`);
  await chmod(join(bin, "foundry"), 0o755);
  const path = [bin, "/usr/bin", "/bin"].join(delimiter);
  const settings = { HOME: home, PATH: path, FOUNDRY_EMBEDDED: "false" };
  const pids = async (): Promise<number[]> =>
    existsSync(began) ? (await readFile(began, "utf8")).trim().split("\n").map(Number) : [];
  onTestFinished(async () => {
    for (const pid of await pids()) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  });
  return { settings, pids };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A service that accepts connections and never answers. */
async function hangingService() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, sockets };
}

describe.skipIf(process.platform === "win32")(
  "with a foundry on PATH that hangs, tools/list",
  () => {
    test("is answered before the command is started", async () => {
      const { settings, pids } = await hangingFoundry();
      const host = await WireHost.start(settings);

      expect(await listedBy(host)).toEqual(TOOLS);

      expect(await pids()).toEqual([]);
    });

    test("is answered while the command hangs", async () => {
      const { settings, pids } = await hangingFoundry();
      const host = await WireHost.start(settings);
      const call = host.call("list_models");
      while ((await pids()).length === 0) await setTimeout(5);

      expect(await listedBy(host)).toEqual(TOOLS);

      // The latest process: an earlier one may have been abandoned.
      expect((await pids()).some(isAlive)).toBe(true);
      expect(host.answers(call)).toEqual([]);
    });
  },
);

describe("with an endpoint that hangs, tools/list", () => {
  test("is answered before the server connects to the endpoint", async () => {
    const { url, sockets } = await hangingService();
    const host = await WireHost.start({ FOUNDRY_ENDPOINT: url });

    expect(await listedBy(host)).toEqual(TOOLS);

    expect(sockets.size).toBe(0);
  });

  test("is answered while a call waits for the endpoint", async () => {
    const { url, sockets } = await hangingService();
    const host = await WireHost.start({ FOUNDRY_ENDPOINT: url });
    const call = host.call("complete", { prompt: "Hello" });
    while (sockets.size === 0) await setTimeout(5);

    expect(await listedBy(host)).toEqual(TOOLS);

    expect(sockets.size).toBeGreaterThan(0);
    expect(host.answers(call)).toEqual([]);
  });
});

describe.skipIf(process.platform === "win32")(
  "with a home on a disk that hangs, tools/list",
  () => {
    test("is answered while all threads wait for the disk", async () => {
      const HOME = await temporaryFolder("home-");
      const pipe = join(HOME, "pipe");
      execFileSync("mkfifo", [pipe]);
      // A thread that opens a pipe without a writer blocks like one that accesses a dead share.
      const block = `import { open } from "node:fs"; process.once("SIGUSR2", () => { for (let i = 0; i < 4; i += 1) open(${JSON.stringify(pipe)}, "r", () => console.error("released")); console.error("blocked"); });`;
      const preload = `data:text/javascript,${encodeURIComponent(block)}`;
      const host = await WireHost.start({ HOME, NODE_OPTIONS: `--import ${preload}` });
      host.signal("SIGUSR2");
      await host.when("the block", () => host.stderr.includes("blocked") || undefined);

      expect(await listedBy(host)).toEqual(TOOLS);

      expect(host.stderr).not.toContain("released");
      // A writer unblocks the threads: they have waited until now.
      const writer = await open(pipe, "r+");
      await host.when("the release", () => host.stderr.includes("released") || undefined);
      await writer.close();
    });

    test.for([
      "a file in place of the folder",
      "a folder without rights",
      "a home that is not there",
    ])("is answered, and so are calls, with %s", async (what) => {
      const folder = await temporaryFolder("home-");
      const HOME = what === "a home that is not there" ? join(folder, "no", "home") : folder;
      const own = join(folder, ".foundry-local-mcp");
      if (what === "a file in place of the folder") await writeFile(own, "");
      if (what === "a folder without rights") {
        await mkdir(own);
        await chmod(own, 0);
      }
      const { url } = await hangingService();
      const host = await WireHost.start({ HOME, FOUNDRY_ENDPOINT: url, FOUNDRY_TIMEOUT: "1" });

      expect(await listedBy(host)).toEqual(TOOLS);
      const { result } = await host.answerTo(host.call("list_models"));

      // The error of the service, not of the folder.
      expect(JSON.stringify(result)).toMatch(/TIMEOUT|NO_ENDPOINT|SERVICE/);
    });
  },
);
