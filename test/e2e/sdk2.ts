import type { Client } from "@modelcontextprotocol/client";
import { expect } from "vitest";
import { ENDLESS } from "./simulated.js";

const GIVEN = { prompt: "Go on.", model: ENDLESS, max_tokens: 2000 };

/** Cancels a completion while its text is generated. */
async function cancelled(client: Client): Promise<void> {
  const stop = new AbortController();
  const call = client.callTool(
    { name: "complete", arguments: GIVEN },
    { signal: stop.signal, onprogress: () => stop.abort("the user pressed stop") },
  );
  await expect(call).rejects.toThrow();
}

/** A client of SDK 2 cancels a completion while its text is generated, and the repeated call joins it. */
export async function expectJoinsWhatIsCancelled(client: Client): Promise<void> {
  await cancelled(client);
  const again = { name: "complete", arguments: { ...GIVEN, reply_within: 0 } };
  await expect
    .poll(async () => (await client.callTool(again)).structuredContent)
    .toMatchObject({ joined: true });
}

/** A client of SDK 2 cancels a completion while its text is generated, and the server stops the work. */
export async function expectStopsWhatIsCancelled(client: Client): Promise<void> {
  await cancelled(client);
  await expect
    .poll(async () => {
      const health = await client.callTool({ name: "health_check", arguments: {} });
      return Object(health.structuredContent).totals;
    })
    .toMatchObject({ cancelled: 1 });
}
