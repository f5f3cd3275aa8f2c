import { describe, expect, it } from "vitest";
import { normalizeEndpoint } from "../../src/http/endpoint.js";

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
