import { startSimulator } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { detectDialect } from "../../../src/foundry/dialects/detect.js";
import { HttpTransport } from "../../../src/http/index.js";
import { httpService } from "./http-service.js";

function transportTo(baseUrl: string): HttpTransport {
  const transport = new HttpTransport({ baseUrl, retry: { retries: 0 } });
  onTestFinished(() => transport.close());
  return transport;
}

const CALL = { limits: { wholeMs: 5000 }, retry: false };

/** A service that has only these routes: path → status and body. */
async function serviceWith(
  routes: Readonly<Record<string, readonly [status: number, body: string]>>,
  headers: Readonly<Record<string, string>> = {},
) {
  return httpService((request, response) => {
    const [status, body] = routes[request.url ?? ""] ?? [404, ""];
    response.writeHead(status, headers);
    response.end(body);
  });
}

describe("detectDialect", () => {
  it.each([
    ["2.0.0", "2.0"],
    ["2.0.1", "2.0"],
    ["2.1.0", "2.1 or later"],
    ["2.2.1", "2.1 or later"],
  ])("detects core %s as C2, %s", async (version, told) => {
    const simulator = await startSimulator({ version });
    onTestFinished(() => simulator.close());
    const { dialect } = await detectDialect(transportTo(simulator.url), CALL);
    expect(dialect).toMatchObject({ name: "C2", version: told });
  });

  it("uses no route that C2 blocks while a model loads", async () => {
    const simulator = await startSimulator({
      models: [{ id: "slow-generic-cpu:1" }],
      loadMs: 600_000,
    });
    onTestFinished(() => simulator.close());
    const loading = fetch(`${simulator.url}/models/load/slow`).catch(() => null);
    await simulator.waitFor(({ requests }) => requests.length === 1);
    const { dialect } = await detectDialect(transportTo(simulator.url), CALL);
    expect(dialect).toMatchObject({ name: "C2", version: "2.1 or later" });
    await simulator.close();
    await loading;
  });

  it("detects C2 by its server's name where /status does not exist", async () => {
    const { url } = await serviceWith({}, { server: "oatpp/1.3.0" });
    expect((await detectDialect(transportTo(url), CALL)).dialect).toMatchObject({ name: "C2" });
  });

  it("blames the path of the endpoint where C2 has none of its routes", async () => {
    const simulator = await startSimulator();
    onTestFinished(() => simulator.close());
    await expect(detectDialect(transportTo(`${simulator.url}/openai`), CALL)).rejects.toMatchObject(
      {
        code: "NOT_FOUNDRY",
        action: expect.stringContaining("Leave the path /openai out"),
      },
    );
  });

  it("detects one of C2's families of routes as an OpenAI-compatible engine", async () => {
    const simulator = await startSimulator();
    onTestFinished(() => simulator.close());
    const transport = transportTo(`${simulator.url}/catalogs/local`);
    expect((await detectDialect(transport, CALL)).dialect).toMatchObject({ name: "openai" });
  });

  it("detects C1 by the directory in its /status", async () => {
    const { url } = await serviceWith({
      "/status": [
        200,
        '{"endpoints":["http://127.0.0.1:1"],"modelDirPath":"/m","pipeName":null,"isAutoRegistrationResolved":true,"autoRegistrationStatus":"No EP bootstrappers configured."}',
      ],
    });
    expect((await detectDialect(transportTo(url), CALL)).dialect).toMatchObject({ name: "C1" });
  });

  it("detects a C1 without /status by its list of loaded models", async () => {
    const { url, asked } = await serviceWith({ "/models/loaded": [200, '["a:1"]'] });
    expect((await detectDialect(transportTo(url), CALL)).dialect).toMatchObject({ name: "C1" });
    expect(asked).toEqual(["GET /status", "GET /openai/status", "GET /models/loaded"]);
  });

  it.each(["modelDirPath", "ModelDirPath"])(
    "detects S, the legacy service, by %s",
    async (member) => {
      const { url, asked } = await serviceWith({
        "/openai/status": [200, JSON.stringify({ Endpoints: [], [member]: "C:\\models" })],
      });
      expect((await detectDialect(transportTo(url), CALL)).dialect).toMatchObject({
        name: "S",
        title: "Foundry Local service (CLI 0.8 or before)",
        version: null,
        can: { forceUnload: true },
      });
      expect(asked).toEqual(["GET /status", "GET /openai/status"]);
    },
  );

  it("does not report a too long head where the service only broke the connection", async () => {
    const { url } = await httpService((_request, response) => response.destroy());
    await expect(detectDialect(transportTo(url), CALL)).rejects.toMatchObject({
      code: "SERVICE_UNREACHABLE",
    });
  });

  it("detects anything else with a list of models as an OpenAI-compatible engine", async () => {
    const simulator = await startSimulator({ dialect: "openai" });
    onTestFinished(() => simulator.close());
    const { dialect } = await detectDialect(transportTo(simulator.url), CALL);
    expect(dialect).toMatchObject({ name: "openai", version: null });
  });

  it.each([502, 503, 504])(
    "detects an engine behind a gateway that answers %i at all other paths",
    async (status) => {
      const { url } = await httpService((request, response) => {
        response.writeHead(request.url === "/v1/models" ? 200 : status);
        response.end(request.url === "/v1/models" ? '{"data":[{"id":"m"}]}' : "No server");
      });
      const retry = { retries: 3, initialPauseMs: 1, maxPauseMs: 1 };
      const transport = new HttpTransport({ baseUrl: url, retry });
      onTestFinished(() => transport.close());
      const { dialect } = await detectDialect(transport, { limits: { wholeMs: 30_000 } });
      expect(dialect).toMatchObject({ name: "openai" });
      expect(transport.circuit.state).toBe("closed");
    },
  );

  it.each([
    [
      "a web page",
      200,
      "<!doctype html><title>Hi</title>",
      "NOT_FOUNDRY",
      "HTTP 200 with a web page",
    ],
    ["half a JSON", 200, '{"data":[{"id"', "NOT_FOUNDRY", "HTTP 200 with broken JSON"],
    ["another JSON", 200, '{"hello":"world"}', "NOT_FOUNDRY", "HTTP 200 with other JSON"],
    ["nothing", 200, "", "NOT_FOUNDRY", "HTTP 200 with nothing"],
    ["text", 200, "It works!", "NOT_FOUNDRY", "HTTP 200 with other text"],
    ["404 everywhere", 404, "", "NOT_FOUNDRY", "HTTP 404 with nothing"],
    ["a want of credentials", 401, "", "UNAUTHORIZED", "requires credentials"],
    ["refused credentials", 403, "", "UNAUTHORIZED", "requires credentials"],
    ["too many requests", 429, "", "SERVICE_BUSY", "is busy (HTTP 429)"],
    ["errors", 500, "", "SERVICE_ERROR", "only with errors (HTTP 500)"],
  ])("reports a server that answers with %s", async (_what, status, body, code, words) => {
    const { url } = await httpService((_request, response) => {
      response.writeHead(status);
      response.end(body);
    });
    await expect(detectDialect(transportTo(url), CALL)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(words),
    });
  });

  it.each(["Invalid host header", '{"detail":"Invalid host header"}'])(
    "names the host as the reason of a server that answers 400 with %s",
    async (body) => {
      const { url } = await httpService((_request, response) => {
        response.writeHead(400).end(body);
      });
      await expect(detectDialect(transportTo(url), CALL)).rejects.toMatchObject({
        code: "UNAUTHORIZED",
        message: expect.stringContaining("It said: Invalid host header"),
        action: expect.stringContaining("whose host name the service accepts"),
      });
    },
  );

  it.each([
    [429, { error: { message: "Slow down, flux" } }, "SERVICE_BUSY"],
    [529, { error: "Overloaded by flux" }, "SERVICE_BUSY"],
    [503, { detail: "No flux now" }, "SERVICE_ERROR"],
    [500, { message: "the flux is off" }, "SERVICE_ERROR"],
    [403, { error: "invalid host header of flux" }, "UNAUTHORIZED"],
    [401, { error: { message: "this flux key expired" } }, "UNAUTHORIZED"],
  ])("keeps the message and the pause of a list of models with %i", async (status, body, code) => {
    const { url } = await httpService((request, response) => {
      const isList = request.url === "/v1/models";
      response.writeHead(isList ? status : 404, { "retry-after": "90" });
      response.end(JSON.stringify(isList ? body : {}));
    });
    await expect(detectDialect(transportTo(url), CALL)).rejects.toMatchObject({
      code,
      retryAfterMs: 90_000,
      message: expect.stringMatching(/It said: .*flux/),
    });
  });
});
