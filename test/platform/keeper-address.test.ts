import { describe, expect, it } from "vitest";
import { keeperAddress, serversDirectory } from "../../src/platform/own-directory.js";

const LONG = `/home/${"x".repeat(120)}`;

describe("the address of the keeper", () => {
  it.each([
    ["linux", "/home/u", /^\/home\/u\/\.foundry-local-mcp\/keeper-[0-9a-f]{12}\/socket$/],
    ["darwin", "/Users/u", /^\/Users\/u\/\.foundry-local-mcp\/keeper-[0-9a-f]{12}\/socket$/],
    ["win32", "C:\\Users\\u", /^\\\\\.\\pipe\\foundry-local-mcp-[0-9a-f]{12}$/],
  ] as const)("is under the home, or a pipe of this user, on %s", (platform, home, socket) => {
    expect(keeperAddress({ platform, home }, 1000, "pc").socket).toMatch(socket);
  });

  it("is different for each user and each machine", () => {
    const addresses = [
      keeperAddress({ platform: "win32", home: "C:\\Users\\one" }, null, "pc"),
      keeperAddress({ platform: "win32", home: "C:\\Users\\two" }, null, "pc"),
      keeperAddress({ platform: "win32", home: "C:\\Users\\two" }, null, "laptop"),
      keeperAddress({ platform: "linux", home: "/home/one" }, 1, "pc"),
      keeperAddress({ platform: "linux", home: "/home/one" }, 1, "laptop"),
    ];
    expect(new Set(addresses.map(({ socket }) => socket)).size).toBe(addresses.length);
  });

  it("stays the same where a Mac joins another network", () => {
    const on = (hostname: string) =>
      (["darwin", "linux"] as const).map((platform) => [
        keeperAddress({ platform, home: "/u" }, 1, hostname),
        serversDirectory({ platform, home: "/u" }, hostname),
      ]);
    const [mac, linux] = on("anna.fritz.box");
    const [sameMac, otherLinux] = on("Anna.local");
    expect(sameMac).toEqual(mac);
    expect(otherLinux).not.toEqual(linux);
  });

  it("is short enough for a socket even with a long home", () => {
    const { directory, socket } = keeperAddress({ platform: "linux", home: LONG }, 1000, "pc");
    expect(directory).toMatch(/^\/tmp\/foundry-local-mcp-1000-[0-9a-f]{12}$/);
    expect(socket.length).toBeLessThan(104);
  });
});
