import { isMembers, LONGEST_LISTED_WORD, MOST_LISTED_WORDS } from "../../lib/index.js";

export type Members = Readonly<Record<string, unknown>>;

/** Members with one word for the kind of a model: LM Studio, Xinference, Hugging Face, LiteLLM. */
const KINDS = ["type", "model_type", "task", "mode", "pipeline_tag", "modality"] as const;
/** Members with a list of what a model can do: llama.cpp, Ollama, Mistral, Infinity, Lemonade. */
const LISTS = ["tasks", "capabilities", "model_ability", "labels", "categories"] as const;

const CHAT =
  /^(?:language|llm|vlm|text-generation|text2text-generation|image-text-to-text|conversational|generate|code|coding|chat|chat-.+|.+-chat|completions?|completion-.+)$/;
const OTHER =
  /\b(?:embed(?:ding|dings|der)?|feature-extraction|sentence-similarity|rerank(?:er|ing)?|text-ranking|classif\w+|moderations?|speech-\w+|\w+-to-(?:speech|audio|image|video)|transcriptions?|tts|stt|asr|(?:image|video|audio)-(?:generation|transcription|speech)|diffusion)\b/;
/** As the kind of a model these are conclusive. In a list they may be what it accepts. */
const MEDIA = /^(?:images?|audio|speech|video)$/;
/** Labels of Lemonade for what a model makes; one that takes images has the label "vision". */
const MADE = /^(?:image|upscaling|3d)$/;

/** Words for a model that takes images, and for one that is known to take text alone. */
const SEES =
  /^(?:vlm|vision|.*vision-language.*|image-text-to-text|multimodal|images?|image-input|.*-vision)$/;
const READS = /^llm$/;

/**
 * What an engine says that a model is for: `chat-completion`, or the word of the engine such as
 * `embeddings`; and whether it takes images. `null` where it says nothing that is known here.
 */
export function purposeOf(entry: Members): { task: string | null; vision: boolean | null } {
  const kinds = KINDS.flatMap((name) => wordsOf(entry[name]));
  const abilities = LISTS.flatMap((name) => wordsOf(entry[name]));
  const words = [...kinds, ...abilities];
  const { inputs, outputs } = flowOf(entry, kinds);
  const sees = inputs.includes("image") || words.some((word) => SEES.test(word));
  // LM Studio distinguishes the two.
  const reads = inputs.length > 0 || kinds.some((word) => READS.test(word));
  const answersText = outputs.includes("text") && (inputs.length === 0 || inputs.includes("text"));
  const other =
    kinds.find((word) => OTHER.test(word) || MEDIA.test(word)) ??
    abilities.find((word) => OTHER.test(word)) ??
    wordsOf(entry["labels"]).find((word) => MADE.test(word)) ??
    (outputs.length > 0 ? `${inputs.join("+")}->${outputs.join("+")}` : null);
  return {
    task: answersText || words.some((word) => CHAT.test(word)) ? "chat-completion" : other,
    vision: sees ? true : reads ? false : null,
  };
}

/** What goes in and comes out, as OpenRouter writes it: `text+image->text`, or two lists. */
function flowOf(entry: Members, kinds: readonly string[]) {
  const architecture = entry["architecture"];
  const members = isMembers(architecture) ? architecture : {};
  const arrows = [...kinds, ...wordsOf(members["modality"])].find((word) => word.includes("->"));
  const [from = "", to = ""] = arrows?.split("->") ?? [];
  const inputs = wordsOf(members["input_modalities"]);
  const outputs = wordsOf(members["output_modalities"]);
  return {
    inputs: inputs.length > 0 ? inputs : partsOf(from),
    outputs: outputs.length > 0 ? outputs : partsOf(to),
  };
}

const partsOf = (side: string): string[] => side.split("+").filter((part) => part !== "");

/** A member in any of the forms in which engines write it; of `{"chat": true}` the word is "chat". */
function wordsOf(value: unknown): string[] {
  if (typeof value === "string") return [normalized(value)];
  const words = Array.isArray(value)
    ? value.slice(0, MOST_LISTED_WORDS).filter((word) => typeof word === "string")
    : isMembers(value)
      ? Object.keys(value)
          .slice(0, MOST_LISTED_WORDS)
          .filter((name) => value[name] === true)
      : [];
  return words.map(normalized);
}

const normalized = (word: string): string =>
  word
    .slice(0, LONGEST_LISTED_WORD)
    .trim()
    .toLowerCase()
    .replace(/[\s_]+/g, "-");
