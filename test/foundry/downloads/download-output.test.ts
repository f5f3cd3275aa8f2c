import { describe, expect, it } from "vitest";
import { CliProgress, linesOf, percentOf } from "../../../src/foundry/downloads/download-output.js";

describe("a line of progress", () => {
  it.each([
    [
      "[##############                      ]  40.95 % [Time remaining: about 5m]        15.5 MB/s",
      40.95,
    ],
    ["[##############                      ] 40.15% [Time remaining < 8m]     7.8 MB/s", 40.15],
    [
      "[####################################] 100.00 % [Time remaining: about 0s]        53.7 MB/s",
      100,
    ],
    ["phi-3.5-mini-instruct-qnn-npu:3 ━━━━━━━━   0% 0.0/2.0 GB ?/s --:--:-- ⠏", 0],
    ["phi-3.5-mini-instruct-qnn-npu:3 ━━━━━━━━  45% 0.9/2.0 GB 12.1 MB/s 00:01:23 ⠋", 45],
    ["Total 76.268% Downloading v3/model.onnx.data", 76.268],
    [
      "[##  ]  94.85 % [Time remaining: about 1s]   [##  ]  95.22 % [Time remaining: about 1s]",
      95.22,
    ],
    ["Downloading 1.2 GB / 2.4 GB", 50],
    ["512 MB of 2 GB", 25],
    ["45,2 %", 45.2],
  ])("%j is %d percent", (line, percent) => {
    expect(percentOf(line)).toBe(percent);
  });

  it.each([
    "Downloading phi-4-mini-instruct-generic-cpu:5...",
    "■ Downloading model (phi-3.5-mini-instruct-qnn-npu:3, 2.0 GB)",
    "🟢 Service is Started on http://127.0.0.1:52356/, PID 3728!",
    "[14:20:52 ERR] Failed to download model x:1",
    "at 250 % of what was expected",
    "0 B / 0 B",
  ])("%j contains none", (line) => {
    expect(percentOf(line)).toBeNull();
  });
});

describe("output for a terminal", () => {
  it("is lines without colours and movements", () => {
    const output =
      "\u001b[?25l\u001b[32m⠋\u001b[0m 4\u001b[1m5\u001b[0m%\r\u001b[2K⠙ 46%\n\u001b]0;title\u0007done\u001b[1A";
    expect(linesOf(output)).toEqual(["⠋ 45%", "⠙ 46%", "done"]);
  });

  it("is read in pieces of any size", () => {
    const output = "Downloading x:1...\r\n\r[#   ]  25.50 % [Time]\r[##  ]  50.75 % [Time]\r";
    for (const size of [1, 2, 3, 7, 1000]) {
      const progress = new CliProgress();
      for (let at = 0; at < output.length; at += size) progress.take(output.slice(at, at + size));
      expect(progress.percent).toBe(50.75);
    }
  });

  it("never decreases the percentage", () => {
    const progress = new CliProgress();
    progress.take("60%\n");
    progress.take("12%\n");
    expect(progress.percent).toBe(60);
  });

  it("reports a change when percentages, amounts or words change", () => {
    const progress = new CliProgress();
    const said = [
      "Resolving x\n",
      "Resolving x\n",
      "0% 0.0/2.0 GB\n",
      "0% 0.1/2.0 GB\n",
      "1%\n",
      "1%\n",
    ];
    expect(said.map((piece) => progress.take(piece))).toEqual([
      true,
      false,
      true,
      true,
      true,
      false,
    ]);
  });

  it("reports no change when only spinner, clock and speed change, however it is split", () => {
    const progress = new CliProgress();
    const draw = (turn: number): string =>
      `\r\u001b[2K${"⠋⠙⠹⠸"[turn % 4]} x:3 ━━━━ 3% 0.1/2.0 GB ${turn % 9}.5 MB/s 00:0${turn % 9}:00`;
    progress.take(draw(0));
    progress.take(draw(1));
    const whole = Array.from({ length: 40 }, (_, turn) => progress.take(draw(turn)));
    expect(whole).not.toContain(true);
    const cut = Array.from({ length: 400 }, (_, turn) => {
      const drawing = draw(turn);
      const at = turn % drawing.length;
      return [progress.take(drawing.slice(0, at)), progress.take(drawing.slice(at))];
    });
    expect(cut.flat()).not.toContain(true);
  });

  it.each([
    ["digits", "1".repeat(64 * 1024)],
    ["digits and commas", "1,".repeat(32 * 1024)],
    ["percentages", "12.5 %".repeat(10_000)],
    ["escapes that never end", "\u001b]".repeat(32 * 1024)],
    ["brackets of times", "[time remaining".repeat(4000)],
  ])("reads long lines of %s in linear time, and keeps little of them", (_what, piece) => {
    const progress = new CliProgress();
    const before = process.cpuUsage();
    for (let each = 0; each < 100; each += 1)
      progress.take(`${each}${piece}${each % 2 ? "\n" : ""}`);
    const { user } = process.cpuUsage(before);
    expect(user / 1e6).toBeLessThan(10);
  });
});
