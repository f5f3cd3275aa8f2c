import { describe, expect, it } from "vitest";
import { sanitizeMessage } from "../../../src/foundry/dialects/sanitize-message.js";

describe("sanitizeMessage", () => {
  it.each([
    ["an exception of Python", "ValueError: bad value", "bad value"],
    [
      "an exception of .NET",
      "Load failed: Microsoft.ML.OnnxRuntimeGenAI.OnnxRuntimeGenAIException: Non-zero status code",
      "Load failed: Non-zero status code",
    ],
    [
      "an exception of C++ that ended the process",
      "terminate called after throwing an instance of 'std::runtime_error' what(): out of blocks",
      "out of blocks",
    ],
    ["an exception without a message", "It raised ValueError", "It raised ValueError"],
    [
      "a load that fails",
      "Load failed: genai_model_instance.cc:204 fl::GenAIModelInstance::GenAIModelInstance(std::string, std::string, fl::GenAIConfig, fl::ExecutionProvider, fl::ILogger&) failed to load model broken-file-generic-cpu:1: Load model from /var/lib/app/models/Example/broken-file-generic-cpu-1/v1/model.onnx failed:Protobuf parsing failed.",
      "Load failed: failed to load model broken-file-generic-cpu:1: Load model from model.onnx failed:Protobuf parsing failed.",
    ],
    [
      "a virtual function without arguments",
      "Inference failed: onnx_chat_generator.cc:69 virtual void fl::OnnxChatGenerator::GenerateNextToken() token generation failed: Non-zero status code returned while running Gather node. Name:'' Status Message: indices element out of data bounds, idx=279 must be within the inclusive range [-279,278]",
      "Inference failed: token generation failed: Non-zero status code returned while running Gather node. Name:'' Status Message: indices element out of data bounds, idx=279 must be within the inclusive range [-279,278]",
    ],
    [
      "a template type",
      "search_options.cc:161 static std::optional<flToolChoice> fl::SearchOptions::ParseToolChoice(const fl::KeyValuePairs&) Invalid value for tool_choice: 'wizard'.",
      "Invalid value for tool_choice: 'wizard'.",
    ],
    [
      "a lambda",
      "Invalid request: stop_strings.cc:27 fl::{anonymous}::NormalizeStopStringsImpl(const nlohmann::json_abi_v3_11_3::json&, size_t, bool, const char*)::<lambda(std::string, std::string)> stop must not be empty",
      "Invalid request: stop must not be empty",
    ],
    [
      "brackets inside a signature, and a const member",
      "model.cc:7 void fl::Model::Each(std::function<void(int)>) const it broke (badly)",
      "it broke (badly)",
    ],
    ["a C# location", "Failed: D:\\a\\_work\\1\\s\\Core.cs:12 no room", "Failed: no room"],
    [
      "folders of Windows",
      'Error opening "C:\\Users\\John Doe\\.foundry\\cache\\models\\a-1\\genai_config.json": denied',
      'Error opening "genai_config.json": denied',
    ],
    [
      "folders of Windows with both kinds of slashes",
      "Error opening C:/Users/John Doe\\.foundry/cache/genai_config.json",
      "Error opening genai_config.json",
    ],
    [
      "folders of a Mac whose user has a blank in the name",
      "Load model from /Users/John Doe/.foundry/cache/models/model.onnx failed",
      "Load model from model.onnx failed",
    ],
    [
      "a message on several lines",
      'Failed loading model x\n  Unknown value "spatial_merge_size"\r\n',
      'Failed loading model x Unknown value "spatial_merge_size"',
    ],
  ])("keeps only the message of %s", (_what, message, words) => {
    expect(sanitizeMessage(message)).toBe(words);
  });

  it.each([
    "Model not found: No model matching 'tiny-talk-generic-cpu:1'",
    "request requires 1042 total tokens (18 input + 1024 output), which exceeds the model's maximum context length of 512 tokens",
    "see https://aka.ms/foundry/local/help for input/output and 3/4",
    "model Qwen/Qwen2.5-7B is at http://127.0.0.1:5273/v1/models",
  ])("does not change: %s", (message) => {
    expect(sanitizeMessage(message)).toBe(message);
  });

  it("shortens long texts in little time", () => {
    const words = sanitizeMessage("x".repeat(5_000_000));
    expect(words).toBe(`${"x".repeat(300)}…`);
  });
});
