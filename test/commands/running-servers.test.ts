import { pbkdf2 } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { runningServers, ServerFile } from "../../src/commands/running-servers.js";
import { FoundryClient } from "../../src/jobs/index.js";
import { SecretMask } from "../../src/lib/index.js";
import { silentLogger } from "../../src/log.js";
import { temporaryFolder } from "../temporary-folder.js";

/** No process has this id: systems assign smaller ones. */
const DEAD = 2_147_483_646;
const KEY = "sk-SECRET-0123456789";
const SECRETS = new SecretMask([KEY]);

async function serverFile() {
  const directory = join(await temporaryFolder("servers-"), "own");
  const client = new FoundryClient({ endpoint: "http://127.0.0.1:1", retry: { retries: 0 } });
  const file = new ServerFile({ client, directory, log: silentLogger, secrets: SECRETS });
  onTestFinished(async () => {
    await file.close();
    await client.close();
  });
  const read = () => runningServers(directory);
  return { directory, client, file, read };
}

it("a server is listed with its host and its counts until it ends", async () => {
  const { client, file, read, directory } = await serverFile();
  await client.listModels().catch(() => null);
  file.host = "claude-code";
  file.write();
  await expect.poll(read).toHaveLength(1);
  expect(await read()).toMatchObject([
    {
      pid: process.pid,
      host: "claude-code",
      url: null,
      metrics: {
        endpoint: "http://127.0.0.1:1",
        operations: [{ operation: "list", failed: 1, errors: { SERVICE_UNREACHABLE: 1 } }],
      },
    },
  ]);
  await file.close();
  expect(await readdir(directory)).toEqual([]);
});

it("the file of a server has no key in the names of models", async () => {
  const { client, file, read, directory } = await serverFile();
  const call = client.service.metrics.begin("complete");
  call.model = `m-${KEY}:1`;
  call.end("failed", "INFERENCE_FAILED");
  file.write();
  await expect.poll(read).toMatchObject([
    {
      metrics: {
        operations: [{ operation: "complete", model: "m-(secret):1" }],
        last_error: { model: "m-(secret):1" },
      },
    },
  ]);
  expect(await readFile(join(directory, `${process.pid}.json`), "utf8")).not.toContain(KEY);
});

it("a file is written again only when something has changed", async () => {
  const { client, file, read, directory } = await serverFile();
  file.write();
  await expect.poll(read).toHaveLength(1);
  const path = join(directory, `${process.pid}.json`);
  const first = await readFile(path, "utf8");
  file.write();
  expect(await readFile(path, "utf8")).toBe(first);
  await client.listModels().catch(() => null);
  file.write();
  await expect.poll(() => readFile(path, "utf8")).not.toBe(first);
});

it.skipIf(process.platform === "win32")("only its user can read it", async () => {
  const { file, read, directory } = await serverFile();
  file.write();
  await expect.poll(read).toHaveLength(1);
  const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;
  expect(await modeOf(directory)).toBe(0o700);
  expect(await modeOf(join(directory, `${process.pid}.json`))).toBe(0o600);
});

it("a server that ends within a second writes nothing", async () => {
  const { file, directory } = await serverFile();
  await file.close();
  file.write();
  await expect(readdir(directory)).rejects.toMatchObject({ code: "ENOENT" });
});

it("the file of a process that was killed is not shown, and removed by the next server", async () => {
  const { client, file, read, directory } = await serverFile();
  const dead = new ServerFile({
    client,
    directory,
    log: silentLogger,
    secrets: SECRETS,
    pid: DEAD,
  });
  dead.write();
  const names = () => readdir(directory).catch(() => []);
  await expect.poll(names).toEqual([`${DEAD}.json`]);
  expect(await read()).toEqual([]);
  file.write();
  await expect.poll(names).toEqual([`${process.pid}.json`]);
  await dead.close();
});

it("a temporary file that a process of the same id has left does not keep a server from being shown", async () => {
  const { file, read, directory } = await serverFile();
  await mkdir(directory, { mode: 0o700 });
  await writeFile(join(directory, `${process.pid}.json.new`), "{");
  await writeFile(join(directory, `${process.pid}.json.0b5c.tmp`), "{");
  await writeFile(join(directory, `${DEAD}.json.0b5c.tmp`), "{");
  file.write();
  await expect.poll(read).toHaveLength(1);
  expect(await readdir(directory)).toEqual([`${process.pid}.json`]);
});

/** Delays all work with files in this process. */
async function busyThreads(): Promise<void> {
  const hash = promisify(pbkdf2);
  const rounds = Array.from({ length: 8 }, () => hash("", "", 20_000, 64, "sha512"));
  await Promise.all(rounds);
}

it("a late write leaves no file after the end", async () => {
  const { client, directory, file: other } = await serverFile();
  await other.close();
  const file = new ServerFile({
    client,
    directory,
    log: silentLogger,
    secrets: SECRETS,
    lateMs: 1,
  });
  const busy = busyThreads();
  file.write();
  await setTimeout(20);
  file.host = "claude-code";
  file.write();
  await file.close();
  await busy;
  expect(await readdir(directory)).toEqual([]);
});

it("a server is shown again after the folder of all servers was deleted", async () => {
  const { file, read, directory } = await serverFile();
  file.write();
  await expect.poll(read).toHaveLength(1);
  await rm(directory, { recursive: true });
  file.host = "claude-code";
  // As its timer does: the first of these fails.
  const written = () => {
    file.write();
    return read();
  };
  await expect.poll(written).toMatchObject([{ host: "claude-code" }]);
});

it.each([
  ["is no JSON", "{"],
  ["is of another program", '{"pid":1}'],
  ["is older than a server's", JSON.stringify({ written_at: 1 })],
])("a file that %s is ignored", async (_what, text) => {
  const { file, read, directory } = await serverFile();
  file.write();
  await expect.poll(read).toHaveLength(1);
  const path = join(directory, `${process.pid}.json`);
  const own = text.includes("written_at")
    ? JSON.stringify({ ...JSON.parse(await readFile(path, "utf8")), ...JSON.parse(text) })
    : text;
  await writeFile(path, own);
  expect(await read()).toEqual([]);
});

it("a missing folder counts as no servers", async () => {
  expect(await runningServers(join(await temporaryFolder("none-"), "x"))).toEqual([]);
});
