import { type FoundryError, SEARCHED_OF_MESSAGE, truncate } from "../../lib/index.js";

/** The sizes of a request that exceeds a context, in tokens; `null`: not reported. */
export interface Overflow {
  readonly input: number | null;
  /** `input` is a lower bound: vLLM stops counting where the prompt does not fit any more. */
  readonly isLeast: boolean;
  readonly output: number | null;
  /** Of prompt and answer together, where only that is reported. */
  readonly total: number | null;
  readonly limit: number | null;
  /** The longest answer that is allowed, where only the answer is too long. */
  readonly most: number | null;
}

// Unbounded repetitions between the figures would take quadratic time.
const FIGURES: readonly RegExp[] = [
  // Foundry Local, core 1 and 2.
  /requires \d{1,12} total tokens \((?<input>\d{1,12}) input \+ (?<output>\d{1,12}) output\).{0,300}maximum context length of (?<limit>\d{1,12})/is,
  /input_ids size \((?<input>\d{1,12})\).{0,300}exceeds max length \((?<limit>\d{1,12})\)/is,
  // All of its versions, of a text to embed; up to 2.0 also of a chat, whose answer it counts in.
  /max_length \((?<total>\d{1,12})\) cannot be greater than model context_length \((?<limit>\d{1,12})\)/i,
  // vLLM up to 0.9, OpenAI, llama-cpp-python, OpenRouter.
  /maximum context length is (?<limit>\d{1,12}) tokens.{0,300}\((?<input>\d{1,12}) (?:in the messages|in your prompt|of text input)[,;] (?<output>\d{1,12}) (?:in|for) the (?:completion|output)\)/is,
  // vLLM: "'max_tokens' is too large: 5000. This model's … and your request has 18 input tokens".
  /maximum context length is (?<limit>\d{1,12}) tokens.{0,60}request has (?<input>\d{1,12}) input tokens(?: \((?<output>\d{1,12}) >)?/is,
  // vLLM from 0.12 on; a negative count means that nothing was counted.
  /maximum context length is (?<limit>\d{1,12}) tokens.{0,60}requested (?<output>\d{1,12}) output tokens.{0,60}prompt contains (?<least>at least )?(?<input>-?\d{1,12}) input tokens/is,
  // Without the prompt, where the answer alone is too long.
  /tokens=(?<output>\d{1,12}) ?cannot be greater than (?:max_\w{1,20}=){1,2}(?<limit>\d{1,12})/i,
  /passed (?<input>\d{1,12}) input tokens and requested (?<output>\d{1,12}) output tokens.{0,100}context length is only (?<limit>\d{1,12})/is,
  /decoder prompt \(length (?<input>\d{1,12})\) is longer than the maximum model length of (?<limit>\d{1,12})/i,
  // SGLang.
  /input \((?<input>\d{1,12}) tokens\) is longer than the model's context length \((?<limit>\d{1,12}) tokens\)/i,
  /maximum context length of (?<limit>\d{1,12}) tokens.{0,100}: (?<input>\d{1,12}) tokens from the input messages and (?<output>\d{1,12}) tokens for the completion/is,
  /input length \((?<input>\d{1,12}) tokens\) exceeds the maximum allowed length \((?<limit>\d{1,12}) tokens\)/i,
  // Text Generation Inference.
  /`max_new_tokens` must be <= (?<limit>\d{1,12})\. Given: (?<input>\d{1,12}) `inputs` tokens and (?<output>\d{1,12}) `max_new_tokens`/i,
  /`inputs` must have less than (?<limit>\d{1,12}) tokens\. Given: (?<input>\d{1,12})/i,
  // llama.cpp, also below Ollama, LocalAI and Lemonade; with the figures from beside its message.
  /request \((?<input>\d{1,12}) tokens\) exceeds the available context size \((?<limit>\d{1,12}) tokens\)/i,
  /context size.{0,200}\((?<input>\d{1,12}) tokens, context (?<limit>\d{1,12}) tokens\)/is,
  /requested tokens \((?<input>\d{1,12})\) exceed context window of (?<limit>\d{1,12})/i,
  // Lemonade.
  /prompt (?:tokens|length) \((?<input>\d{1,12})\) (?:cannot be greater than|exceeds) the model's max(?:imum)?(?: allowed)? prompt length \((?<limit>\d{1,12})\)/i,
  // LM Studio.
  /keep the first (?<input>\d{1,12}) tokens when context.{0,100}context length of only (?<limit>\d{1,12}) tokens/is,
  /n_keep:? ?\(?(?<input>\d{1,12})\)? ?>=? ?n_ctx:? ?\(?(?<limit>\d{1,12})/i,
  /reached context length of (?<limit>\d{1,12}) tokens/i,
  // llama.cpp, whose batch must hold the whole prompt of some models.
  /input \((?<input>\d{1,12}) tokens\) is too large to process.{0,100}current batch size: (?<limit>\d{1,12})/is,
  // TensorRT-LLM, ExLlama, Triton and engines with their words.
  /(?:prompt|input|context)(?: sequence)?[ _]length:? ?\(?(?<input>\d{1,12})\)?(?: tokens)? (?:exceeds|is (?:greater|larger|longer) than) (?:the )?max(?:imum)?(?:_\w{1,20}| (?:input |prompt |sequence )?length):? ?(?:of )?\(?(?<limit>\d{1,12})/i,
  /(?:prompt|input)(?: sequence)? length is (?:greater|larger|longer) than (?<limit>\d{1,12})/i,
  /sum of prompt length \((?<input>\d{1,12})(?:\.\d)?\).{0,40}?(?: max_\w{1,20} \((?<output>\d{1,12})\))? should not exceed max_\w{1,20} \((?<limit>\d{1,12})\)/i,
  /(?:greater|larger|longer) than the model (?:input length limit|capacity):? ?\(?(?<limit>\d{1,12})/i,
  /(?:exceeds|(?:greater|larger|longer) than) (?:the )?max_seq_len:? ?(?:of )?\(?(?<limit>\d{1,12})/i,
  // LMDeploy, TabbyAPI, Rapid-MLX.
  /input length \((?<input>\d{1,12})\) must be smaller than the model context length \((?<limit>\d{1,12})\)/i,
  /(?:prompt length (?<input>\d{1,12}) exceeds|cache tokens, which exceeds) the available context size of (?<limit>\d{1,12})/i,
  /prompt tokens \((?<input>\d{1,12})\) exceeds safe limit \((?<limit>\d{1,12})\)/i,
  // OpenVINO.
  /(?:prompt tokens: |input length )(?<input>\d{1,12})(?: \+ max tokens value: (?<output>\d{1,12}))? (?:exceeds model max length: |longer than allowed )(?<limit>\d{1,12})/i,
  /exceeds pipeline capabilities: (?<input>\d{1,12}) > (?<limit>\d{1,12})/i,
  /(?<input>\d{1,12}) tokens, context size:? (?<limit>\d{1,12})/i,
  // Others behind LiteLLM.
  /prompt is too long: (?<input>\d{1,12}) tokens > (?<limit>\d{1,12}) maximum/i,
  /maximum context length is (?<limit>\d{1,12}) tokens.{0,60}(?:messages resulted in|requested(?: about)?) (?<input>\d{1,12}) tokens/is,
  /(?:input token count \(|prompt token count of |input prompt \()(?<input>\d{1,12}).{0,40}exceeds (?:the )?(?:limit of |maximum number of tokens allowed \()(?<limit>\d{1,12})/is,
  /(?:exceeded model token limit: |range of input length should be \[\d{1,12}, )(?<limit>\d{1,12})/i,
  /maximum context length (?:is|of) (?<limit>\d{1,12})/i,
  // Only the answer is too long.
  /max_(?:completion_)?tokens is too large: (?<output>\d{1,12})\. This model supports at most (?<most>\d{1,12}) completion tokens/i,
  /`?max_new_tokens`? must be <= (?<most>\d{1,12})\. Given: (?<output>\d{1,12})/i,
  /tokens exceeds limit provided in graph config: (?<most>\d{1,12})/i,
];

/** The same error without figures. */
const MESSAGE =
  /cos_cache dimension 0 shall not be less|input_ids size[^.]{0,200}exceeds max length|maximum context length|context[ _](?:length|size|window)[^.]{0,200}(?:exceed|maximum|too (?:long|small)|not enough)|exceed(?:s|ed|_|ing)?[^.]{0,200}context[ _](?:length|size|window)|context overflow|prompt is too (?:long|big)|prompt exceeds max(?:imum)? length|input is too long|too large to process|input length (?:exceeds|limit)|(?:exceeds|(?:greater|larger|longer) than) (?:the )?max_seq_len|(?:greater|longer) than the (?:model's )?context length|longer than the (?:model's context|maximum model) length|max(?:imum)?(?: allowed)? prompt length|context shift is disabled|context_length_exceeded|ContextWindowExceeded|exceed_context_size/i;

/** The figures of an overflow in a message of a service; `undefined` where it is no overflow. */
export function overflowIn(message: string): Overflow | undefined {
  for (const pattern of FIGURES) {
    const groups = pattern.exec(message)?.groups;
    if (groups === undefined) continue;
    const figure = (name: string) => (groups[name] === undefined ? null : Number(groups[name]));
    return {
      input: figure("input"),
      isLeast: groups["least"] !== undefined,
      output: figure("output"),
      total: figure("total"),
      limit: figure("limit"),
      most: figure("most"),
    };
  }
  return MESSAGE.test(message) ? NO_FIGURES : undefined;
}

const NO_FIGURES: Overflow = {
  input: null,
  isLeast: false,
  output: null,
  total: null,
  limit: null,
  most: null,
};

/** The figures in an overflow error: the only source of the limit of a service elsewhere. */
export function overflowOf(error: FoundryError): Overflow | null {
  if (error.code !== "CONTEXT_LENGTH_EXCEEDED") return null;
  return overflowIn(truncate(error.detail ?? "", SEARCHED_OF_MESSAGE)) ?? NO_FIGURES;
}

/** What does not fit, for people. */
export function overflowWords(
  { input, isLeast, output, limit, most }: Overflow,
  model: string,
): string {
  if (most !== null) return `An answer of ${model} may have at most ${most} tokens.`;
  if (limit === null) {
    return `The prompt and the answer together do not fit the context of ${model}.`;
  }
  if (input === null || input < 0) {
    return `The prompt and the answer together do not fit the ${limit} tokens of ${model}.`;
  }
  const prompt = `The prompt has ${isLeast ? "at least " : ""}${input} tokens`;
  const answer = output === null ? "," : ` and the answer may have ${output}, together`;
  return `${prompt}${answer} more than the ${limit} tokens of ${model}.`;
}
