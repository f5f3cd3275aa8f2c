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
    ["http://h:1/v1/chat/completions", "http://h:1"],
    ["http://h:1/v1/chat/completions/", "http://h:1"],
    ["http://h:1/chat/completions", "http://h:1"],
    ["http://h:1/V1/Chat/Completions", "http://h:1"],
    ["http://h:1/v1/models", "http://h:1"],
    ["http://h:1/v1/completions", "http://h:1"],
    ["http://h:1/v1/embeddings", "http://h:1"],
    ["http://h:1/v1//responses//", "http://h:1"],
    ["http://h:1/v1/messages", "http://h:1"],
    ["http://h:1/v1/chat", "http://h:1"],
    ["http://h:1/api/v1", "http://h:1/api"],
    ["http://h:1/api/v1/", "http://h:1/api"],
    ["http://h:1/api/v1/chat/completions", "http://h:1/api"],
    ["http://h:1/api/v1/models", "http://h:1/api"],
    ["http://127.0.0.1:54657/openai/status", "http://127.0.0.1:54657"],
    ["http://127.0.0.1:11434/api/chat", "http://127.0.0.1:11434"],
    ["http://127.0.0.1:11434/api/generate/", "http://127.0.0.1:11434"],
    ["http://127.0.0.1:11434/api/tags", "http://127.0.0.1:11434"],
    ["http://127.0.0.1:1234/api/v0/chat/completions", "http://127.0.0.1:1234"],
    ["http://127.0.0.1:1234/api/v0", "http://127.0.0.1:1234"],
    ["http://h:1/models", "http://h:1/models"],
    ["http://h:1/api", "http://h:1/api"],
    ["http://h:1/catalogs/local", "http://h:1/catalogs/local"],
    ["http://h:1/v3/chat/completions/", "http://h:1/v3/chat/completions"],
    ["http://h:1/v1beta/openai/chat/completions", "http://h:1/v1beta/openai/chat/completions"],
    ["http://h:1/v3", "http://h:1/v3"],
    ["http://0.0.0.0:8000", "http://127.0.0.1:8000"],
    ["HTTP://0.0.0.0/v1/", "HTTP://127.0.0.1"],
    ["http://[::]:8000/v1", "http://[::1]:8000"],
    ["http://0.0.0.0.example.com:8000", "http://0.0.0.0.example.com:8000"],
  ])("makes %j the base %j", (given, base) => {
    expect(normalizeEndpoint(given)).toBe(base);
  });
});
