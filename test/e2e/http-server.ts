import { onTestFinished } from "vitest";
import { Executable, type Settings } from "./executable.js";

/** `serve --http` on a free port, for one test. */
export async function httpServer(endpoint: string, settings: Settings = {}) {
  const server = new Executable(["serve", "--http", "0"], {
    FOUNDRY_ENDPOINT: endpoint,
    FOUNDRY_LOG_LEVEL: "warn",
    ...settings,
  });
  onTestFinished(() => server.destroy());
  const url = await server.when("the address", () => /at (http\S+)/.exec(server.stderr)?.[1]);
  return { server, url };
}
