import { describe, expect, it } from "vitest";
import { isLoopback, normalizeEndpoint } from "../../src/foundry/options.js";

describe("normalizeEndpoint", () => {
  it.each([
    ["http://127.0.0.1:5273", "http://127.0.0.1:5273"],
    ["http://127.0.0.1:5273/", "http://127.0.0.1:5273"],
    ["http://127.0.0.1:5273///", "http://127.0.0.1:5273"],
    ["http://127.0.0.1:5273/v1", "http://127.0.0.1:5273"],
    ["http://127.0.0.1:5273/v1/", "http://127.0.0.1:5273"],
    ["http://127.0.0.1:5273//V1//", "http://127.0.0.1:5273"],
    ["  http://localhost:1234/v1\n", "http://localhost:1234"],
    ["https://gateway.example/llm/v1", "https://gateway.example/llm"],
    ["https://gateway.example/v1beta", "https://gateway.example/v1beta"],
    ["http://[::1]:5273/v1", "http://[::1]:5273"],
  ])("makes %j the base %j", (given, base) => {
    expect(normalizeEndpoint(given)).toBe(base);
  });
});

describe("isLoopback", () => {
  it.each([
    ["http://127.0.0.1:5273", true],
    ["http://127.1.2.3", true],
    ["http://localhost:5273", true],
    ["http://LOCALHOST:5273", true],
    ["http://[::1]:5273", true],
    ["http://192.168.0.7:5273", false],
    ["http://localhost.example.com", false],
    ["http://127.0.0.1.example.com", false],
    ["http://example.com/127.0.0.1", false],
    ["not a url", false],
  ])("says of %s: %j", (endpoint, is) => {
    expect(isLoopback(endpoint)).toBe(is);
  });
});
