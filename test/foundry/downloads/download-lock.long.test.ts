import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { DownloadLock } from "../../../src/foundry/downloads/download-lock.js";
import { machine } from "./fixtures.js";

const PROGRAM = fileURLToPath(new URL("downloading-process.ts", import.meta.url));

interface Other {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly says: (word: string) => Promise<void>;
}

/** Another process of this package, which downloads until its stdin ends. */
function otherProcess(home: string, end: "returns" | "exits" = "returns"): Other {
  const child = spawn(process.execPath, ["--import", "tsx", PROGRAM, home, end], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const said: string[] = [];
  createInterface(child.stdout).on("line", (line) => said.push(line));
  return {
    child,
    says: (word) => expect.poll(() => said, { timeout: 20_000 }).toContain(word),
  };
}

const never = new AbortController().signal;
const lockFiles = (home: string) => readdir(join(home, ".foundry-local-mcp", "downloads"));

describe("the download lock", () => {
  it("is acquired at once without another download, and leaves no file behind", async () => {
    const { home, platform } = await machine();
    const waited: string[] = [];
    const turn = new DownloadLock({ home, platform }).run(
      never,
      () => waited.push("waited"),
      async () => (await lockFiles(home)).length,
    );
    expect(await turn).toBe(1);
    expect(waited).toEqual([]);
    expect(await lockFiles(home)).toEqual([]);
  });

  it("is released when the work fails", async () => {
    const { home, platform } = await machine();
    const locks = new DownloadLock({ home, platform });
    const failing = locks.run(
      never,
      () => {},
      () => Promise.reject(new Error("no")),
    );
    const next = locks.run(
      never,
      () => {},
      async () => "done",
    );
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe("done");
  });

  it("is held by one caller at a time, in the order of their calls", async () => {
    const { home, platform } = await machine();
    const order: number[] = [];
    let now = 0;
    const one = async (index: number) => {
      now += 1;
      expect(now).toBe(1);
      order.push(index);
      await new Promise((resolve) => setTimeout(resolve, 1));
      now -= 1;
    };
    const locks = Array.from({ length: 10 }, (_, index) =>
      new DownloadLock({ home, platform }).run(
        never,
        () => {},
        () => one(index),
      ),
    );
    await Promise.all(locks);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("is waited for while another process holds it", async () => {
    const { home, platform } = await machine();
    const other = otherProcess(home);
    await other.says("has it");
    const waited: string[] = [];
    const order: string[] = [];
    const turn = new DownloadLock({ home, platform }).run(
      never,
      () => {
        waited.push("waited");
        order.push("the other ends");
        other.child.stdin.end();
      },
      async () => order.push("ours"),
    );
    await turn;
    expect(waited).toEqual(["waited"]);
    expect(order).toEqual(["the other ends", "ours"]);
  });

  it("is waited for by another process while this one holds it", async () => {
    const { home, platform } = await machine();
    const locks = new DownloadLock({ home, platform });
    const other = await locks.run(
      never,
      () => {},
      async () => {
        const started = otherProcess(home);
        await started.says("waiting");
        return started;
      },
    );
    await other.says("has it");
    other.child.stdin.end();
    await once(other.child, "exit");
    expect(await lockFiles(home)).toEqual([]);
  });

  it("is released by a process that exits during its work", async () => {
    const { home } = await machine();
    const other = otherProcess(home, "exits");
    await other.says("has it");
    other.child.stdin.end();
    await once(other.child, "exit");
    expect(await lockFiles(home)).toEqual([]);
  });

  it("is taken from a process that was killed", async () => {
    const { home, platform } = await machine();
    const other = otherProcess(home);
    await other.says("has it");
    other.child.kill("SIGKILL");
    await once(other.child, "exit");
    const waited: string[] = [];
    const locks = new DownloadLock({ home, platform });
    await locks.run(
      never,
      () => waited.push("waited"),
      async () => {},
    );
    expect(await lockFiles(home)).toEqual([]);
  });

  it("is not waited for after an abort", async () => {
    const { home, platform } = await machine();
    const other = otherProcess(home);
    await other.says("has it");
    const controller = new AbortController();
    const turn = new DownloadLock({ home, platform }).run(
      controller.signal,
      () => controller.abort(),
      async () => "ours",
    );
    await expect(turn).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("is acquired without the other processes where nothing can be written", async () => {
    const { home, platform } = await machine();
    await mkdir(join(home, ".foundry-local-mcp"));
    await writeFile(join(home, ".foundry-local-mcp", "downloads"), "a file, not a folder");
    const turn = new DownloadLock({ home, platform }).run(
      never,
      () => {},
      async () => "ours",
    );
    expect(await turn).toBe("ours");
  });
});
