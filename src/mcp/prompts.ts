import type { Prompt } from "@modelcontextprotocol/server";
import * as z from "zod";
import { quoted } from "../lib/index.js";
import { RequestError } from "./requests.js";

interface PromptArgument {
  readonly description: string;
  readonly required?: boolean;
}

interface PromptDefinition {
  readonly title: string;
  readonly description: string;
  readonly arguments: Readonly<Record<string, PromptArgument>>;
  /** What the host's own model is asked to do. */
  readonly text: (given: Readonly<Record<string, string | undefined>>) => string;
}

const MODEL = { description: "Alias or id of the local model. Default: the user's model" };
const TEXT = { description: "The text, or the path of a file", required: true };

const using = (model: string | undefined): string =>
  model === undefined ? "" : ` Give model as ${JSON.stringify(model)}.`;

/** The text itself is fenced, so that its words are not taken for the task, in a tag that is not in it. */
function fenced(text = ""): string {
  const taken = new Set(Array.from(text.matchAll(/\/text(?:-(\d+))?/gi), ([, digits]) => digits));
  let number = 2;
  while (taken.has(String(number))) number += 1;
  const tag = taken.size === 0 ? "text" : `text-${number}`;
  return `<${tag}>\n${text}\n</${tag}>`;
}

/** What users choose in their host, as a command or from a list. */
const PROMPTS: Readonly<Record<string, PromptDefinition>> = {
  ask_local: {
    title: "Ask a local model",
    description: "Asks a language model on this machine, and shows its answer unchanged",
    arguments: { question: { description: "What to ask", required: true }, model: MODEL },
    text: ({ question, model }) =>
      `Ask the local model this question with the tool complete, in my words.${using(model)} Show me its whole answer unchanged, and say which model gave it. Do not answer the question yourself.\n\n${fenced(question)}`,
  },
  summarize_locally: {
    title: "Summarize with a local model",
    description: "Summarizes a text on this machine",
    arguments: {
      text: TEXT,
      length: { description: "Such as: one sentence, or five bullet points" },
      model: MODEL,
    },
    text: ({ text, length = "one paragraph", model }) =>
      `Have the local model summarize the following text in ${length}, with the tool complete.${using(model)} If it is the path of a file, read that file first. If the text is too long for the model, split it, summarize the parts with complete_batch, then summarize the summaries. Show me the summary. Do not write it yourself.\n\n${fenced(text)}`,
  },
  extract_json: {
    title: "Extract JSON with a local model",
    description: "Extracts fields from a text on this machine, as JSON",
    arguments: {
      text: TEXT,
      fields: { description: "The fields, such as: name, date, total in EUR", required: true },
      model: MODEL,
    },
    text: ({ text, fields, model }) =>
      `Have the local model extract these fields from the following text, with the tool complete at temperature 0: ${fields}.${using(model)} If it is the path of a file, read that file first. Give the fields as response_schema, a JSON Schema that allows null for what the text does not say. Check that each value stands in the text; correct what does not. Show me the JSON.\n\n${fenced(text)}`,
  },
  review_diff_locally: {
    title: "Review a diff with a local model",
    description: "Reviews changes of code on this machine, before others see them",
    arguments: {
      diff: { description: "The diff. Default: the uncommitted changes" },
      focus: { description: "Such as: errors, security, names" },
      model: MODEL,
    },
    text: ({ diff, focus = "errors, unclear code and missing tests", model }) =>
      `Have the local model review ${diff === undefined ? "the uncommitted changes (the output of git diff HEAD)" : "the following diff"} for ${focus}, with the tool complete; for several files, one request for each file with complete_batch.${using(model)} Check each finding against the code, leave out the wrong ones, and show me the rest by file and line.${diff === undefined ? "" : `\n\n${fenced(diff)}`}`,
  },
  compare_models: {
    title: "Compare local models",
    description: "Gives the same request to several local models, and compares the answers",
    arguments: {
      prompt: { description: "The request", required: true },
      models: { description: "Their names, separated by commas. Default: all that are downloaded" },
    },
    text: ({ prompt, models }) =>
      `Give the following request to ${models === undefined ? "each downloaded model that can chat (call list_models)" : `each of these local models: ${models}`}, in one call of complete_batch with a request for each model, and call it again until all are done. Show me the answers side by side with the name of each model and its number of tokens, and say which one is best and why.\n\n${fenced(prompt)}`,
  },
};

/** The answer to `prompts/list`. */
export const PROMPT_LISTINGS: Prompt[] = Object.entries(PROMPTS).map(
  ([name, { title, description, arguments: given }]) => ({
    name,
    title,
    description,
    arguments: Object.entries(given).map(([argument, about]) => ({ name: argument, ...about })),
  }),
);

const getParams = z.looseObject({
  name: z.string(),
  arguments: z.record(z.string(), z.unknown()).nullish(),
});

/** Answers `prompts/get`. An argument that is `null`, blank or unknown is as absent. */
export function getPrompt(params: unknown) {
  const { data } = getParams.safeParse(params);
  if (data === undefined) {
    throw new RequestError(
      'prompts/get needs the name of a prompt as "name", and "arguments" as an object.',
    );
  }
  const prompt = Object.hasOwn(PROMPTS, data.name) ? PROMPTS[data.name] : undefined;
  if (prompt === undefined) {
    const names = Object.keys(PROMPTS).join(", ");
    throw new RequestError(`There is no prompt ${quoted(data.name)}. There are: ${names}.`);
  }
  const given = data.arguments ?? {};
  const values = Object.keys(prompt.arguments).map((name) => [name, textOf(given[name])] as const);
  const missing = values.filter(([name, value]) => {
    return value === undefined && prompt.arguments[name]?.required === true;
  });
  if (missing.length > 0) {
    const names = missing.map(([name]) => name).join(", ");
    throw new RequestError(
      `The prompt ${data.name} needs the argument${missing.length === 1 ? "" : "s"} ${names}.`,
    );
  }
  const text = prompt.text(Object.fromEntries(values));
  return {
    description: prompt.description,
    messages: [{ role: "user" as const, content: { type: "text" as const, text } }],
  };
}

/** Hosts send texts; a number or a boolean is taken as it is written. */
function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.trim() === "" ? undefined : text;
}
