import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../temporary-folder.js";
import type { Executable } from "./executable.js";
import { WireHost } from "./wire-host.js";

/** Far above the time of a normal end, and far below a host's patience. */
const END_WITHIN_MS = 6000;

const ENDINGS: readonly (readonly [string, (server: Executable) => void])[] = [
  ["the end of stdin", (server) => server.endInput()],
  ["SIGTERM", (server) => server.signal("SIGTERM")],
];

describe.skipIf(process.platform === "win32")("a server with a disk that does not answer", () => {
  test.for(ENDINGS)("ends at %s while daemon.json is a pipe", async ([, end]) => {
    const HOME = await temporaryFolder("home-");
    await mkdir(join(HOME, ".foundry"));
    execFileSync("mkfifo", [join(HOME, ".foundry", "daemon.json")]);
    const server = await WireHost.start({ HOME, FOUNDRY_EMBEDDED: "false" });
    expect(
      await server.request("tools/call", { name: "health_check", arguments: {} }),
    ).toMatchObject({
      result: { structuredContent: { status: expect.any(String) } },
    });

    const askedAt = performance.now();
    end(server);

    const { code, signal, at } = await server.ended;
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    expect(at - askedAt).toBeLessThan(END_WITHIN_MS);
  });

  test.for(ENDINGS)("ends at %s while all threads wait for the disk", async ([, end]) => {
    const HOME = await temporaryFolder("home-");
    const pipe = join(HOME, "pipe");
    execFileSync("mkfifo", [pipe]);
    // A thread that opens a pipe without a writer blocks like one that accesses a dead share.
    const block = `import { open } from "node:fs"; process.once("SIGUSR2", () => { for (let i = 0; i < 4; i += 1) open(${JSON.stringify(pipe)}, "r", () => {}); console.error("blocked"); });`;
    const preload = `data:text/javascript,${encodeURIComponent(block)}`;
    const server = await WireHost.start({ HOME, NODE_OPTIONS: `--import ${preload}` });
    // From then on nothing of the server itself is read from the disk.
    await server.request("resources/list");
    server.signal("SIGUSR2");
    await server.when("the block", () => server.stderr.includes("blocked") || undefined);
    expect(await server.request("ping")).toMatchObject({ result: {} });

    const askedAt = performance.now();
    end(server);

    const { at } = await server.ended;
    expect(at - askedAt).toBeLessThan(END_WITHIN_MS);
    expect(server.stderr).toContain(`"pid":${server.pid}`);
  });
});
