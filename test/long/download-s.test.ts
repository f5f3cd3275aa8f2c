import { describe, expect, it } from "vitest";
import {
  assertRises,
  assertUsable,
  BIG,
  download,
  downloadUnderWay,
  LONG_DOWNLOAD_MS,
  machineToDownloadOn,
  OTHER,
  percentsOf,
  toldDownload,
} from "../e2e/download.js";

const S = { dialect: "S", generation: "service" } as const;
const IMPATIENT = { FOUNDRY_DOWNLOAD_STALL_TIMEOUT: "12" };
/** A download during which a test does something. */
const LONG = { ...S, downloadMs: LONG_DOWNLOAD_MS };

const downloadsOf = ({ requests }: { readonly requests: readonly { path: string }[] }) =>
  requests.filter(({ path }) => path === "/openai/download");

describe("a download through S", () => {
  it("reports its progress, and ends with the model in memory", async () => {
    const machine = await machineToDownloadOn(S);
    const host = await machine.host();

    const { answer, notes } = await toldDownload(host);

    expect(answer).toMatchObject({
      isError: false,
      result: { model: BIG, status: "loaded", percent: 100 },
    });
    assertRises(notes);
    expect(notes.map(({ message }) => message).join("\n")).toContain(`Downloading ${BIG} (2.0 GB)`);
    await assertUsable(host, machine.simulator);
  });

  it("that stalls is reported with its percentage, and resumes there at the next call", async () => {
    const machine = await machineToDownloadOn({
      ...S,
      simulator: { switches: { downloadTrouble: { atPercent: 40, kind: "stalls" } } },
    });
    const host = await machine.host(IMPATIENT);

    const stalled = await download(host);
    const { answer, percents } = await toldDownload(host);

    expect(stalled).toMatchObject({ isError: true, code: "DOWNLOAD_FAILED" });
    expect(stalled.text).toMatch(/no progress for 12 s\. It came to 3\d %/);
    expect(answer).toMatchObject({ isError: false, result: { model: BIG, status: "loaded" } });
    expect(percents[0]).toBeGreaterThan(35);
    await assertUsable(host, machine.simulator);
  });

  it.each(["fails", "breaks"] as const)(
    "that %s is reported, and resumes there at the next call",
    async (kind) => {
      const machine = await machineToDownloadOn({
        ...S,
        simulator: { switches: { downloadTrouble: { atPercent: 40, kind } } },
      });
      const host = await machine.host();

      const failed = await download(host);
      const { answer, percents } = await toldDownload(host);

      expect(failed).toMatchObject({ isError: true, code: "DOWNLOAD_FAILED" });
      expect(failed.text).toMatch(/It came to 3\d %/);
      expect(failed.text).toContain("The same call may succeed later");
      expect(answer).toMatchObject({ isError: false, result: { model: BIG } });
      expect(percents[0]).toBeGreaterThan(35);
    },
  );

  it.each(["goes_on", "stops"] as const)(
    "that is cancelled is completed by the next call (the service %s)",
    async (downloadOnDisconnect) => {
      const machine = await machineToDownloadOn({
        ...LONG,
        simulator: { switches: { downloadOnDisconnect } },
      });
      const host = await machine.host();
      const cancel = new AbortController();
      const { answer } = await downloadUnderWay(host, BIG, cancel.signal);

      cancel.abort("User pressed stop");
      await expect(answer).rejects.toThrow();
      const next = await toldDownload(host);

      expect(next.answer).toMatchObject({ isError: false, result: { model: BIG } });
      await assertUsable(host, machine.simulator);
    },
  );

  it("waits for a download of another model, and reports it", async () => {
    const machine = await machineToDownloadOn(LONG);
    const host = await machine.host();
    const first = await downloadUnderWay(host);

    const second = await toldDownload(host, OTHER);

    expect((await first.answer).isError).toBe(false);
    expect(second.answer).toMatchObject({ isError: false, result: { model: OTHER } });
    expect(second.notes.map(({ message }) => message).join("\n")).toContain(
      "Waiting for another download",
    );
    assertRises(second.notes);
  });

  it("runs once for two hosts that request it at the same time", async () => {
    const machine = await machineToDownloadOn(S);
    const [one, two] = await Promise.all([machine.host(), machine.host()]);

    const answers = await Promise.all([download(one), download(two)]);

    for (const answer of answers)
      expect(answer).toMatchObject({ isError: false, result: { model: BIG } });
    expect(downloadsOf(machine.simulator)).toHaveLength(1);
    await assertUsable(two, machine.simulator);
  });

  it("is reported with its percentage when the service crashes, and resumes at the service's new port", async () => {
    const machine = await machineToDownloadOn(LONG);
    const host = await machine.host();
    const { answer, notes } = await downloadUnderWay(host);

    await machine.restartElsewhere();
    const broken = await answer;
    const next = await toldDownload(host);

    expect(broken).toMatchObject({ isError: true, code: "DOWNLOAD_FAILED" });
    expect(broken.text).toMatch(/It came to \d+ %/);
    expect(next.answer).toMatchObject({ isError: false, result: { model: BIG } });
    expect(next.percents[0]).toBeGreaterThanOrEqual(Math.floor(percentsOf(notes).at(-1) ?? 0));
    await assertUsable(host, machine.simulator);
  });

  it("is not started by a completion, whose error says how to get the model", async () => {
    const machine = await machineToDownloadOn(S);
    const host = await machine.host();

    const answer = await host.complete({ prompt: "Hello", model: BIG });

    expect(answer).toMatchObject({ isError: true, code: "MODEL_NOT_CACHED" });
    expect(answer.text).toMatch(/load_model.*download/s);
    expect(downloadsOf(machine.simulator)).toEqual([]);
  });
});
