import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { type SimulatorOptions, startSimulator } from "foundry-local-simulator";
import { onTestFinished } from "vitest";
import { AllowedFolders } from "../../src/files/index.js";
import { FoundryClient, type FoundryClientOptions } from "../../src/jobs/index.js";
import { type Kept, NOTHING_KEPT } from "../../src/keeper/index.js";
import type { CallPolicy } from "../../src/mcp/backend.js";
import { createServer } from "../../src/mcp/server.js";
import { temporaryFolder } from "../temporary-folder.js";
import { backendOf } from "./backend.js";

/** A simulated service that ends with the test. */
export async function simulatedService(options: SimulatorOptions = {}) {
  const simulator = await startSimulator(options);
  onTestFinished(() => simulator.close());
  return simulator;
}

/** A folder for the simulator's files, so that aliases and downloads are known. */
export async function cacheFolder(): Promise<string> {
  const folder = await temporaryFolder("foundry-local-mcp-test-");
  return folder;
}

/**
 * The server with a service, and the SDK's client connected to it in memory. `received` is
 * every message that the server sent.
 */
export async function connectedHost(
  options: FoundryClientOptions,
  policy?: CallPolicy,
  folders: readonly string[] = [],
  kept: Partial<Kept> = {},
) {
  const foundry = new FoundryClient(options);
  const files = new AllowedFolders(folders);
  const server = createServer({
    backend: backendOf({
      client: foundry,
      files,
      kept: { ...NOTHING_KEPT, ...kept },
      ...(policy && { policy }),
    }),
    hasFiles: folders.length > 0,
  });
  const host = new Client({ name: "test", version: "1" });
  const [hostSide, serverSide] = InMemoryTransport.createLinkedPair();
  const received: JSONRPCMessage[] = [];
  hostSide.onmessage = (message) => void received.push(message);
  await Promise.all([server.connect(serverSide), host.connect(hostSide)]);
  onTestFinished(async () => {
    await host.close();
    await foundry.close();
  });
  return { host, received, foundry };
}

/** A host with a service whose model follows the script, slow enough to be read while it runs. */
export async function runningCompletion(
  script: object,
  onCancel: CallPolicy["onCancel"] = "auto",
  options: SimulatorOptions = {},
) {
  const service = await simulatedService({
    models: [{ id: "talker-generic-cpu:1", loaded: true, script }],
    tokensPerSecond: 50,
    ...options,
  });
  const connected = await connectedHost(
    { endpoint: service.url, concurrency: 1 },
    { replyWithinMs: 45_000, onCancel },
  );
  return { service, ...connected };
}

/** The text beside a result. */
export function textOf(answer: object): string {
  const content: unknown = Reflect.get(answer, "content");
  const [block] = Array.isArray(content) ? content : [];
  return String(block?.text);
}
