import { createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  type Asked,
  ownerOfListener,
  pidsInNetstat,
  taskInTasklist,
  uidsInLsof,
  uidsInSocketTable,
} from "../../src/platform/listener-owner.js";
import type { ProgramRun } from "../../src/platform/run-program.js";

const HEADER =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const row = (local: string, uid: number, state = "0A") =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 245 1 0000 100 0 0 10 0\n`;
const V6_ALL = "0".repeat(32);

describe("the socket table of Linux", () => {
  it.each([
    ["on 127.0.0.1", row("0100007F:1499", 1000), [1000]],
    ["on all addresses", row("00000000:1499", 1000), [1000]],
    ["on all of IPv6", row(`${V6_ALL}:1499`, 1000), [1000]],
    ["on 127.0.0.1, mapped", row("0000000000000000FFFF00000100007F:1499", 1000), [1000]],
    ["twice", row("0100007F:1499", 1000) + row("00000000:1499", 0), [1000, 0]],
    ["on another port", row("0100007F:1498", 1000), []],
    ["on another address", row("0200A8C0:1499", 1000), []],
    ["on ::1 alone", row("00000000000000000000000001000000:1499", 1000), []],
    ["no more", row("0100007F:1499", 1000, "06"), []],
    ["by a damaged line", "   0: 0100007F:1499 00", []],
  ])("names the user of the listener %s", (_, rows, uids) => {
    expect(uidsInSocketTable(HEADER + rows, 5273)).toEqual(uids);
  });
});

describe("lsof", () => {
  it.each([
    ["on 127.0.0.1", "p812\nu501\nf12\nn127.0.0.1:5273\n", [501]],
    ["on all addresses", "p812\nu501\nf12\nn*:5273\nf13\nn[::]:5273\n", [501, 501]],
    ["of two users", "p1\nu0\nf3\nn*:5273\np812\nu501\nf12\nn127.0.0.1:5273\n", [0, 501]],
    ["elsewhere", "p812\nu501\nf12\nn192.168.0.2:5273\n", []],
    ["without a user", "p812\nf12\nn127.0.0.1:5273\n", []],
    ["not", "", []],
  ])("names the user of the listener %s", (_, output, uids) => {
    expect(uidsInLsof(output, 5273)).toEqual(uids);
  });
});

const NETSTAT = [
  "",
  "Aktive Verbindungen",
  "",
  "  Proto  Lokale Adresse         Remoteadresse          Status           PID",
  "  TCP    0.0.0.0:135            0.0.0.0:0              ABHÖREN         1084",
  "  TCP    127.0.0.1:5273         0.0.0.0:0              ABHÖREN         4242",
  "  TCP    127.0.0.1:5273         127.0.0.1:61022        HERGESTELLT     4242",
  "  TCP    127.0.0.1:61022        127.0.0.1:5273         HERGESTELLT     900",
  "  TCP    [::]:5764              [::]:0                 LISTENING       77",
  "  TCP    [::1]:5272             [::]:0                 LISTENING       78",
  "  UDP    0.0.0.0:5273           *:*                                    99",
].join("\r\n");

const task = (pid: number, user: string, session = "1") =>
  `"foundry, ""x"".exe","${pid}","Console","${session}","48.112 K","Running","${user}","0:00:01","N/A"\r\n`;

describe("the commands of Windows", () => {
  it.each([
    [5273, [4242]],
    [5764, [77]],
    [5272, []],
    [135, [1084]],
    [61_022, []],
  ])("netstat names the process that listens on %i, in any language", (port, pids) => {
    expect(pidsInNetstat(NETSTAT, port)).toEqual(pids);
  });

  it.each([
    ["a user", task(7, "PC\\u"), { session: "1", user: "PC\\u" }],
    ["no user", task(7, "Nicht zutreffend", "0"), { session: "0", user: null }],
    ["no such task", "INFO: No tasks are running.\r\n", null],
    ["another", task(8, "PC\\u"), null],
  ])("tasklist shows %s", (_, output, expected) => {
    expect(taskInTasklist(output, 7)).toEqual(expected);
  });
});

const said = (stdout: string, code = 0, stderr = ""): ProgramRun => ({
  end: { kind: "exited", code, signal: null },
  stdout,
  stderr,
});

const onLinux = (tables: Readonly<Record<string, string>>, uid: number): Asked => ({
  machine: { platform: "linux", environment: {} },
  uid,
  readTable: async (file) => tables[file] ?? null,
});
const onMac = (run: ProgramRun): Asked => ({
  machine: { platform: "darwin", environment: {} },
  uid: 501,
  run: async (file) => {
    expect(file).toBe("/usr/sbin/lsof");
    return run;
  },
});
const onWindows = (tasks: Readonly<Record<number, string>>): Asked => ({
  machine: { platform: "win32", environment: { SYSTEMROOT: "D:\\Win" } },
  uid: null,
  pid: 7,
  run: async (file, args) => {
    if (file === "D:\\Win\\System32\\netstat.exe") return said(NETSTAT);
    expect(file).toBe("D:\\Win\\System32\\tasklist.exe");
    return said(tasks[Number(/\d+$/.exec(args.at(-1) ?? "")?.[0])] ?? "INFO: none\r\n");
  },
});
const TIMED_OUT: ProgramRun = { end: { kind: "timed_out" }, stdout: "", stderr: "" };
const OWN = task(7, "PC\\u");
const table4 = (rows: string) => ({ "/proc/net/tcp": HEADER + rows });
const table6 = (rows: string) => ({ "/proc/net/tcp6": HEADER + rows });

describe("the owner of a listener", () => {
  it.each<[string, Asked, string]>([
    ["this user's on Linux", onLinux(table4(row("0100007F:1499", 1000)), 1000), "own"],
    ["this user's over IPv6", onLinux(table6(row(`${V6_ALL}:1499`, 1000)), 1000), "own"],
    ["another user's", onLinux(table4(row("0100007F:1499", 1001)), 1000), "other"],
    ["the system's", onLinux(table4(row("0100007F:1499", 0)), 1000), "other"],
    ["root's, for root", onLinux(table4(row("0100007F:1499", 0)), 0), "own"],
    ["a user's, for root", onLinux(table4(row("0100007F:1499", 1000)), 0), "other"],
    [
      "two users'",
      onLinux({ ...table4(row("0100007F:1499", 1000)), ...table6(row(`${V6_ALL}:1499`, 5)) }, 1000),
      "other",
    ],
    ["not in this container's tables", onLinux(table4(""), 1000), "unknown"],
    ["without /proc", onLinux({}, 1000), "unknown"],
    ["this user's on a Mac", onMac(said("p8\nu501\nf1\nn127.0.0.1:5273\n")), "own"],
    ["not shown on a Mac", onMac(said("", 1)), "other"],
    ["of a failed lsof", onMac(said("", 1, "lsof: WARNING: can't stat()")), "unknown"],
    ["of a late lsof", onMac(TIMED_OUT), "unknown"],
    ["this user's on Windows", onWindows({ 7: OWN, 4242: task(4242, "PC\\u") }), "own"],
    ["another's on Windows", onWindows({ 7: OWN, 4242: task(4242, "PC\\v") }), "other"],
    ["a service's on Windows", onWindows({ 7: OWN, 4242: task(4242, "N/A", "0") }), "other"],
    ["not shown, in this session", onWindows({ 7: OWN, 4242: task(4242, "N/A") }), "unknown"],
    ["gone", onWindows({ 7: OWN }), "unknown"],
    ["of a Windows that says nothing", onWindows({ 4242: task(4242, "PC\\u") }), "unknown"],
    [
      "on another system",
      { machine: { platform: "freebsd", environment: {} }, uid: 1000 },
      "unknown",
    ],
  ])("is %s", async (_, asked, owner) => {
    expect(await ownerOfListener(5273, asked)).toBe(owner);
  });

  it.skipIf(process.platform !== "linux").each(["127.0.0.1", "0.0.0.0", "::"])(
    "is known on this machine for a listener on %s",
    async (host) => {
      const server = createServer();
      onTestFinished(() => void server.close());
      await new Promise<void>((resolve) => server.listen(0, host, resolve));
      const address = server.address();
      const port = address !== null && typeof address === "object" ? address.port : 0;
      const machine = { platform: process.platform, environment: process.env };
      expect(await ownerOfListener(port, { machine })).toBe("own");
      expect(await ownerOfListener(port, { machine, uid: 4711 })).toBe("other");
    },
  );
});
