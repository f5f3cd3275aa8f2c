import { describe, expect, it } from "vitest";
import { parseEndpoint } from "../../src/http/endpoint.js";
import { checkedHeaders, toJson, wireRequest } from "../../src/http/wire-request.js";

describe("the endpoint", () => {
  it.each([
    ["http://127.0.0.1:5273", "http://127.0.0.1:5273", ""],
    ["http://127.0.0.1:5273/", "http://127.0.0.1:5273", ""],
    ["http://[::1]:5273/catalogs/local//", "http://[::1]:5273/catalogs/local", "/catalogs/local"],
    ["HTTPS://Example.com:443/api", "https://example.com/api", "/api"],
  ])("%s is %s", (given, baseUrl, pathPrefix) => {
    expect(parseEndpoint(given)).toMatchObject({ baseUrl, pathPrefix });
  });

  it.each([
    "",
    "127.0.0.1:5273",
    "localhost:5273",
    "http://",
    "http://h:99999",
    "ftp://h",
    "http://h/?x=1",
    "http://h/#x",
    "http://h?",
    "http://h/#",
  ])("%j is refused with an example of one", (baseUrl) => {
    expect(() => parseEndpoint(baseUrl)).toThrowError(
      expect.objectContaining({
        code: "INVALID_SETTING",
        message: `"${baseUrl}" is not an endpoint.`,
        action: expect.stringContaining("http://127.0.0.1:5273"),
      }),
    );
  });

  it("with a password is refused without repeating it", () => {
    expect(() => parseEndpoint("http://u:s3cret@h")).toThrowError(
      expect.objectContaining({
        code: "INVALID_SETTING",
        message: expect.not.stringContaining("s3cret"),
      }),
    );
  });
});

describe("extra headers", () => {
  it("are sent under lower-case names", () => {
    expect(checkedHeaders({ Authorization: "Bearer k", "X-Name": "Müller\t1" })).toEqual({
      authorization: "Bearer k",
      "x-name": "Müller\t1",
    });
  });

  it("are sent whatever their name means to JavaScript", () => {
    const checked = checkedHeaders(JSON.parse('{"__proto__":"a","constructor":"b"}'));
    expect(Object.entries(checked)).toEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
    ]);
  });

  it.each([
    ["Authorization", "Bearer s3cret\n"],
    ["X-Key", "s3cret\u2019"],
    ["X Y", "s3cret"],
    ["", "s3cret"],
    ["X-Ünicode", "s3cret"],
    ["Content-Length", "s3cret"],
    ["Connection", "s3cret"],
    ["Transfer-Encoding", "s3cret"],
    ["Expect", "s3cret"],
    ["Host", "s3cret"],
  ])("named %j that cannot be sent are refused by name, without their value", (name, value) => {
    expect(() => checkedHeaders({ [name]: value })).toThrowError(
      expect.objectContaining({
        code: "INVALID_SETTING",
        message: expect.stringMatching(
          new RegExp(`^The header ${JSON.stringify(name)} (?!.*s3cret)`),
        ),
      }),
    );
  });
});

describe("a request", () => {
  const endpoint = parseEndpoint("http://h:1/prefix");

  it("has the endpoint's path in front of its own, which stays unchanged", () => {
    const { path } = wireRequest(endpoint, {}, { method: "GET", path: "/models/load/a:1%2Fb" });
    expect(path).toBe("/prefix/models/load/a:1%2Fb");
  });

  it.each(["/a b", "/a\nb", "/é", "/🎉", "/\ud83d", "a", ""])("to %j is refused", (path) => {
    expect(() => wireRequest(endpoint, {}, { method: "GET", path })).toThrowError(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });

  it("that is a GET has no body", () => {
    expect(() => wireRequest(endpoint, {}, { method: "GET", path: "/", body: {} })).toThrowError(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
    expect(wireRequest(endpoint, {}, { method: "GET", path: "/" })).toMatchObject({
      body: null,
      headers: {},
    });
  });

  it("has the content type JSON, unless an extra header sets another", () => {
    const post = { method: "POST" as const, path: "/", body: [1] };
    expect(wireRequest(endpoint, {}, post)).toMatchObject({
      body: "[1]",
      headers: { "content-type": "application/json" },
    });
    const own = { "content-type": "application/x" };
    expect(wireRequest(endpoint, own, post).headers).toEqual(own);
  });
});

describe("JSON", () => {
  it("has halves of surrogate pairs replaced, in keys too, and nothing else changed", () => {
    expect(toJson({ "k\udc00": "a\ud83d" })).toBe('{"k\ufffd":"a\ufffd"}');
    expect(toJson("\ud83d\ud83d\ude00\ude00")).toBe('"\ufffd😀\ufffd"');
    const untouched = { text: "\\ud83d \\\\ud83d 🎉 \n \u0001 \ufffd", n: [1, null, true] };
    expect(JSON.parse(toJson({ ...untouched, lone: "\ud83d" }))).toEqual({
      ...untouched,
      lone: "\ufffd",
    });
    expect(toJson(untouched)).toBe(JSON.stringify(untouched));
  });

  it("is refused for a value without a JSON form", () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    for (const value of [circle, 1n, () => {}]) {
      expect(() => toJson(value)).toThrowError(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
    }
  });
});
