import { execFileSync } from "node:child_process";
import { chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readDaemonFile } from "../../../src/foundry/discovery/daemon-file.js";
import { Installation } from "./installation.js";

const read = async (content: object | string) => {
  const installation = await Installation.make();
  await installation.writeDaemonFile(content);
  return readDaemonFile(installation.machine);
};

describe("daemon.json", () => {
  it("contains the daemon's addresses, process and version", async () => {
    const content = {
      web_urls: ["http://127.0.0.1:1"],
      pid: 7,
      daemon_version: "0.10.3",
      other: {},
    };

    expect(await read(content)).toEqual({
      urls: ["http://127.0.0.1:1"],
      pid: 7,
      version: "0.10.3",
    });
  });

  it("is read with a byte order mark", async () => {
    expect(await read(`\uFEFF{"urls":["http://127.0.0.1:1"]}`)).toEqual({
      urls: ["http://127.0.0.1:1"],
      pid: null,
      version: null,
    });
  });

  it("gives its addresses although other members are invalid", async () => {
    const content = { urls: ["http://127.0.0.1:1"], web_urls: "none", pid: "7", daemon_version: 3 };

    expect(await read(content)).toMatchObject({ urls: ["http://127.0.0.1:1"], pid: null });
  });

  it.each(["", "9".repeat(41), "0.10.3 at /home/someone/x", "1\u001b[31m", 3])(
    "has no version where that is %j",
    async (version) => {
      const content = { urls: ["http://127.0.0.1:1"], daemon_version: version };

      expect(await read(content)).toMatchObject({ version: null });
    },
  );

  it.each(["", "{", "null", "[]", '"text"'])("is damaged when it contains %j", async (content) => {
    expect(await read(content)).toBe("is damaged");
  });

  it.each([{}, { web_urls: [] }, { web_urls: null, pid: 7 }, { urls: [7] }])(
    "names no address as %j",
    async (content) => {
      expect(await read(content)).toBe("names no address");
    },
  );

  it("may be missing, or not be a file", async () => {
    const installation = await Installation.make();
    expect(await readDaemonFile(installation.machine)).toBe("is not there");

    await mkdir(join(installation.home, ".foundry", "daemon.json"), { recursive: true });
    expect(await readDaemonFile(installation.machine)).toBe("cannot be read: it is not a file");
  });

  it("is not read when it is unusually large", async () => {
    const content = { urls: ["http://127.0.0.1:1"], more: "x".repeat(64 * 1024) };
    expect(await read(content)).toBe("cannot be read: it is too large");
  });

  it.skipIf(process.platform === "win32")("does not block when it is a pipe", async () => {
    const installation = await Installation.make();
    await mkdir(join(installation.home, ".foundry"));
    execFileSync("mkfifo", [join(installation.home, ".foundry", "daemon.json")]);
    expect(await readDaemonFile(installation.machine)).toBe("cannot be read: it is not a file");
  });

  // Only root can change the owner of a file.
  it.skipIf(process.getuid?.() !== 0)("is ignored when it belongs to another user", async () => {
    const installation = await Installation.make();
    await installation.writeDaemonFile({ urls: ["http://127.0.0.1:1"] });
    await chown(join(installation.home, ".foundry", "daemon.json"), 4711, 4711);
    expect(await readDaemonFile(installation.machine)).toBe(
      "is ignored: it belongs to another user",
    );
    expect(await readDaemonFile(installation.machine, 4711)).toMatchObject({ pid: null });
  });

  it("gives only a limited number of addresses", async () => {
    const urls = Array.from({ length: 1000 }, (_, index) => `http://127.0.0.1:${index + 1}`);
    expect(await read({ urls })).toMatchObject({ urls: urls.slice(0, 8) });
  });
});
