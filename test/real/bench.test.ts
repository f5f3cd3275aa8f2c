import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { BenchReport } from "../../src/commands/bench/report.js";
import { jsonFrom } from "../../src/lib/index.js";
import { run } from "../e2e/executable.js";
import { temporaryFolder } from "../temporary-folder.js";
import { startRealServices } from "./services.js";

const real = await startRealServices();
afterAll(() => real.stop());

test.skipIf(real.services.length > 0)("no real service runs on this machine", () => {});

test.each(real.services.map((service) => [`${service.dialect} ${service.sdkVersion}`, service]))(
  "bench measures a model on %s, and writes its report",
  async (_name, { url, models }) => {
    const html = join(await temporaryFolder("bench-"), "report.html");
    const flags = ["--rounds", "1", "--tokens", "64", "--json", "--html", html];

    const { code, stdout, stderr } = await run([
      "bench",
      models.forever.alias,
      ...flags,
      "--endpoint",
      url,
    ]);

    expect(code, stderr).toBe(0);
    const { models: measured } = jsonFrom(stdout) as BenchReport;
    const [model] = measured;
    expect(model?.load.status).toMatch(/measured|loaded/);
    for (const { prompt, at_once, answers, failed, ...speeds } of model?.cases ?? []) {
      expect({ prompt, at_once, answers, failed }).toEqual({
        prompt,
        at_once,
        answers: at_once,
        failed: 0,
      });
      expect(speeds.first_token_ms?.median).toBeGreaterThan(0);
      // A round of less than 20 ms has no speed, and this model is tiny.
      expect(speeds.total_tokens_per_second?.median ?? Infinity).toBeGreaterThan(0);
    }
    expect(model?.cases.length).toBeGreaterThan(0);
    expect(await readFile(html, "utf8")).toContain(model?.model ?? "no model");
  },
);
