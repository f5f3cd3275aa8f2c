import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { htmlReport } from "../../../src/commands/bench/report-html.js";
import { BROWSER, BrowserPage } from "../../browser.js";
import { temporaryFolder } from "../../temporary-folder.js";
import { benchReport, modelReport } from "./reports.js";

const LONG_NAME = "deepseek-r1-distill-qwen-14b-instruct-quantized-generic-cpu:12";

const REPORT = benchReport({
  simulated: true,
  models: [
    modelReport(),
    modelReport({ model: LONG_NAME, alias: null, not_measured: [`${LONG_NAME} was slow.`] }),
  ],
});

async function shownPage(): Promise<BrowserPage> {
  const file = join(await temporaryFolder("bench-"), "report.html");
  await writeFile(file, htmlReport(REPORT));
  const page = await BrowserPage.open(BROWSER ?? "");
  await page.show(pathToFileURL(file).href);
  return page;
}

const numbers = z.array(z.number());

/** By how many pixels the page is wider than the window. */
const EXCESS = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

/** The texts of plots that reach out of their plot. */
const CUT_TEXTS = `[...document.querySelectorAll("svg text")].filter((text) => {
  const [own, plot] = [text.getBoundingClientRect(), text.closest("svg").getBoundingClientRect()];
  return own.left < plot.left - 1 || own.right > plot.right + 1;
}).map((text) => text.textContent)`;

/** The contrast of each text with the ground behind it, as WCAG defines it. */
const CONTRASTS = `[...document.querySelectorAll("h1, p, dt, dd, th, td, li, svg text")].map((element) => {
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map((value) => value / 255)
      .map((value) => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const groundOf = (each) => {
    const color = getComputedStyle(each).backgroundColor;
    return color === "rgba(0, 0, 0, 0)" ? groundOf(each.parentElement) : color;
  };
  const style = getComputedStyle(element);
  const both = [light(element.closest("svg") ? style.fill : style.color), light(groundOf(element))];
  return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
})`;

describe.skipIf(BROWSER === undefined)("the HTML report in a browser", () => {
  it.for([
    { width: 320, scheme: "light" },
    { width: 320, scheme: "dark" },
    { width: 768, scheme: "light" },
    { width: 1440, scheme: "light" },
    { width: 1440, scheme: "dark" },
  ] as const)("fits $width pixels and can be read in $scheme", async (looks) => {
    const page = await shownPage();

    await page.looks(looks);

    expect(await page.evaluate(EXCESS, z.number())).toBeLessThanOrEqual(0);
    expect(await page.evaluate(CUT_TEXTS, z.array(z.string()))).toEqual([]);
    expect(Math.min(...(await page.evaluate(CONTRASTS, numbers)))).toBeGreaterThan(4.5);
    expect(page.complaints).toEqual([]);
  });

  it("has dark colours only where the browser prefers them", async () => {
    const page = await shownPage();
    const ground = "getComputedStyle(document.body).backgroundColor";

    await page.looks({ width: 800, scheme: "light" });
    const light = await page.evaluate(ground, z.string());
    await page.looks({ width: 800, scheme: "dark" });
    const dark = await page.evaluate(ground, z.string());

    expect(light).toBe("rgb(255, 255, 255)");
    expect(dark).not.toBe(light);
  });

  it("puts plots beside each other where there is room, else below each other", async () => {
    const page = await shownPage();
    const columns =
      'new Set([...document.querySelector("section .plots").children].map((each) => Math.round(each.getBoundingClientRect().left))).size';

    await page.looks({ width: 320, scheme: "light" });
    const narrow = await page.evaluate(columns, z.number());
    await page.looks({ width: 1440, scheme: "light" });
    const wide = await page.evaluate(columns, z.number());

    expect([narrow, wide]).toEqual([1, 3]);
  });

  it("draws bars in proportion to their values", async () => {
    const page = await shownPage();
    const widths =
      '[...document.querySelector("section .plots").children[1].querySelectorAll("rect")].map((each) => each.getBoundingClientRect().width)';

    const bars = await page.evaluate(widths, numbers);

    const values = modelReport().cases.map((each) => each.tokens_per_second?.median ?? 0);
    const [firstBar = 0, firstValue = 0] = [bars[0], values[0]];
    expect(bars).toHaveLength(values.length);
    for (const [index, bar] of bars.entries()) {
      expect(bar / firstBar).toBeCloseTo((values[index] ?? 0) / firstValue, 1);
    }
  });
});
