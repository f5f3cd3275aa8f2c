import { describe, expect, it } from "vitest";
import { SIMULATED, spreadOf } from "../../../src/commands/bench/report.js";
import { htmlReport } from "../../../src/commands/bench/report-html.js";
import { caseLines, showEnd, showModel } from "../../../src/commands/bench/report-text.js";
import { promptOf } from "../../../src/commands/bench/rounds.js";
import { terminalScreen } from "../../../src/commands/terminal.js";
import { benchReport, modelReport } from "./reports.js";

describe("the spread of values", () => {
  it.each([
    ["the middle one of an odd number", [3, 1, 2], { median: 2, min: 1, max: 3 }],
    ["between the middle ones of an even number", [4, 1, 2, 3], { median: 2.5, min: 1, max: 4 }],
    ["the only one", [7], { median: 7, min: 7, max: 7 }],
    ["tenths, like the lowest and the highest", [41.66], { median: 41.7, min: 41.7, max: 41.7 }],
    ["without unknown ones", [null, 5, null, 9], { median: 7, min: 5, max: 9 }],
    ["unknown without values", [], null],
    ["unknown where all are", [null, null], null],
  ])("has as median %s", (_what, values, spread) => {
    expect(spreadOf(values)).toEqual(spread);
  });
});

describe("the long prompt", () => {
  it.each([
    ["unknown", null, 3500, 4000],
    ["large", 131_072, 3500, 4000],
    ["1,024 tokens", 1024, 1800, 2300],
    ["512 tokens", 512, 600, 970],
  ])("fits a context that is %s", (_what, context, least, most) => {
    const prompt = promptOf("long", 1, 64, context);

    expect(prompt?.length).toBeGreaterThanOrEqual(least);
    expect(prompt?.length).toBeLessThanOrEqual(most);
  });

  it("is left out where the context is too small", () => {
    expect(promptOf("long", 1, 64, 256)).toBeNull();
  });

  it.each(["short", "long"] as const)("begins with different text each time: %s", (kind) => {
    const first = promptOf(kind, 10, 64, null);
    const second = promptOf(kind, 11, 64, null);

    expect(first?.slice(0, 10)).not.toBe(second?.slice(0, 10));
  });
});

/** What a screen of 80 columns shows, without colours. */
function shownOf(report = benchReport()): string {
  let text = "";
  const write = (piece: string): void => {
    text += piece;
  };
  const screen = terminalScreen({ write, isTTY: true, columns: 80 }, { NO_COLOR: "1" });
  for (const model of report.models) showModel(model, screen);
  showEnd(report, screen);
  return text;
}

describe("the report on a terminal", () => {
  it("fits 80 columns", () => {
    for (const line of shownOf().split("\n")) expect(line.length).toBeLessThan(80);
  });

  it("has a row and a bar for each concurrency, the longest bar for the best", () => {
    const lines = caseLines(modelReport().cases).slice(1);

    expect(lines).toHaveLength(6);
    const bars = lines.map((line) => /#+$/.exec(line)?.[0].length ?? 0);
    expect(Math.max(...bars)).toBe(bars.at(-1));
    expect(Math.min(...bars)).toBeGreaterThan(0);
  });

  it("has the recommended setting with its reason", () => {
    expect(shownOf()).toContain("FOUNDRY_CONCURRENCY=1");
    expect(shownOf()).toContain("More at once would only wait for each other.");
  });

  it("shows a question mark and no bar for values that were not measured", () => {
    const [first] = modelReport().cases;
    if (first === undefined) throw new Error("no case");
    const unknown = {
      first_token_ms: null,
      tokens_per_second: null,
      total_tokens_per_second: null,
    };

    const lines = caseLines([{ ...first, ...unknown }]);

    expect(lines[1]).toMatch(/1 +\? +\? +\?$/);
  });

  it("marks numbers of tokens that the service did not count", () => {
    const cases = modelReport().cases.map((each) => ({ ...each, estimated: true }));

    expect(caseLines(cases)[1]).toMatch(/~21 tokens.* ~38.2 +~32.5/);
    expect(shownOf(benchReport({ models: [modelReport({ cases })] }))).toContain("~");
  });
});

describe("a simulated service", () => {
  const report = benchReport({ simulated: true, models: [modelReport({ simulated: true })] });

  it("is named as simulated on the terminal", () => {
    expect(shownOf(report).replace(/\n */g, " ")).toContain(SIMULATED);
    expect(shownOf()).not.toContain("SIMULATED");
  });

  it("is named as simulated in the HTML report", () => {
    expect(htmlReport(report)).toContain(SIMULATED);
    expect(htmlReport(benchReport())).not.toContain("SIMULATED");
  });
});

describe("the HTML report", () => {
  it("contains no script and loads no other resource", () => {
    const html = htmlReport(benchReport());

    expect(html).not.toMatch(/<script|<link|<img|@import|url\(|src=|href=/i);
    expect(html).toContain("default-src 'none'");
  });

  it.each(["</title><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'&amp;"])(
    "shows a name such as %s as text",
    (name) => {
      const models = [modelReport({ alias: name, model: name, not_measured: [name] })];
      const service = { endpoint: name, name, version: name };

      const html = htmlReport(benchReport({ models: [...models, ...models], service }));

      expect(html).not.toMatch(/<script|<img/);
    },
  );

  it("counts one core as one", () => {
    const { machine } = benchReport();
    expect(htmlReport(benchReport({ machine: { ...machine, cores: 1 } }))).toContain(", 1 core, ");
  });

  it("names what was not measured and what failed", () => {
    const error = { code: "MODEL_NOT_CACHED", message: "It is not here.", action: "Fetch it." };
    const models = [modelReport({ cases: [], not_measured: ["No time was left."], error })];

    const html = htmlReport(benchReport({ models }));

    for (const said of ["No time was left.", "It is not here. Fetch it."]) {
      expect(html).toContain(said);
    }
    expect(html).not.toContain("<svg");
  });
});
