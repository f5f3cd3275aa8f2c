import { describe, expect, it } from "vitest";
import { refusalOf } from "../../../src/mcp/streamable-http/access.js";

const LOOPBACK = { hosts: ["127.0.0.1"] };
const KEY = "a-key-of-many-characters";

describe("a server on the loopback address", () => {
  it.each([
    ["no Origin, as programs send it", { host: "127.0.0.1:8765" }],
    ["localhost", { host: "localhost:8765", origin: "http://localhost:3000" }],
    ["the IPv6 loopback address", { host: "[::1]:8765" }],
  ])("serves %s", (_what, headers) => {
    expect(refusalOf(new Headers(headers), LOOPBACK)).toBeNull();
  });

  it.each([
    ["a page of another site", { host: "127.0.0.1:8765", origin: "https://evil.example" }],
    ["a page without a site", { host: "127.0.0.1:8765", origin: "null" }],
    ["a name that someone else gave this address", { host: "evil.example:8765" }],
    ["no Host", {}],
  ])("refuses %s", (_what, headers) => {
    expect(refusalOf(new Headers(headers), LOOPBACK)).toMatchObject({ status: 403 });
  });
});

describe("a server on an address of the network", () => {
  it.each([
    ["its name in other letters", ["MyBox", "192.168.1.5"], "mybox:8765", "http://mybox:8765"],
    ["the address of its name", ["MyBox", "192.168.1.5"], "192.168.1.5:8765", "http://192.168.1.5"],
    ["its address without the zone", ["fe80::1%eth0"], "[fe80::1]:8765", "http://[fe80::1]"],
    ["another form of its address", ["FD00::5"], "[fd00:0::5]:8765", "http://[fd00::5]:8765"],
  ])("serves %s", (_what, hosts, host, origin) => {
    expect(refusalOf(new Headers({ host, origin }), { hosts })).toBeNull();
  });

  it("refuses other origins and hosts", () => {
    const rules = { hosts: ["mybox", "192.168.1.5"] };
    expect(refusalOf(new Headers({ host: "evil.example" }), rules)).toMatchObject({ status: 403 });
  });
});

describe("a server with a key", () => {
  const rules = { hosts: ["0.0.0.0"], key: KEY };
  const ask = (authorization?: string) =>
    refusalOf(
      new Headers({ host: "box.lan:8765", ...(authorization && { authorization }) }),
      rules,
    );

  it.each([`Bearer ${KEY}`, `bearer ${KEY}`, `Bearer  ${KEY} `])("serves %j", (authorization) => {
    expect(ask(authorization)).toBeNull();
  });

  it.each([
    undefined,
    "",
    "Bearer",
    `Bearer ${KEY}x`,
    `Bearer ${KEY.slice(1)}`,
    `Basic ${KEY}`,
    KEY,
  ])("refuses %j", (authorization) => {
    expect(ask(authorization)).toMatchObject({ status: 401 });
  });
});
