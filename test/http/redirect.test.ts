import { describe, expect, it } from "vitest";
import { httpServer, events as read, refused, transportTo } from "./servers.js";

const STATUSES = [301, 302, 307, 308] as const;
const EVENT = 'data: {"n":1}\n\n';

/** A server that answers `/begin` with redirects, in turn, and every other path with its own name. */
async function redirecting(status: number, targets: readonly string[]) {
  const asked: string[] = [];
  const keys = new Set<string | undefined>();
  let at = 0;
  const { baseUrl } = await httpServer((request, response) => {
    let body = "";
    request.on("data", (bytes: Buffer) => {
      body += bytes.toString();
    });
    request.on("end", () => {
      asked.push(`${request.method} ${request.url} ${body}`.trim());
      keys.add(request.headers.authorization);
      const target = targets[at];
      at += 1;
      if (target !== undefined) {
        response.writeHead(status, { location: target, "content-type": "text/html" });
        return response.end("<html>moved</html>");
      }
      response.writeHead(200, { "content-type": "text/event-stream" });
      return response.end(EVENT);
    });
  });
  const transport = transportTo(baseUrl, { headers: { authorization: "Bearer key-123456" } });
  return { transport, asked, keys, baseUrl };
}

const GET = { method: "GET", path: "/begin", limits: {}, toError: refused } as const;
const POST = { ...GET, method: "POST", body: { a: 1 } } as const;

describe.each(STATUSES)("a redirect with %s within the endpoint", (status) => {
  it("is followed by a GET, with its headers", async () => {
    const { transport, asked, keys } = await redirecting(status, ["/end?x=1"]);
    expect(await transport.request(GET)).toMatchObject({ status: 200, body: EVENT, attempts: 1 });
    expect(asked).toEqual(["GET /begin", "GET /end?x=1"]);
    expect([...keys]).toEqual(["Bearer key-123456"]);
  });

  it("is followed by a POST, with its body", async () => {
    const { transport, asked } = await redirecting(status, ["/begin/"]);
    expect(await transport.request(POST)).toMatchObject({ status: 200, attempts: 1 });
    expect(asked).toEqual(['POST /begin {"a":1}', 'POST /begin/ {"a":1}']);
  });

  it("is followed by a stream", async () => {
    const { transport, asked } = await redirecting(status, ["end"]);
    const events: string[] = [];
    for await (const { data } of await transport.stream({ ...POST, read: read(() => true) })) {
      events.push(data);
    }
    expect(events).toEqual(['{"n":1}']);
    expect(asked).toEqual(['POST /begin {"a":1}', 'POST /end {"a":1}']);
  });
});

describe("redirects", () => {
  it("are followed one after the other, also with the whole address", async () => {
    const targets = ["/a", "../b", "//HOST/c", "http://HOST/d"];
    const asked: string[] = [];
    const { baseUrl } = await httpServer((request, response) => {
      const target = targets[asked.length]?.replace("HOST", request.headers.host ?? "");
      asked.push(request.url ?? "");
      if (target === undefined) return void response.end("x");
      return void response.writeHead(307, { location: target }).end();
    });
    await transportTo(baseUrl).request(GET);
    expect(asked).toEqual(["/begin", "/a", "/b", "/c", "/d"]);
  });

  it.each([GET, POST])("in a circle end after a limited number", async (spec) => {
    const { transport, asked, baseUrl } = await redirecting(302, Array(100).fill("/begin"));
    await expect(transport.request(spec)).rejects.toMatchObject({
      status: 302,
      message: expect.stringContaining(`redirected to ${baseUrl}/begin`),
    });
    expect(asked).toHaveLength(6);
  });

  it.each([
    ["another host", "http://elsewhere.example/v1?key=s3cret"],
    ["the same host with https", "https://127.0.0.1/v1"],
    ["another port", "http://127.0.0.1:1/v1"],
    ["another name of the host", "http://localhost/v1"],
  ])("to %s are not followed, and the target is reported", async (_where, target) => {
    for (const spec of [GET, POST]) {
      const { transport, asked } = await redirecting(308, [target]);
      const [address] = target.split("?");
      await expect(transport.request(spec)).rejects.toMatchObject({
        message: `308: redirected to ${address}`,
      });
      expect(asked).toHaveLength(1);
    }
  });

  it.each(["http://", "::", undefined])("to %j are invalid", async (target) => {
    const { baseUrl } = await httpServer((_request, response) => {
      response.writeHead(302, target === undefined ? {} : { location: target }).end();
    });
    await expect(transportTo(baseUrl).request(GET)).rejects.toMatchObject({ status: 302 });
  });

  it("that answer a POST with another resource are not followed", async () => {
    const { transport, asked } = await redirecting(303, ["/end"]);
    await expect(transport.request(POST)).rejects.toMatchObject({ status: 303 });
    expect(asked).toHaveLength(1);
  });
});
