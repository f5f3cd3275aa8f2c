import { expect, it, onTestFinished } from "vitest";
import { FoundryClient } from "../../src/jobs/index.js";
import { FoundryError } from "../../src/lib/errors.js";
import { httpService } from "./dialects/http-service.js";
import { roomyMachine } from "./fixtures.js";

const PASSWORD = "s3cret/päss";
const BASIC = `Basic ${Buffer.from(`me:${PASSWORD}`).toString("base64")}`;

/** An engine with one model, and the `authorization` of each request. */
async function engine(id = "a-model") {
  const seen: (string | undefined)[] = [];
  const { url } = await httpService((request, response) => {
    seen.push(request.headers.authorization);
    const isList = request.url === "/v1/models";
    response.writeHead(isList ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify({ object: "list", data: isList ? [{ id, object: "model" }] : [] }));
  });
  const credentials = `me:${encodeURIComponent(PASSWORD)}@`;
  return { url, endpoint: url.replace("://", `://${credentials}`), seen };
}

function clientWith(options: object): FoundryClient {
  const client = new FoundryClient(options, roomyMachine());
  onTestFinished(() => client.close());
  return client;
}

it("user name and password of an endpoint are sent as a header, and removed from the address", async () => {
  const { endpoint, url, seen } = await engine();
  const client = clientWith({ endpoint });
  await client.listModels();
  expect(new Set(seen)).toEqual(new Set([BASIC]));
  const health = await client.healthCheck();
  expect(health.endpoint).toBe(url);
  expect(JSON.stringify(health)).not.toMatch(/s3cret|me:/);
});

it.each([
  ["a key", { apiKey: "a-key-of-this" }, "Bearer a-key-of-this"],
  ["a key behind its scheme", { apiKey: "Bearer a-key-of-this" }, "Bearer a-key-of-this"],
  ["an own header", { headers: { Authorization: "Token own" } }, "Token own"],
])("%s outranks user name and password", async (_what, options, sent) => {
  const { endpoint, seen } = await engine();
  await clientWith({ endpoint, ...options }).listModels();
  expect(new Set(seen)).toEqual(new Set([sent]));
});

it.each(["loadModel", "complete"] as const)(
  "an error of %s does not quote a secret that is the name of a model",
  async (method) => {
    const { endpoint } = await engine(`m-${PASSWORD}`);
    const client = clientWith({ endpoint, retry: { retries: 0 } });
    const call =
      method === "loadModel"
        ? client.loadModel("other")
        : client.complete({ prompt: "Hi", model: "other" });
    const error = await call.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof FoundryError)) throw new Error("it did not fail");
    const words = `${error.message} ${error.action} ${String(error.cause)} ${error.stack}`;
    expect(words).toContain("(secret)");
    expect(words).not.toContain(PASSWORD);
  },
);

it("plain http to another machine is logged as a warning, without the password", () => {
  const warnings: string[] = [];
  const none = (): void => {};
  const warn = (fields: object, message: string): void =>
    void warnings.push(`${JSON.stringify(fields)} ${message}`);
  const log = { trace: none, debug: none, info: none, warn, error: none };
  clientWith({ endpoint: "http://me:s3cret@192.0.2.1:1234", log });
  clientWith({ endpoint: "https://me:s3cret@192.0.2.1:1234", log });
  clientWith({ endpoint: "http://me:s3cret@localhost:1234", log });
  clientWith({ endpoint: "http://me:s3cret@0.0.0.0:1234/v1", log });
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain("unencrypted");
  expect(warnings[0]).not.toMatch(/s3cret|me:/);
});
