/** How engines word that they refuse a part of a chat request. */

export const REFUSES =
  /extra (?:inputs|fields?) (?:are )?not permitted|extra_forbidden|unrecogni[sz]ed|unknown (?:field|parameter|argument|property|key|name|request)|unexpected (?:keyword|field|parameter|argument|property|key)|unsupported|unpermitted|not (?:yet |currently |an? )?(?:supported|implemented|allowed|permitted|available|enabled|recogni[sz]ed|accepted|known|valid)\b|(?:does|do|can)(?:n't|not| not)(?: yet| currently)? (?:support|accept|allow)|additional propert|invalid (?:field|parameter|argument)s?\b(?! value)|no such (?:field|parameter)|cannot (?:find field|(?:both )?be (?:used|set|specified))|\bdeprecated\b|use ['"`]?max_completion_tokens|favor of ['"`]?max_completion_tokens/i;

/** A field that is accepted, with another value than the one that was sent. */
export const WRONG_VALUE =
  /must be (?!(?:removed|omitted|unset|null|empty))|too (?:large|high|low|small|long)|out of range|exceed|at (?:most|least)|maximum (?:is|of|value)|(?:greater|less) than|valid (?:integer|number|boolean|string)/i;

/** What follows names fields that are accepted. */
export const ACCEPTED =
  /expected one of|\b(?:allowed|permitted|supported|valid|accepted|known) (?:fields|parameters|arguments|keys|properties|options)/i;

export const NO_STREAM =
  /only non-?stream|cannot use tools with stream|(?<!\w)stream['"`]? (?:must|should|has to) be (?:set to )?['"`]?(?:false|off|disabled)/i;

/** A template of llama.cpp that fails, before and after its engine of templates was replaced. */
export const TEMPLATE_FAILS =
  /while executing \w{1,40} at line \d|(?:value is not callable|unknown (?:method|filter))[^\n]{0,80} at row \d|unknown \(built-in\) filter/i;

/** A template that refuses the order of the messages. */
const ALTERNATION = /roles must alternate/i;

/** Whether the template of the model may fail on tools or their results. */
export const isTemplateFailure = (text: string): boolean =>
  TEMPLATE_FAILS.test(text) && !ALTERNATION.test(text);

/** The template of the model, such as that of Gemma, or the engine takes no role `tool`. */
export const NO_TOOL_ROLE =
  /roles must alternate|roles? (?:are|is) (?:supported|allowed)|should be 'system', 'user' or 'assistant'|(?:unknown variant|got) ['"`]tool['"`]|(?:unexpected|invalid|unknown|unsupported) (?:message )?role:? ['"`]?tool\b/i;

/** Members of messages with calls and results of tools, such as GPT4All refuses. */
export const CALL_MEMBERS = /\btool_call(?:s|_id)\b/;

export const SYSTEM =
  /system (?:role|message|prompt|instruction)s?[^.]{0,60}\b(?:not|unsupported)\b|(?:unexpected|invalid|unknown|unsupported) (?:message )?role:? ['"`]?system|(?:role|got) ['"`]?system['"`]?|['"`]system['"`] (?:role )?is not|support (?:the |a )?['"`]?system\b|roles must alternate|roles? (?:are|is) (?:supported|allowed)|should be ['"]user['"] or ['"]assistant['"]|developer instruction is not enabled|unknown variant ['"`]system|system message must be at the (?:beginning|start)/i;

/** The engine holds no answer to a schema, or not to this one. Ollama says the last of a grammar that it cannot read. */
export const CONSTRAINT =
  /response[_ ]?format|response guidance|json[_ ]?schema|grammar|guided[_ ](?:decoding|json)|structured[_ ]outputs?|xgrammar|llguidance|\boutlines\b|vocabulary required for format/i;

/** The engine, or the template of the model, takes no tools. */
export const NO_TOOLS =
  /\btools?\b[^.]{0,80}(?:\bnot\b|n't|requires?|unsupported|disabled)|(?:\bnot|n't|un)\s?support[^.]{0,40}(?:\btools?\b|function[_ ]call)|--jinja|--enable-auto-tool-choice|--tool-call-parser|function[ _]call(?:s|ing)?\b[^.]{0,40}\bnot\b|no endpoints found that support tool/i;

export const CALL_IDS = /tool call ids? [^.]{1,200}length (?:of )?9/i;

/** Some refuse a switch without its name: Ollama, OpenRouter, vLLM with the tokenizer of Mistral. */
export const THINKING = /(?<![\w-])(?:reasoning|thinking)(?![\w-])|\bchat[ _]template/i;
export const REFUSES_THINKING = /\b(?:invalid|mandatory)\b/i;
