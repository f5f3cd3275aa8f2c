import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { isWaitingForThreads } from "../../src/platform/own-process.js";
import { temporaryFolder } from "../temporary-folder.js";

const PROGRAM = fileURLToPath(new URL("ending-process.ts", import.meta.url));

async function endOf(...args: readonly string[]) {
  const child = spawn(process.execPath, ["--import", "tsx", PROGRAM, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const said = text(child.stdout);
  const [code, signal] = await once(child, "exit");
  return { code, signal, said: await said };
}

describe("the end of this process", () => {
  it("is a normal exit with its exit code", async () => {
    expect(await endOf()).toEqual({ code: 3, signal: null, said: "exit 3" });
  });

  it.skipIf(process.platform === "win32")(
    "comes after the last output although a thread waits for a file for ever",
    async () => {
      const folder = await temporaryFolder("ending-");
      execFileSync("mkfifo", [join(folder, "pipe")]);
      expect(await endOf(join(folder, "pipe"))).toEqual({
        code: null,
        signal: "SIGKILL",
        said: "exit 3",
      });
    },
  );

  it.each([
    [["PipeWrap", "Timeout"], false],
    [["FSReqCallback"], true],
    [["TCPSocketWrap", "FSReqPromise"], true],
    [["GetAddrInfoReqWrap"], true],
    [[], false],
  ])("with the handles %j waits for threads: %s", (resources, waits) => {
    expect(isWaitingForThreads(resources)).toBe(waits);
  });
});
