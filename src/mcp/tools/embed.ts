import * as z from "zod";
import {
  completionFields,
  type EmbedResult,
  type RankResult,
  type StatusUpdate,
} from "../../foundry/index.js";
import { counted, FoundryError, MOST_TEXTS, truncate, wholeNumber } from "../../lib/index.js";
import { defineTool, type ToolAnswer } from "../tool.js";
import { filesArgument, LONGEST_TEXT, linesOf, listOf, readFiles, refuse } from "./shared/index.js";

const TEXTS_ALLOWED = `a list of 1 to ${MOST_TEXTS} strings that are not blank`;
const DEFAULT_LIMIT = 10;
const EMBEDDING = "Embedding the texts";
/** Of a ranked text, so much is repeated: the caller has the whole. */
const LONGEST_EXCERPT = 200;

const result = z.object({
  model: z.string(),
  ranking: z
    .array(z.looseObject({ index: z.int(), score: z.number(), text: z.string() }))
    .optional(),
  vectors: z.array(z.array(z.number())).optional(),
});
type Answer = ToolAnswer<z.output<typeof result>>;

export const embedTool = defineTool({
  name: "embed",
  title: "Rank texts by meaning",
  description:
    "Ranks texts by meaning against a query, locally. vectors: true returns embeddings instead.",
  arguments: z
    .strictObject({
      texts: listOf(completionFields.prompt, MOST_TEXTS, TEXTS_ALLOWED).optional(),
      files: filesArgument.describe("Each file is one more text").optional(),
      query: completionFields.prompt.optional(),
      model: completionFields.model.optional(),
      limit: wholeNumber({ min: 1, max: MOST_TEXTS })
        .describe(`Default: ${DEFAULT_LIMIT}`)
        .optional(),
      vectors: z.boolean("true or false").optional(),
    })
    .superRefine(({ texts, files, query, vectors }, context) => {
      // Without texts, that is the first mistake; only the call knows whether files would do.
      const hasTexts = texts !== undefined || files !== undefined;
      if (!hasTexts || query !== undefined || vectors === true) return;
      refuse(
        context,
        "Neither query nor vectors: true was given",
        "Give query to rank the texts, or vectors: true for their embeddings.",
      );
    })
    // A call with vectors needs no query. Frameworks that build calls from the schema need one to give.
    .meta({ required: ["texts", "query"] }),
  result,
  effect: "generates",

  async handle(
    { files: patterns, query, model, limit = DEFAULT_LIMIT, vectors, ...given },
    context,
  ) {
    const { client, signal, trace, progress } = context;
    if (given.texts === undefined && patterns === undefined) throw noTexts(context.files.isEmpty);
    const files = patterns && (await readFiles(patterns, context.files, { signal }));
    const own = given.texts ?? [];
    const read = files?.files.filter(({ text }) => text.trim() !== "") ?? [];
    const texts = [...own, ...read.map(({ text }) => text)];
    assertCount(texts.length);
    progress.waiting(EMBEDDING);
    const onStatus = (news: StatusUpdate): void => progress.news(news, EMBEDDING);
    const options = { model, signal, trace, onStatus };
    const notes = files?.notes ?? [];
    if (query === undefined) return { ...vectorsAnswer(await client.embed(texts, options)), notes };
    if (vectors === true) notes.push("Vectors come only without a query.");
    const ranked = await client.rank(query, texts, { ...options, limit });
    const sourceOf = (index: number): string | undefined => {
      const file = read[index - own.length];
      return file && `${file.path}:${linesOf(file)}`;
    };
    return { ...rankingAnswer(ranked, sourceOf), notes };
  },
});

const noTexts = (withoutFiles: boolean): FoundryError =>
  new FoundryError("INVALID_ARGUMENT", "texts is missing.", {
    action: `Give texts: ${TEXTS_ALLOWED}${withoutFiles ? "" : "; or give files"}.`,
  });

/** Where all files are empty, or too many match. */
function assertCount(count: number): void {
  if (count >= 1 && count <= MOST_TEXTS) return;
  throw new FoundryError("INVALID_ARGUMENT", `texts and files together have ${count} texts.`, {
    action: `Give 1 to ${MOST_TEXTS} texts that are not blank.`,
  });
}

/** @param sourceOf The file of a text, with its lines. */
function rankingAnswer(
  { model, ranking: all }: RankResult,
  sourceOf: (index: number) => string | undefined,
): Answer {
  const ranking = all.map(({ index, score, text }) => ({
    index,
    score: Number(score.toFixed(3)),
    text: truncate(text, LONGEST_EXCERPT),
    ...(sourceOf(index) !== undefined && { file: sourceOf(index) }),
  }));
  const lines = ranking.map(({ index, score, text, file }) =>
    [score.toFixed(3), `[${index}]`, ...(file === undefined ? [] : [`${file}:`]), text].join(" "),
  );
  return { text: lines.join("\n"), result: { model, ranking } };
}

/** An embedding is no text to read, so the text only says what there is. */
function vectorsAnswer({ model, vectors }: EmbedResult): Answer {
  // The digits that a float of 32 bits has.
  const rounded = vectors.map((vector) => vector.map((value) => Number(value.toPrecision(7))));
  const length = JSON.stringify(rounded).length;
  if (length > LONGEST_TEXT) throw tooLong(vectors.length, length);
  const text = `${counted(vectors.length, "vector")} of ${vectors[0]?.length ?? 0} numbers, by ${model}, in the structured result.`;
  return { text, result: { model, vectors: rounded } };
}

function tooLong(count: number, length: number): FoundryError {
  const most = Math.max(1, Math.floor((count * LONGEST_TEXT) / length));
  return new FoundryError(
    "INVALID_ARGUMENT",
    `The vectors of ${counted(count, "text")} are too long for one result.`,
    {
      action: `Give at most ${counted(most, "text")} in a call with vectors, or give query to rank all of them.`,
    },
  );
}
