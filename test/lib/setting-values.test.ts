import { describe, expect, it } from "vitest";
import { isLoopback } from "../../src/lib/setting-values.js";

describe("isLoopback", () => {
  it.each([
    ["http://localhost:5273", true],
    ["http://api.localhost", true],
    ["http://127.1.2.3/v1", true],
    ["https://[::1]:5273", true],
    ["http://127.0.0.1.example.com", false],
    ["http://192.168.0.1", false],
    ["127.0.0.1", false],
    ["", false],
  ])("of %j is %s", (endpoint, is) => {
    expect(isLoopback(endpoint)).toBe(is);
  });
});
