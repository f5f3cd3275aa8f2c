import { describe, expect, it } from "vitest";
import { canChat } from "../../../src/foundry/models/model.js";

describe("canChat", () => {
  it.each([
    ["chat-completion", true],
    ["chat", true],
    ["vision-language-chat", true],
    ["text-generation", true],
    ["coding", true],
    ["embeddings", false],
    ["embedding", false],
    ["automatic-speech-recognition", false],
    ["text-ranking", false],
    ["typed-decision", false],
  ])("says for the task %s: %j", (task, able) => {
    expect(canChat({ id: "m-generic-cpu:1", task })).toBe(able);
  });

  it.each(["qwen3-embedding-0.6b-generic-cpu:1", "openai-whisper-tiny-generic-cpu:2"])(
    "concludes from the name of %s that it cannot chat, when its task is unknown",
    (id) => {
      expect(canChat({ id, task: null })).toBe(false);
    },
  );

  it.each([
    "all-minilm:latest",
    "sentence-transformers/all-MiniLM-L6-v2",
    "sentence-transformers/my-own",
    "sentence-t5-base",
    "bge-m3:latest",
    "BAAI/bge-reranker-v2-m3",
    "Alibaba-NLP/gte-Qwen2-7B-instruct",
    "intfloat/multilingual-e5-large",
    "nomic-embed-text",
    "mxbai-embed-large",
    "snowflake-arctic-embed2",
    "embeddinggemma:300m",
    "jina-embeddings-v3",
    "text-embedding-ada-002",
    "rerank-english-v3.0",
    "Systran/faster-whisper-small",
    "gpt-4o-transcribe",
    "tts-1-hd",
    "hexgrad/Kokoro-82M",
    "microsoft/speecht5_tts",
    "black-forest-labs/FLUX.1-schnell",
    "flux1-dev",
    "stable-diffusion-xl-base-1.0",
    "sd-turbo",
    "sd3.5-medium",
    "sdxl-turbo",
    "dall-e-3",
    "openai/clip-vit-large-patch14",
    "mmproj-model-f16.gguf",
    "omni-moderation-latest",
    "openai/*",
    "*",
    "colbertv2.0",
    "colbert-ir/colbertv2.0",
    "bark",
    "suno/bark-small",
    "sora-2",
    "openai/sora-2-pro",
    "granite-guardian-3",
    "ibm-granite/granite-guardian-3.1-8b",
    "llama-guard3:8b",
    "shieldgemma:2b",
    "m3e-base",
    "text2vec-large-chinese",
    "minilm",
    "cross-encoder/ms-marco-MiniLM-L-6-v2",
    "silero-vad",
    "moonshine-base",
  ])("concludes from the name of %s that it cannot chat", (id) => {
    expect(canChat({ id, task: null })).toBe(false);
  });

  it.each([
    "gemma3:4b",
    "codegemma-7b",
    "shieldbge-7b",
    "imagine-7b",
    "minillm-7b",
    "llama-3.1-8b-fp8-e5m2",
    "gpt-oss-20b",
    "stablelm-2-zephyr",
    "snowflake-arctic-instruct",
    "whisperer-7b",
    "mistral-small-24b",
    "qwen2.5-vl-7b",
    "asrael-13b",
    "clippy-1b",
    "barkley-7b",
    "sorakoto-7b",
    "granite-3.1-8b-instruct",
    "guardian-of-tales-7b",
    "colbertson-7b",
  ])("does not mistake %s for another kind of model", (id) => {
    expect(canChat({ id, task: null })).toBeNull();
  });

  it("prefers a known task to the name", () => {
    expect(canChat({ id: "whisper-of-the-llama:1", task: "chat-completion" })).toBe(true);
  });

  it("does not guess where neither task nor name is conclusive", () => {
    expect(canChat({ id: "My_Own.Talker:7", task: null })).toBeNull();
  });
});
