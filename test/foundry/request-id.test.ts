import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { FoundryError } from "../../src/lib/errors.js";
import { failureText } from "../../src/mcp/tool.js";
import { httpService } from "./dialects/http-service.js";
import { clientOf } from "./fixtures.js";

const TEXT = 'data: {"choices":[{"index":0,"delta":{"content":"So far"}}]}\n\n';
const ERROR = 'data: {"error":{"message":"CUDA out of memory","type":"server_error"}}\n\n';

/** An engine with one model, that answers a chat like this. */
async function engine(chat: (response: ServerResponse) => void) {
  return httpService((request, response) => {
    if (request.url === "/v1/models") response.end('{"object":"list","data":[{"id":"m"}]}');
    else if (request.method === "POST") chat(response);
    else response.writeHead(404).end();
  });
}

async function failureOf(url: string): Promise<FoundryError> {
  try {
    for await (const _ of clientOf(url).streamComplete({ prompt: "Hi", model: "m" }));
  } catch (thrown) {
    if (thrown instanceof FoundryError) return thrown;
  }
  throw new Error("the completion did not fail with a FoundryError");
}

describe("the id of a failed request", () => {
  it.each([
    ["a service", { "X-Request-Id": "req-1" }, "req-1"],
    ["LiteLLM", { "x-litellm-call-id": "call-1" }, "call-1"],
    [
      "LiteLLM with the id of the service behind it",
      {
        "x-litellm-call-id": "call-1",
        "request-id": "req-1",
        "llm_provider-x-request-id": "req-1",
      },
      "call-1, req-1",
    ],
    ["LiteLLM after a retry", { "request-id": "req-1, req-2" }, "req-1, req-2"],
    ["a service that sends none", {}, null],
    ["a service that sends an empty one", { "x-request-id": " " }, null],
    ["a service that sends a long one", { "x-request-id": "r".repeat(9000) }, "r".repeat(200)],
  ])("is taken from %s", async (_what, headers, requestId) => {
    const { url } = await engine((response) => response.writeHead(400, headers).end("no"));
    expect(await failureOf(url)).toMatchObject({ code: "INVALID_REQUEST", requestId });
  });

  it.each([
    ["an error before the first token", [ERROR]],
    ["an error after the first token", [TEXT, ERROR]],
    ["an end without a finish_reason", [TEXT]],
    ["something that is no answer", ["data: nonsense\n\n"]],
    ["an empty stream", []],
  ])("is kept for %s", async (_what, pieces) => {
    const { url } = await engine((response) => {
      response.writeHead(200, { "content-type": "text/event-stream", "x-request-id": "req-1" });
      response.end(pieces.join(""));
    });
    expect(await failureOf(url)).toMatchObject({ requestId: "req-1" });
  });

  it("is kept for a connection that breaks in the middle of the answer", async () => {
    const { url } = await engine((response) => {
      response.writeHead(200, { "content-type": "text/event-stream", "x-request-id": "req-1" });
      response.write(TEXT, () => response.destroy());
    });
    expect(await failureOf(url)).toMatchObject({ code: "STREAM_INTERRUPTED", requestId: "req-1" });
  });

  it("is in the text for an agent, without a key that it repeats", async () => {
    const { url } = await engine((response) => {
      response.writeHead(400, { "x-request-id": "req-1" }).end("no");
    });
    expect(failureText(await failureOf(url))).toContain(
      "Id of the request in the service's log: req-1",
    );
    const repeating = await engine((response) => {
      response.writeHead(400, { "x-request-id": "sk-secret-key-1" }).end("no");
    });
    const client = clientOf(repeating.url, { apiKey: "sk-secret-key-1" });
    const error = await client.complete({ prompt: "Hi", model: "m" }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(FoundryError);
    expect(failureText(error)).not.toContain("sk-secret-key-1");
  });

  it("is reported beside the time to wait that a router passes on", async () => {
    const { url } = await engine((response) => {
      response.writeHead(429, { "llm_provider-retry-after": "60", "x-litellm-call-id": "call-1" });
      response.end('{"error":{"message":"Model rate limit exceeded. RPM limit=1"}}');
    });
    const client = clientOf(url, { retry: { retries: 0 } });
    await expect(client.complete({ prompt: "Hi", model: "m" })).rejects.toMatchObject({
      code: "SERVICE_BUSY",
      retryAfterMs: 60_000,
      requestId: "call-1",
    });
  });
});
