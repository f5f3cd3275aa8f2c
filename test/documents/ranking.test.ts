import { describe, expect, it } from "vitest";
import { wordScores } from "../../src/documents/ranking.js";

const best = (question: string, texts: readonly string[]): number => {
  const scores = wordScores(question, texts);
  return scores.indexOf(Math.max(...scores));
};

describe("wordScores", () => {
  it.each([
    [
      "Who wrote the letter?",
      ["It rained all day.", "Anna wrote it.", "The letter that Bo wrote."],
      2,
    ],
    [
      "PORT of the server",
      ["a server", "The port is 8080 on this server.", "one of the others"],
      1,
    ],
    ["wie groß ist Zürich", ["Bern ist klein", "ZÜRICH IST GROẞ", "Basel"], 1],
    ["東京の人口", ["大阪は大きい", "東京の人口は1400万人です", "京都"], 1],
    ["порт сервера", ["Погода", "Порт сервера 8080", "сервера нет"], 1],
  ])("ranks the right text first for %j", (question, texts, index) => {
    expect(best(question, texts)).toBe(index);
  });

  it("keeps words with special characters together, in either form", () => {
    expect(wordScores("दिल्ली", ["दाल लाल", "दिल्ली"]).map((score) => score > 0)).toEqual([
      false,
      true,
    ]);
    expect(wordScores("caf\u00e9", ["cafe\u0301", "cafe"]).map((score) => score > 0)).toEqual([
      true,
      false,
    ]);
  });

  it.each([
    ["使用率", "GPU使用率は高い"],
    ["GPU", "GPU使用率は高い"],
    ["売上", "2024年の売上"],
    ["2024", "2024年の売上"],
    ["設定", "サーバーの設定"],
    ["バー", "サーバーの設定"],
    ["ราคา", "ราคา100บาท"],
    ["東京", "「東京」、大阪。"],
  ])("finds %j in %j, where scripts are mixed", (question, text) => {
    expect(wordScores(question, ["Basel", text]).map((score) => score > 0)).toEqual([false, true]);
  });

  it("makes no word of the signs between words of scripts without spaces", () => {
    expect(wordScores("京都、奈良。", ["大阪、神戸。", "、。「」・"])).toEqual([0, 0]);
  });

  it("counts a rare word more than a common one, and is between 0 and 1", () => {
    const texts = ["the cat", "the dog", "the zebra", "the the the"];
    const scores = wordScores("the zebra", texts);

    expect(best("the zebra", texts)).toBe(2);
    expect(scores.every((score) => score >= 0 && score <= 1)).toBe(true);
  });

  it.each([
    ["", ["a"]],
    ["?!", ["a", "b"]],
    ["nothing alike", ["a", ""]],
  ])("is 0 for %j", (question, texts) => {
    expect(wordScores(question, texts)).toEqual(texts.map(() => 0));
  });

  it("is empty without texts", () => {
    expect(wordScores("a question", [])).toEqual([]);
  });
});
