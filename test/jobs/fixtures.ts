import { type SimulatorOptions, startSimulator } from "foundry-local-simulator";
import { onTestFinished } from "vitest";
import { FoundryClient, type FoundryClientOptions } from "../../src/jobs/index.js";

export const MODEL = "talker-generic-cpu:1";

/** A simulated service with one model that is loaded, and a client of it; both end with the test. */
export async function talker(
  script: object,
  options: SimulatorOptions = {},
  clientOptions: FoundryClientOptions = {},
) {
  const service = await startSimulator({
    models: [{ id: MODEL, loaded: true, script }],
    ...options,
  });
  const client = new FoundryClient({
    endpoint: service.url,
    concurrency: 1,
    retry: { retries: 0 },
    ...clientOptions,
  });
  onTestFinished(async () => {
    await client.close();
    await service.close();
  });
  const { completions } = client;
  /** The chat requests to the service. */
  const chats = () => service.requests.filter(({ path }) => path === "/v1/chat/completions");
  return { service, client, completions, chats };
}

export const FOREVER = { text: "On and on. ", forever: true };
