import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { windowsProgram } from "../../src/platform/paths.js";
import { MAIN } from "../e2e/executable.js";
import { simulated } from "../e2e/simulated.js";
import { Server } from "./server.js";

const HEALTHY = { structuredContent: { status: "healthy" } };

describe.runIf(process.platform === "win32")("a host on Windows", () => {
  it.each([
    ["with CRLF at the end of each line", { endOfLine: "\r\n" }],
    ["with a byte order mark before the first line", { before: "\ufeff" }],
  ])("may write %s", async (_what, wire) => {
    const { url } = await simulated();
    const server = await Server.start({ settings: { FOUNDRY_ENDPOINT: url }, ...wire });
    expect(await server.call("health_check")).toMatchObject(HEALTHY);
    expect(await server.end()).toBe(0);
  });

  it("may start the server through cmd /c, with node on PATH", async () => {
    const { url } = await simulated();
    const system = windowsProgram("", process.env);
    const server = await Server.start({
      settings: { FOUNDRY_ENDPOINT: url, PATH: `${system};${dirname(process.execPath)}` },
      command: [windowsProgram("cmd.exe", process.env), "/c", "node", MAIN],
    });
    expect(await server.call("health_check")).toMatchObject(HEALTHY);
    expect(await server.end()).toBe(0);
  });

  // npm's own shims (npx, an installed foundry-local-mcp) want a newer cmd than wine 8 has.

  it("may never read stdout, and still end the server", async () => {
    const { url } = await simulated();
    const server = await Server.start({ settings: { FOUNDRY_ENDPOINT: url } });
    server.child.stdout.pause();
    for (let each = 0; each < 300; each += 1) server.send("tools/list", {});
    expect(await server.end()).toBe(0);
  });

  it("may never read stderr at level trace, and is still answered", async () => {
    const { url } = await simulated();
    const settings = { FOUNDRY_ENDPOINT: url, FOUNDRY_LOG_LEVEL: "trace" };
    const server = await Server.start({ settings });
    server.child.stderr.pause();
    for (let each = 0; each < 100; each += 1) {
      expect(await server.call("list_models")).toBeDefined();
    }
    expect(await server.end()).toBe(0);
  });
});
