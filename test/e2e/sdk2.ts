import type { Client } from "@modelcontextprotocol/client";
import { expect } from "vitest";
import { ENDLESS } from "./simulated.js";

/** A client of SDK 2 cancels a completion while its text comes, and the server stops the work. */
export async function expectStopsWhatIsCancelled(client: Client): Promise<void> {
  const stop = new AbortController();
  const given = { prompt: "Go on.", model: ENDLESS, max_tokens: 5000 };
  const call = client.callTool(
    { name: "complete", arguments: given },
    { signal: stop.signal, onprogress: () => stop.abort("the user pressed stop") },
  );
  await expect(call).rejects.toThrow();
  await expect
    .poll(async () => {
      const health = await client.callTool({ name: "health_check", arguments: {} });
      return Object(health.structuredContent).totals;
    })
    .toMatchObject({ cancelled: 1 });
}
