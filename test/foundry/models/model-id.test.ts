import { describe, expect, it } from "vitest";
import { deviceOf, parseModelId } from "../../../src/foundry/models/model.js";

describe("parseModelId", () => {
  it.each([
    ["Phi-4-mini-instruct-generic-cpu:5", "phi-4-mini"],
    ["qwen2.5-0.5b-instruct-cuda-gpu:4", "qwen2.5-0.5b"],
    ["Phi-4-generic-gpu:1", "phi-4"],
    ["My_Own.Talker:7", "my_own.talker"],
  ])("derives from %s the alias %s", (id, alias) => {
    expect(parseModelId(id).likelyAlias).toBe(alias);
  });

  it.each([
    ["Phi-4-cuda-gpu:1", "Phi-4-cuda-gpu", 1, "Phi-4", "gpu", "CUDAExecutionProvider"],
    ["phi-4-openvino-gpu:1", "phi-4-openvino-gpu", 1, "phi-4", "gpu", "OpenVINOExecutionProvider"],
    [
      "Phi-3.5-mini-instruct-generic-cpu:1",
      "Phi-3.5-mini-instruct-generic-cpu",
      1,
      "Phi-3.5-mini-instruct",
      "cpu",
      "CPUExecutionProvider",
    ],
    [
      "mistralai-Mistral-7B-Instruct-v0-2-generic-cpu:2",
      "mistralai-Mistral-7B-Instruct-v0-2-generic-cpu",
      2,
      "mistralai-Mistral-7B-Instruct-v0-2",
      "cpu",
      "CPUExecutionProvider",
    ],
    [
      "DeepSeek-R1-Distill-Qwen-1.5B-trtrtx-gpu:1",
      "DeepSeek-R1-Distill-Qwen-1.5B-trtrtx-gpu",
      1,
      "DeepSeek-R1-Distill-Qwen-1.5B",
      "gpu",
      "NvTensorRTRTXExecutionProvider",
    ],
    [
      "phi-3.5-mini-instruct-qnn-npu:3",
      "phi-3.5-mini-instruct-qnn-npu",
      3,
      "phi-3.5-mini-instruct",
      "npu",
      "QNNExecutionProvider",
    ],
    [
      "phi-4-mini-instruct-vitis-npu:2",
      "phi-4-mini-instruct-vitis-npu",
      2,
      "phi-4-mini-instruct",
      "npu",
      "VitisAIExecutionProvider",
    ],
    [
      "qwen2.5-7b-instruct-openvino-npu:4",
      "qwen2.5-7b-instruct-openvino-npu",
      4,
      "qwen2.5-7b-instruct",
      "npu",
      "OpenVINOExecutionProvider",
    ],
    [
      "ministral-3-3b-instruct-2512-generic-cpu:1",
      "ministral-3-3b-instruct-2512-generic-cpu",
      1,
      "ministral-3-3b-instruct-2512",
      "cpu",
      "CPUExecutionProvider",
    ],
  ])("parses %s", (id, name, version, base, device, executionProvider) => {
    expect(parseModelId(id)).toMatchObject({ name, version, base, device, executionProvider });
  });

  it("leaves the provider of a generic GPU variant open, since it may be two", () => {
    const parts = parseModelId("qwen3-8b-generic-gpu:2");
    expect(parts).toMatchObject({ base: "qwen3-8b", device: "gpu", executionProvider: null });
  });

  it("reads hardware and device in any case", () => {
    const parts = parseModelId("Model-CUDA-GPU:7");
    expect(parts).toMatchObject({
      name: "Model-CUDA-GPU",
      base: "Model",
      device: "gpu",
      executionProvider: "CUDAExecutionProvider",
    });
  });

  it("leaves the version open where the id has none", () => {
    const parts = parseModelId("phi-4-mini-reasoning-qnn-npu");
    expect(parts).toMatchObject({ version: null, base: "phi-4-mini-reasoning", device: "npu" });
  });

  it("accepts version 0, which models found by scanning have", () => {
    expect(parseModelId("my-model:0").version).toBe(0);
  });

  it.each([
    ["My_Own.Talker:7", "My_Own.Talker", 7],
    ["llama3.1:latest", "llama3.1:latest", null],
    ["meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct", null],
    ["generic-cpu:1", "generic-cpu", 1],
    ["a:b:12", "a:b", 12],
  ])("uses %s, which follows no grammar, as its own base", (id, name, version) => {
    const parts = parseModelId(id);
    expect(parts).toMatchObject({
      name,
      version,
      base: name,
      device: null,
      executionProvider: null,
    });
  });
});

describe("deviceOf", () => {
  it.each([
    ["CPU", "cpu"],
    ["Gpu", "gpu"],
    ["npu", "npu"],
    ["TPU", null],
    ["", null],
    [null, null],
    [undefined, null],
  ])("reads %j as %j", (text, device) => {
    expect(deviceOf(text)).toBe(device);
  });

  it("returns no version that exceeds a safe integer", () => {
    expect(parseModelId(`m:${"9".repeat(400)}`).version).toBeNull();
  });
});
