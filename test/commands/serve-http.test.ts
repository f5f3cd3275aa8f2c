import { describe, expect, it } from "vitest";
import { addressOf, splitFlags } from "../../src/commands/serve-http.js";

describe("the address of serve --http", () => {
  it.each([
    ["", "127.0.0.1", 8765],
    ["8766", "127.0.0.1", 8766],
    ["0", "127.0.0.1", 0],
    ["localhost:9000", "localhost", 9000],
    ["0.0.0.0:8765", "0.0.0.0", 8765],
    ["[::1]:8765", "::1", 8765],
  ])("%j is %s, port %d", (text, host, port) => {
    expect(addressOf(text)).toEqual({ host, port });
  });

  it.each(["x", "70000", "::1:8765", "127.0.0.1", "127.0.0.1:", "a:b:1", "-1"])(
    "%j is refused, with an example of an address",
    (text) => {
      expect(() => addressOf(text)).toThrow(
        expect.objectContaining({
          code: "INVALID_SETTING",
          action: expect.stringContaining("127.0.0.1:8765"),
        }),
      );
    },
  );

  it.each([
    [["--http"], "", []],
    [["--http", "8766"], "8766", []],
    [["--http=8766", "--model", "m"], "8766", ["--model", "m"]],
    [["--http", "--model", "m"], "", ["--model", "m"]],
    [["--model", "m", "--http", "[::1]:1"], "[::1]:1", ["--model", "m"]],
    [["--http-key", "k".repeat(16), "--http"], "", ["--http-key", "k".repeat(16)]],
  ])("%j contains the address", (flags, address, rest) => {
    expect(splitFlags(flags)).toEqual({ address, rest });
  });
});
