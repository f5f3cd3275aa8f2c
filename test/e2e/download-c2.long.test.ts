import { describe, expect, it } from "vitest";
import {
  assertRises,
  assertUsable,
  BIG,
  DOWNLOAD_MS,
  download,
  downloadUnderWay,
  LONG_DOWNLOAD_MS,
  machineToDownloadOn,
  OTHER,
  toldDownload,
} from "./download.js";
import type { FoundryMachine, Installation } from "./foundry-machine.js";

/** Longer than the command line takes to start on a busy machine. */
const IMPATIENT = { FOUNDRY_DOWNLOAD_STALL_TIMEOUT: "12" };

const downloadsOf = ({ cli }: FoundryMachine) =>
  (cli?.calls ?? []).filter((argv) => argv.join(" ").startsWith("model download"));

/** C1 and C2 have the same command line. */
const installed = { dialect: "C2", generation: "server" } as const satisfies Installation;

describe("a download through the command line", () => {
  it("reports its progress, and ends with the model in memory", async () => {
    const machine = await machineToDownloadOn(installed);
    const host = await machine.host();

    const { answer, notes } = await toldDownload(host);

    expect(answer).toMatchObject({
      isError: false,
      result: { model: BIG, status: "loaded", percent: 100 },
    });
    assertRises(notes);
    await assertUsable(host, machine.simulator);
  });

  it("is completed although the command prints no progress", async () => {
    const machine = await machineToDownloadOn({
      ...installed,
      switches: { downloadStyle: "silent" },
    });
    const host = await machine.host();

    const { answer, notes, percents } = await toldDownload(host);

    expect(answer).toMatchObject({ isError: false, result: { model: BIG } });
    expect(notes.map(({ message }) => message).join("\n")).toContain(`Downloading ${BIG}`);
    expect(percents).toEqual([]);
    await assertUsable(host, machine.simulator);
  });

  it.each([false, true])(
    "that stalls is reported with its percentage, and resumes there (spinner turning: %s)",
    async (spins) => {
      const machine = await machineToDownloadOn({
        ...installed,
        switches: { downloadStall: { at: 40, spins } },
      });
      const host = await machine.host(IMPATIENT);

      const stalled = await download(host);
      machine.cli?.set({ downloadStall: null });
      const { answer, percents } = await toldDownload(host);

      expect(stalled).toMatchObject({ isError: true, code: "DOWNLOAD_FAILED" });
      expect(stalled.text).toContain("made no progress for 12 s at 40 %");
      expect(answer).toMatchObject({ isError: false, result: { model: BIG } });
      expect(percents[0]).toBeGreaterThanOrEqual(40);
      await assertUsable(host, machine.simulator);
    },
  );

  it("that fails is reported with the reason, and resumes there at the next call", async () => {
    const machine = await machineToDownloadOn({
      ...installed,
      switches: { downloadFailure: { at: 40, text: "There is not enough space on the disk." } },
    });
    const host = await machine.host();

    const failed = await download(host);
    machine.cli?.set({ downloadFailure: null });
    const { answer, percents } = await toldDownload(host);

    expect(failed).toMatchObject({ isError: true, code: "DOWNLOAD_FAILED" });
    expect(failed.text).toContain("the disk is full");
    expect(failed.text).toContain("at 40 %");
    expect(answer).toMatchObject({ isError: false, result: { model: BIG } });
    expect(percents[0]).toBeGreaterThanOrEqual(40);
  });

  it("is complete when the model is downloaded, although the command hangs", async () => {
    const machine = await machineToDownloadOn({
      ...installed,
      switches: { downloadHangsAfter: true },
    });
    const host = await machine.host(IMPATIENT);

    const { answer } = await toldDownload(host);

    expect(answer).toMatchObject({ isError: false, result: { model: BIG } });
    await assertUsable(host, machine.simulator);
  });

  it("that is cancelled ends, and the next call resumes it", async () => {
    const machine = await machineToDownloadOn({ ...installed, downloadMs: LONG_DOWNLOAD_MS });
    const host = await machine.host();
    const cancel = new AbortController();
    const { answer } = await downloadUnderWay(host, BIG, cancel.signal);

    cancel.abort("User pressed stop");
    await expect(answer).rejects.toThrow();
    machine.cli?.set({ downloadMs: DOWNLOAD_MS });
    const next = await toldDownload(host);

    expect(next.answer).toMatchObject({ isError: false, result: { model: BIG } });
    expect(next.percents[0]).toBeGreaterThanOrEqual(4);
    await assertUsable(host, machine.simulator);
  });

  it("waits for a download of another model, and reports it", async () => {
    const machine = await machineToDownloadOn({ ...installed, downloadMs: LONG_DOWNLOAD_MS });
    const host = await machine.host();
    const first = await downloadUnderWay(host);

    const second = await toldDownload(host, OTHER, ({ message }) => {
      if (message.includes("another download")) machine.cli?.set({ downloadMs: DOWNLOAD_MS });
    });

    expect((await first.answer).isError).toBe(false);
    expect(second.answer).toMatchObject({ isError: false, result: { model: OTHER } });
    expect(second.notes.map(({ message }) => message).join("\n")).toContain(
      "Waiting for another download",
    );
  });

  it("runs once for two hosts that request it at the same time", async () => {
    const machine = await machineToDownloadOn(installed);
    const [one, two] = await Promise.all([machine.host(), machine.host()]);

    const answers = await Promise.all([download(one), download(two)]);

    for (const answer of answers) {
      expect(answer).toMatchObject({ isError: false, result: { model: BIG } });
    }
    expect(downloadsOf(machine)).toHaveLength(1);
    await assertUsable(two, machine.simulator);
  });

  it("ends with the model in memory, although the service moved to another port", async () => {
    const machine = await machineToDownloadOn({ ...installed, downloadMs: LONG_DOWNLOAD_MS });
    const host = await machine.host();
    const { answer } = await downloadUnderWay(host);

    await machine.restartElsewhere();
    machine.cli?.set({ downloadMs: DOWNLOAD_MS });

    expect(await answer).toMatchObject({ isError: false, result: { model: BIG } });
    await assertUsable(host, machine.simulator);
  });

  it("is refused without a command line, which the error names", async () => {
    const machine = await machineToDownloadOn({ ...installed, generation: null });
    const host = await machine.host({ FOUNDRY_ENDPOINT: machine.simulator.url });

    const answer = await download(host);

    expect(answer).toMatchObject({ isError: true, code: "DOWNLOAD_UNAVAILABLE" });
    expect(answer.text).toContain("the command line of Foundry Local was not found");
    expect(answer.text).toContain("FOUNDRY_CLI");
  });

  it("is not started by a completion, whose error says how to get the model", async () => {
    const machine = await machineToDownloadOn(installed);
    const host = await machine.host();

    const answer = await host.complete({ prompt: "Hello", model: BIG });

    expect(answer).toMatchObject({ isError: true, code: "MODEL_NOT_CACHED" });
    expect(answer.text).toMatch(/load_model.*download/s);
    expect(downloadsOf(machine)).toEqual([]);
  });
});
