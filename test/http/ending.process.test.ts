import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { httpServer } from "./servers.js";

describe("a process", () => {
  /** Runs a program that has `HttpTransport` and the URL of a server; fails unless it ends. */
  async function run(baseUrl: string, program: string): Promise<string> {
    const code = `
      import { HttpTransport } from "./src/http/index.js";
      const baseUrl = ${JSON.stringify(baseUrl)};
      ${program}`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "-e", code],
      { cwd: fileURLToPath(new URL("../..", import.meta.url)), timeout: 50_000 },
    );
    return stdout.trim();
  }

  it("is not kept alive by an idle connection", async () => {
    const { baseUrl } = await httpServer((_request, response) => response.end("x"));
    const program = `
      const transport = new HttpTransport({ baseUrl });
      console.log((await transport.request({ method: "GET", path: "/", limits: {}, toError: null })).body);`;
    expect(await run(baseUrl, program)).toBe("x");
  });

  it("is kept alive by the pause before a retry, and by nothing after close()", async () => {
    const { baseUrl } = await httpServer((request, response) => {
      if (request.url === "/busy") response.writeHead(503, { "Retry-After": "60" }).end();
    });
    const program = `
      const retry = { maxPauseMs: 60_000 };
      const transport = new HttpTransport({ baseUrl, retry });
      const limits = { firstByteMs: 60_000, silenceMs: 60_000, wholeMs: 60_000 };
      const call = (path) => transport.request({ method: "GET", path, limits, toError: null });
      const calls = [call("/busy"), call("/silent")];
      setTimeout(() => transport.close(), 500).unref();
      const ended = await Promise.allSettled(calls);
      console.log(ended.map(({ reason }) => reason.code).join());`;
    expect(await run(baseUrl, program)).toBe("CLIENT_CLOSED,CLIENT_CLOSED");
  });
});
