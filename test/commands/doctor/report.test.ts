import { describe, expect, it } from "vitest";
import {
  type CompletionReport,
  doctorReportSchema,
  type Findings,
  reportOf,
} from "../../../src/commands/doctor/report.js";
import { showReport } from "../../../src/commands/doctor/report-text.js";
import { terminalScreen } from "../../../src/commands/terminal.js";
import { FoundryClient } from "../../../src/jobs/index.js";
import { FoundryError } from "../../../src/lib/errors.js";
import { settingsInForce } from "../../../src/settings.js";
import { deadUrl } from "../../foundry/fixtures.js";

const NO_MODEL: CompletionReport = {
  ok: false,
  model: null,
  text: "",
  output_tokens: 0,
  estimated: false,
  load_ms: 0,
  first_token_ms: null,
  tokens_per_second: null,
  error: {
    code: "MODEL_NOT_CACHED",
    what: "No model that can chat is downloaded.",
    fix: "Download one.",
  },
};

const EMPTY_LIST = { models: [], defaultModel: null, warning: null };

/** The findings about an endpoint where nothing listens, with real messages. */
async function findings(changes: Partial<Findings> = {}): Promise<Findings> {
  const client = new FoundryClient({ endpoint: await deadUrl(), retry: { retries: 0 } });
  const failure = await client.listModels().then(
    () => null,
    (error: unknown) => (error instanceof FoundryError ? error : null),
  );
  const diagnosis = { ...(await client.service.diagnose()), commandLine: null };
  await client.close();
  const settings = settingsInForce([], {});
  return {
    diagnosis,
    list: null,
    completion: null,
    failure,
    keeper: null,
    hosts: [],
    settings,
    misspelled: [],
    ...changes,
  };
}

/** The same with these problems in the health. */
async function withProblems(
  problems: Findings["diagnosis"]["health"]["problems"],
  changes: Partial<Findings>,
): Promise<Findings> {
  const all = await findings(changes);
  const health = { ...all.diagnosis.health, status: "degraded" as const, problems };
  return { ...all, failure: null, diagnosis: { ...all.diagnosis, health }, ...changes };
}

describe("the doctor's report", () => {
  it("reports a problem once that both the list of models and the health check found", async () => {
    const report = reportOf(await findings());

    expect(report).toMatchObject({ ok: false, status: "unavailable", models: null });
    expect(report.problems).toHaveLength(1);
  });

  it("reports the search that could start a service, not the one that only looked", async () => {
    const failure = new FoundryError(
      "NO_ENDPOINT",
      "Foundry Local could not be started. Tried: `foundry server start`: was run, but failed.",
      { action: "Run it in a terminal." },
    );

    const { problems } = reportOf(await findings({ failure }));

    expect(problems).toEqual([
      { what: "Foundry Local could not be started.", fix: "Run it in a terminal." },
    ]);
  });

  it("reports a missing model once, not in two wordings", async () => {
    const told = { what: "The service lists no models.", fix: "Download one." };

    const report = reportOf(await withProblems([told], { list: EMPTY_LIST, completion: NO_MODEL }));

    expect(report.ok).toBe(false);
    expect(report.problems).toEqual([told]);
  });

  it("reports the error of the completion beside the other problems", async () => {
    const told = { what: "It is slow.", fix: "Wait." };
    const error = { code: "INFERENCE_FAILED", what: "It broke.", fix: "Mend it." };

    const report = reportOf(
      await withProblems([told], { list: EMPTY_LIST, completion: { ...NO_MODEL, error } }),
    );

    expect(report.problems).toEqual([told, { what: "It broke.", fix: "Mend it." }]);
  });

  it("names the setting that a misspelled variable probably means", async () => {
    const misspelled = [{ variable: "FOUNDRY_MODLE", meant: "FOUNDRY_MODEL" }] as const;

    const { problems } = reportOf(await withProblems([], { list: EMPTY_LIST, misspelled }));

    expect(problems).toEqual([
      {
        what: "FOUNDRY_MODLE is set, but there is no such setting.",
        fix: "Did you mean FOUNDRY_MODEL?",
      },
    ]);
  });

  it("fits its published schema", async () => {
    const report = reportOf(await findings());

    expect(doctorReportSchema.strict().parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
  });
});

describe("the report on a terminal", () => {
  /** The output on a terminal with so many columns, without colours. */
  async function linesOn(
    columns: number,
    environment = { NO_COLOR: "1" },
    changes: Partial<Findings> = {},
  ): Promise<string[]> {
    let written = "";
    const output = { isTTY: true, columns, write: (text: string) => (written += text) };
    showReport(reportOf(await findings(changes)), terminalScreen(output, environment));
    return written.split("\n");
  }

  it("counts one token as one", async () => {
    const slow = { output_tokens: 1, tokens_per_second: 1, error: null };
    const lines = await linesOn(100, undefined, { completion: { ...NO_MODEL, ...slow } });
    expect(lines.join("\n")).toContain("1 token a second, 1 token\n");
  });

  it.each([60, 80, 100])("fits its width of %i", async (columns) => {
    for (const line of await linesOn(columns)) expect(line.length).toBeLessThanOrEqual(columns);
  });

  it("is never wider than a readable line", async () => {
    for (const line of await linesOn(400)) expect(line.length).toBeLessThanOrEqual(100);
  });

  it("never breaks a line between a setting and its value", async () => {
    const lines = await linesOn(60);

    expect(lines.join("\n")).toMatch(/FOUNDRY_MODEL phi-4-mini/);
    expect(lines.filter((line) => /FOUNDRY_\w+$/.test(line))).toEqual([]);
  });
});
