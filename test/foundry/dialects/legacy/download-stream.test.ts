import { describe, expect, it } from "vitest";
import { DownloadAnswer } from "../../../../src/foundry/dialects/legacy/download.js";
import { cpuMsOf } from "../../../cpu-time.js";

/** All percentages reported on the way, and the result, for an answer in these pieces. */
function read(pieces: readonly string[]) {
  const answer = new DownloadAnswer();
  const percents: (number | null)[] = [];
  for (const piece of pieces) {
    answer.push(piece);
    if (answer.percent !== percents.at(-1)) percents.push(answer.percent);
  }
  answer.end();
  if (answer.percent !== percents.at(-1)) percents.push(answer.percent);
  return { percents, result: answer.result };
}

const LINES = [
  "Total 1.5% Downloading v3/model.onnx.data",
  "",
  "Total 76.268% Downloading v3/model.onnx.data",
  "",
  "Total 100% Downloading v3/tokenizer.json",
  "",
  '{"Success":true,"ErrorMessage":null}',
  "",
].join("\r\n");

const TUPLES = '("model.onnx", 0.01)\n("model.onnx", 0.5)\n("", 1)\n{"success":true}';

describe("the answer to a download", () => {
  it("may contain percentages in lines", () => {
    expect(read([LINES])).toEqual({
      percents: [100],
      result: { success: true, error: null },
    });
    expect(read(LINES.split(/(?<=\n)/)).percents).toEqual([1.5, 76.268, 100]);
  });

  it("may contain fractions in tuples", () => {
    expect(read(TUPLES.split(/(?<=\n)/))).toEqual({
      percents: [1, 50, 100],
      result: { success: true, error: null },
    });
  });

  it.each([
    ["lines", LINES],
    ["tuples", TUPLES],
    ["tuples without ends of lines", TUPLES.replaceAll("\n", "")],
    ["lines ended by carriage returns", LINES.replaceAll("\r\n", "\r")],
  ])("gives the same result wherever it is cut: %s", (_what, whole) => {
    for (let cut = 0; cut <= whole.length; cut += 1) {
      const { percents, result } = read([whole.slice(0, cut), whole.slice(cut)]);
      expect(percents.at(-1)).toBe(100);
      expect(result).toEqual({ success: true, error: null });
    }
    const { percents, result } = read([...whole]);
    expect(percents.at(-1)).toBe(100);
    expect(percents).toEqual([...percents].sort((a, b) => Number(a) - Number(b)));
    expect(result).toEqual({ success: true, error: null });
  });

  it("never decreases, and never exceeds 100", () => {
    const pieces = ["Total 40%\n", "Total 12%\n", "Total 55%\n", "Total 130%\n"];
    expect(read(pieces).percents).toEqual([40, 55, 100]);
  });

  it.each([
    ["a decimal comma", "Total 76,268% Downloading a\n", 76.268],
    ["a space before the sign", "Total 76.5 % Downloading a\n", 76.5],
    ["a very small fraction", '("a", 1E-05)\n', 0.001],
    ["a fraction with a decimal comma", '("a", 0,5)\n', 50],
    ["a name with a percent sign", "Total 3% Downloading a%20b-90%.onnx\n", 3],
  ])("is understood with %s", (_what, line, percent) => {
    expect(read([line]).percents.at(-1)).toBeCloseTo(percent);
  });

  it.each([
    ['{"Success":false,"ErrorMessage":"disk full"}', "disk full"],
    ['{"success":false,"error":"disk full"}', "disk full"],
    ['{"success":false,"errorMessage":"disk full"}\n', "disk full"],
    ['{\n  "Success": false,\n  "ErrorMessage": "disk full"\n}\n', "disk full"],
    ['Total 12% {"Success":false,"ErrorMessage":null}', null],
  ])("contains the reason of a failure: %s", (text, error) => {
    expect(read([text]).result).toEqual({ success: false, error });
    expect(read([...text]).result).toEqual({ success: false, error });
  });

  it("gives no percentage from an error's message", () => {
    const { percents } = read([
      'Total 12%\n{"Success":false,"ErrorMessage":"the disk is 99% full"}\n',
    ]);
    expect(percents).toEqual([12]);
  });

  it.each([
    ["nothing", ""],
    ["progress alone", "Total 100% Downloading a\n"],
    ["half a result", 'Total 100%\n{"Success":tr'],
    ["another JSON", '{"hello":"world"}\n'],
  ])("has no result where the service sent %s", (_what, text) => {
    expect(read([text]).result).toBeNull();
  });

  it("continues after a line that only looks like a result", () => {
    expect(read(['{"broken\n', "Total 50% Downloading a\n", '{"Success":true}\n'])).toEqual({
      percents: [null, 50],
      result: { success: true, error: null },
    });
  });

  it.each([
    ["of many lines", "1,\n"],
    ["of many objects", "{},\n"],
  ])("is not parsed again with each line of a result %s", async (_what, line) => {
    const cpu = await cpuMsOf(() => read([`{"a":[\n${line.repeat(15_000)}`]));
    expect(cpu).toBeLessThan(3000);
  });

  it("reports repeated progress as no change", () => {
    const answer = new DownloadAnswer();
    expect(answer.push("Total 10% Downloading a\n")).toBe(true);
    expect(answer.push("\n\n")).toBe(false);
    expect(answer.push("Total 10% Downloading a\n")).toBe(false);
    expect(answer.push("Total 10% Downloading b\n")).toBe(true);
    expect(answer.push("Total 11% Downl")).toBe(true);
  });
});
