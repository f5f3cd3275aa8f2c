import type { Switches } from "../../switches.js";

const APPLY =
  "int fl::ApplySearchOptions(const SearchOptions&, int, const GenAIConfig&, OgaGeneratorParams&";
const CREATE =
  "static std::unique_ptr<fl::OnnxChatGenerator> fl::OnnxChatGenerator::CreateImpl(const " +
  "std::vector<fl::MessageItem>&, const fl::SearchOptions&, fl::GenAIModelInstance&, const " +
  "fl::ToolCallContext&, bool, const std::vector<const fl::ImageItem*>&, const " +
  "std::vector<const fl::AudioItem*>&)";
const PREPARE =
  "std::unique_ptr<fl::PreparedChatRequest> fl::{anonymous}::PrepareChatRequest(const " +
  "fl::Request&, const fl::ChatTranscript&, const fl::KeyValuePairs&, const " +
  "std::vector<fl::ToolDefinition>&, const fl::ModelInfo&, fl::GenAIModelInstance&, " +
  "fl::ILogger&, const fl::ChatMessagePreparer&) the request has nothing to generate from:";
const TOOL_CONTEXT =
  "fl::ToolCallContext fl::{anonymous}::BuildToolCallContextForRequest(const fl::Request&, const " +
  "fl::KeyValuePairs&, const std::vector<fl::ToolDefinition>&, const fl::ModelInfo&, " +
  "fl::GenAIModelInstance&, fl::ILogger&)";
const INSTANCE =
  "fl::GenAIModelInstance::GenAIModelInstance(std::string, std::string, fl::GenAIConfig, " +
  "fl::ExecutionProvider, fl::ILogger&)";
const NEXT_TOKEN =
  "virtual void fl::OnnxChatGenerator::GenerateNextToken() token generation failed:";
const PARSE_CHOICE =
  "static std::optional<flToolChoice> fl::SearchOptions::ParseToolChoice(const fl::KeyValuePairs&)";
const CHAT_JSON =
  "void fl::ChatSession::ProcessChatCompletionsJson(const std::string&, const fl::Request&, fl::Response&)";
const NO_MESSAGE = "At least one MESSAGE item with non-empty content is required in the request";
const MARKERS = "structured tool calling requires model-published opening and closing tool markers";
const INTERRUPTED =
  "Model emitted an invalid tool call: Tool-call output was interrupted before the batch could be " +
  "committed. Recovery requires an uncommitted call, an exact streamed-prefix checkpoint, and " +
  "remaining output budget; canceled or truncated turns are not replayed";

type Builds = Readonly<Record<Switches["sourceLines"], string>>;

const same = (text: string): Builds => ({ "2026-07": text, "2.0.1": text, "2.2.1": text });

/**
 * What stands before and in a message that comes from deep inside: file, line and function of the
 * build (`docs/foundry-local.md`, section 5). Only seen builds; one that was not is given its neighbour's.
 */
const TEXTS = {
  maxTokens: {
    "2026-07": `search_options.cc:32 ${APPLY}, bool, int) max_output_tokens must be >= 1`,
    "2.0.1": `search_options.cc:36 ${APPLY}, ExecutionProvider, bool, int) max_output_tokens must be >= 1`,
    "2.2.1":
      "search_options.cc:55 int fl::ResolveMaxOutputTokens(const SearchOptions&, int) max_output_tokens must be >= 1",
  },
  overflow: {
    "2026-07": `search_options.cc:38 ${APPLY}, bool, int)`,
    "2.0.1": `search_options.cc:42 ${APPLY}, ExecutionProvider, bool, int)`,
    "2.2.1": "search_options.cc:108 int fl::ValidateGeneratorRequestBudget(int64_t, int, int)",
  },
  temperature: {
    ...same(
      "search_options.cc:158 static fl::SearchOptions fl::SearchOptions::FromParameters(const fl::KeyValuePairs&) temperature must be in the range [0.0, 2.0]",
    ),
    "2.2.1":
      "search_options.cc:22 void fl::{anonymous}::ValidateTemperature(float) temperature must be in the range [0.0, 2.0]",
  },
  topP: {
    ...same(
      `onnx_chat_generator.cc:421 ${CREATE} failed to create generator: top_p must be between 0.0 and 1.0`,
    ),
    "2.2.1":
      "search_options.cc:28 void fl::{anonymous}::ValidateTopP(float) top_p must be finite and in the range [0.0, 1.0]",
  },
  toolChoice: {
    "2026-07": `search_options.cc:161 ${PARSE_CHOICE}`,
    "2.0.1": `search_options.cc:199 ${PARSE_CHOICE}`,
    "2.2.1": `search_options.cc:199 ${PARSE_CHOICE}`,
  },
  nothingToSay: {
    "2026-07": `chat_session.cc:661 ${CHAT_JSON} ${NO_MESSAGE}`,
    "2.0.1": `chat_session.cc:673 ${CHAT_JSON} ${NO_MESSAGE}`,
    "2.2.1": `chat_session.cc:1298 ${PREPARE} \`messages\` carried no content`,
  },
  nothingToSayInResponses: {
    ...same(
      `chat_session.cc:420 virtual void fl::ChatSession::ProcessRequestImpl(const fl::Request&, fl::Response&) ${NO_MESSAGE}`,
    ),
    "2.2.1": `chat_session.cc:1374 ${PREPARE} no message content, no image or audio, no instructions, and no conversation to continue`,
  },
  messagesEmpty: same(`onnx_chat_generator.cc:259 ${CREATE} messages must not be empty`),
  generation: {
    "2026-07": `onnx_chat_generator.cc:68 ${NEXT_TOKEN}`,
    "2.0.1": `onnx_chat_generator.cc:69 ${NEXT_TOKEN}`,
    "2.2.1": `onnx_chat_generator.cc:144 ${NEXT_TOKEN}`,
  },
  load: {
    "2026-07": `genai_model_instance.cc:59 ${INSTANCE}`,
    "2.0.1": `genai_model_instance.cc:58 ${INSTANCE}`,
    "2.2.1": `genai_model_instance.cc:204 ${INSTANCE}`,
  },
  unload: {
    ...same("model_load_manager.cc:187 bool fl::ModelLoadManager::UnloadModel(std::string_view)"),
    "2.2.1":
      "model_load_manager.cc:286 bool fl::ModelLoadManager::UnloadModel(std::string_view, const std::string*)",
  },
  toolMarkers: same(`chat_session.cc:1197 ${TOOL_CONTEXT} ${MARKERS}`),
  toolCallCut: same(
    `chat_session.cc:968 void fl::{anonymous}::ThrowInvalidToolCallWithoutRecovery(const std::string&) ${INTERRUPTED}`,
  ),
  guidanceIncomplete: same(
    `chat_session.cc:1189 ${TOOL_CONTEXT} guidance_type and guidance_data must be provided together`,
  ),
} satisfies Record<string, Builds>;

/** The text of this message in the simulated build. */
export function sourceText(name: keyof typeof TEXTS, switches: Switches): string {
  return TEXTS[name][switches.sourceLines];
}
