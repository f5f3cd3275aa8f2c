import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { posix, win32 } from "node:path";
import { stillAnswers } from "./control.js";

/** In every file, to distinguish a leftover stand-in from a real command line. */
const MARK =
  "A stand-in for Foundry Local's command line, made by the simulator of foundry-local-mcp.";

/** For the child that keeps stdout and stderr open: for how many milliseconds. */
const HOLDS = "FOUNDRY_STAND_IN_HOLDS_MS";

/**
 * Executes the orders of the control server, one JSON line each, over a socket. It imports only Node's
 * own modules, so that it starts fast, and ends with the connection: it never outlives the simulator.
 */
const PROGRAM = String.raw`// ${MARK}
import { spawn } from "node:child_process";
import net from "node:net";
import { fileURLToPath } from "node:url";

const holds = Number(process.env.${HOLDS} ?? 0);
const streams = [process.stdout, process.stderr];
// A closed reader must not end the process.
for (const stream of streams) stream.on("error", () => {});
let written = Promise.resolve();
const afterWriting = (what) => {
  written = written.then(what);
};

const acts = {
  write: ({ stream, base64 }) =>
    afterWriting(
      () => new Promise((done) => streams[stream].write(Buffer.from(base64, "base64"), () => done())),
    ),
  exit: ({ code }) => afterWriting(() => process.exit(code)),
  kill: () => afterWriting(() => process.kill(process.pid, "SIGKILL")),
  ignoreTermination: () => process.on("SIGTERM", () => {}),
  hold: ({ milliseconds }) => {
    spawn(process.execPath, [fileURLToPath(import.meta.url)], {
      env: { ...process.env, ${HOLDS}: String(milliseconds) },
      stdio: ["ignore", "inherit", "inherit"],
      detached: true,
      windowsHide: true,
    }).unref();
  },
};

const socket = net.connect(__PORT__, "127.0.0.1", () => {
  const hello = { token: __TOKEN__, pid: process.pid, argv: process.argv.slice(2), holds: holds > 0 };
  socket.write(JSON.stringify(hello) + "\n");
});
let rest = "";
socket.setEncoding("utf8");
socket.on("data", (text) => {
  const lines = (rest + text).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    const message = JSON.parse(line);
    acts[message.act](message);
  }
});
socket.on("error", () => {
  if (holds === 0) process.stderr.write("foundry: the simulator that this stands in for has ended.\n");
});
socket.on("close", () => process.exit(1));
socket.on("end", () => process.exit(1));
if (holds > 0) setTimeout(() => process.exit(0), holds);
`;

export interface ProgramFile {
  readonly path: string;
  readonly text: string;
  readonly executable: boolean;
}

export interface ProgramPlace {
  readonly platform: string;
  readonly directory: string;
  /** The path of the running Node. */
  readonly node: string;
}

/**
 * The files of a stand-in. The last one works as `FOUNDRY_CLI` on every platform. The first one is for
 * PATH; on Windows it would have to be an .exe, so that there both are the script.
 *
 * A shell script in place of a `#!` line with Node's path, which may contain spaces or be too long;
 * `exec` keeps the process the same.
 */
export function programFiles(place: ProgramPlace, port: number, token: string): ProgramFile[] {
  const windows = place.platform === "win32";
  const path = windows ? win32 : posix;
  const script: ProgramFile = {
    path: path.join(place.directory, "foundry.mjs"),
    text: PROGRAM.replace("__PORT__", String(port)).replace("__TOKEN__", JSON.stringify(token)),
    executable: false,
  };
  if (windows) return [script];
  const command = `#!/bin/sh\n# ${MARK}\nexec ${quoted(place.node)} ${quoted(script.path)} "$@"\n`;
  const executable = path.join(place.directory, "foundry");
  return [{ path: executable, text: command, executable: true }, script];
}

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

/** Another simulator's stand-in is in the directory, and that simulator runs. */
export class StandInInUse extends Error {}

/** @throws when a file exists that is not a stand-in's, or that belongs to a running simulator. */
export async function writeProgram(
  directory: string,
  files: readonly ProgramFile[],
): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const { path } of files) {
    const present = await readFile(path, "utf8").catch(unlessMissing);
    if (present !== null && !present.includes(MARK)) {
      throw new Error(`there is a ${path} that is not a stand-in`);
    }
    if (present !== null && (await isInUse(present))) {
      throw new StandInInUse(`the ${path} there is is that of a simulator that runs`);
    }
  }
  for (const { path, text, executable } of files) {
    await writeFile(path, text);
    if (executable) await chmod(path, 0o755);
  }
}

/** Only the script names its simulator; the executable beside it belongs to the same one. */
async function isInUse(script: string): Promise<boolean> {
  const port = /net\.connect\((\d+),/.exec(script)?.[1];
  const token = /token: "([^"]*)"/.exec(script)?.[1];
  if (port === undefined || token === undefined) return false;
  return await stillAnswers(Number(port), token);
}

/** Removes the files that are unchanged: another simulator may have replaced them. */
export async function removeProgram(files: readonly ProgramFile[]): Promise<void> {
  for (const { path, text } of files.toReversed()) {
    const present = await readFile(path, "utf8").catch(unlessMissing);
    if (present !== null && present !== text) return;
    await rm(path, { force: true });
  }
}

function unlessMissing(error: unknown): null {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
  throw error;
}
