import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { Host } from "../e2e/host.js";
import type { ServiceLine } from "./lines.js";
import { type RealService, type RealServices, startRealServices } from "./services.js";

/** Two cores as on two machines, each with the models that the tests use in memory. */
export interface Machines {
  readonly first: RealService;
  readonly second: RealService;
  stop(): Promise<void>;
}

/** @returns why there are none, where this machine cannot run them. */
export async function startMachines(line: ServiceLine["name"]): Promise<Machines | string> {
  // As in the main job, so that the tiny models are there already.
  const options = { slowTokenMilliseconds: 100, slowLoadSeconds: 3 };
  const start = () => startRealServices({ ...options, lines: [line] });
  const running: readonly RealServices[] = await Promise.all([start(), start()]);
  const stop = async () => {
    await Promise.all(running.map((each) => each.stop()));
  };
  const [first, second] = running.flatMap(({ services }) => services);
  if (first === undefined || second === undefined) {
    await stop();
    return running[0]?.skipped[0]?.reason ?? "no core started";
  }
  await Promise.all([first, second].map(loadModels));
  return { first, second, stop };
}

/** Loads the models as an operator does: on each machine, before the router sends it requests. */
async function loadModels(service: RealService): Promise<void> {
  const host = await Host.start({ FOUNDRY_ENDPOINT: service.url });
  for (const { id } of [service.models.ends, service.models.slow]) {
    expect(await host.call("load_model", { model: id })).toMatchObject({ isError: false });
  }
  await host.close();
}

/** A file of examples/scaling with the addresses and names of a test in place of its own. */
export async function exampleWith(
  name: string,
  replacements: Readonly<Record<string, string>>,
): Promise<string> {
  const url = new URL(`../../examples/scaling/${name}`, import.meta.url);
  let text = await readFile(fileURLToPath(url), "utf8");
  for (const [own, other] of Object.entries(replacements)) {
    if (!text.includes(own)) throw new Error(`examples/scaling/${name} has no "${own}"`);
    text = text.replaceAll(own, other);
  }
  return text;
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ports.push(portOf(server.address()));
  }
  await Promise.all(
    servers.map((server) => new Promise((resolve) => server.close(() => resolve(null)))),
  );
  return ports;
}

const portOf = (address: AddressInfo | string | null): number =>
  address === null || typeof address === "string" ? 0 : address.port;

/** The values of a header in the answers to eight completions at once. */
export async function headersOf(
  url: string,
  model: string,
  header: string,
  key = "none",
): Promise<ReadonlySet<string | null>> {
  const messages = [{ role: "user", content: "Say something." }];
  const request = {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, messages, max_tokens: 60 }),
  };
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => fetch(`${url}/v1/chat/completions`, request)),
  );
  await Promise.all(answers.map((answer) => answer.text()));
  return new Set(answers.map((answer) => answer.headers.get(header)));
}

/** Kills a core, as a power cut does. */
export async function kill(service: RealService): Promise<void> {
  process.kill(service.pid, "SIGKILL");
  await service.ended;
}

/** A completion that is to be interrupted. Each token takes 0.1 s or more. */
export const LONG = { prompt: "Go on.", maxTokens: 30 };
