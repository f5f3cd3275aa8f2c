import { describe, expect, it } from "vitest";
import type { StatusUpdate } from "../../../src/foundry/calls.js";
import type { ModelDownloader } from "../../../src/foundry/downloads/index.js";
import { deferred } from "../../../src/lib/index.js";
import { httpService } from "../dialects/http-service.js";
import { clientOf, roomyMachine, simulate } from "../fixtures.js";
import {
  ANOTHER,
  downloaderFor,
  heldLimit,
  known,
  listener,
  MISSING,
  machine,
  standIn,
} from "./fixtures.js";

const models = [MISSING, ANOTHER];
const percents = (updates: readonly StatusUpdate[]) => updates.map(({ percent }) => percent);
const reaches = (updates: readonly StatusUpdate[], percent: number) =>
  expect.poll(() => percents(updates).at(-1)).toBe(percent);
/** A download that has come to this percentage. */
async function downloadTo(percent: number, downloader: ModelDownloader) {
  const { updates, onStatus } = listener();
  const downloading = downloader.download(await known(downloader), { onStatus });
  downloading.catch(() => {});
  await reaches(updates, percent);
  return { downloading };
}
const downloadsOf = (cli: { readonly calls: readonly (readonly string[])[] }) =>
  cli.calls.filter(([group, verb]) => group === "model" && verb === "download");

describe("a download through the command line", () => {
  for (const dialect of ["C2", "C1"] as const) {
    it(`downloads the model for ${dialect}, and reports its progress`, async () => {
      const simulator = await simulate({ dialect, models });
      const cli = await standIn(simulator, { downloadMs: 100 });
      const downloader = await downloaderFor({ url: simulator.url, cli });
      const { updates, onStatus } = listener();
      expect(await downloader.download(await known(downloader), { onStatus })).toBe("downloaded");
      expect((await known(downloader)).downloaded).toBe(true);
      expect(downloadsOf(cli)).toEqual([["model", "download", MISSING.id]]);
      expect(new Set(updates.map(({ message }) => message))).toEqual(
        new Set([`Downloading ${MISSING.id} (2.6 GB)`]),
      );
      expect(percents(updates).at(0)).toBeNull();
      expect(percents(updates).at(-1)).toBe(100);
      expect(percents(updates)).toEqual([...percents(updates)].sort((a, b) => (a ?? 0) - (b ?? 0)));
    });
  }

  for (const downloadStyle of ["bar", "spinner", "lines"] as const) {
    it(`is followed where progress is printed as ${downloadStyle}`, async () => {
      const simulator = await simulate({ models });
      const cli = await standIn(simulator, { downloadStyle, downloadFailure: { at: 48 } });
      const downloader = await downloaderFor({ url: simulator.url, cli });
      const { updates, onStatus } = listener();
      await expect(
        downloader.download(await known(downloader), { onStatus }),
      ).rejects.toMatchObject({
        message: expect.stringContaining("gave up at 48 %"),
      });
      expect(percents(updates).at(-1)).toBe(48);
    });
  }

  it("reports no percentage where the command prints none", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, { downloadStyle: "silent" });
    const downloader = await downloaderFor({ url: simulator.url, cli });
    const { updates, onStatus } = listener();
    await downloader.download(await known(downloader), { onStatus });
    expect(percents(updates)).toEqual([null]);
  });

  it("is not started for a downloaded model", async () => {
    const simulator = await simulate({ models: [{ ...MISSING, downloaded: true }] });
    const cli = await standIn(simulator);
    const downloader = await downloaderFor({ url: simulator.url, cli });
    expect(await downloader.download(await known(downloader))).toBe("already_downloaded");
    expect(cli.calls).toEqual([]);
  });

  it("is not started for a model that was downloaded since the last list", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator);
    const downloader = await downloaderFor({ url: simulator.url, cli });
    const model = await known(downloader);
    simulator.setDownloaded(model.id, true);
    expect(await downloader.download(model)).toBe("already_downloaded");
    expect(downloadsOf(cli)).toEqual([]);
  });

  it("of a model that was downloaded since the last list is reported as none", async () => {
    const simulator = await simulate({ models });
    const { path: cliPath } = await standIn(simulator);
    const client = clientOf(
      simulator.url,
      { cliPath },
      {
        ...roomyMachine(),
        home: (await machine()).home,
      },
    );
    await client.listModels();
    simulator.setDownloaded(MISSING.id, true);
    expect(await client.service.downloadModel("walker")).toEqual({
      model: MISSING.id,
      status: "already_downloaded",
      warnings: [],
    });
  });

  it("is complete when the service lists the model, although the command continues", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, { downloadHangsAfter: true });
    const downloader = await downloaderFor({ url: simulator.url, cli, limits: { settleMs: 100 } });
    expect(await downloader.download(await known(downloader))).toBe("downloaded");
    await cli.waitFor(({ processes }) => processes === 0);
  });

  it("is complete, too, when there is no progress because nothing is left to download", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, { downloadHangsAfter: true });
    const { startLimit, begin } = heldLimit();
    const limits = { settleMs: 600_000, stallMs: 100, startLimit };
    const downloader = await downloaderFor({ url: simulator.url, cli, limits });
    const downloading = downloader.download(await known(downloader));
    await expect.poll(() => simulator.models[0]?.downloaded).toBe(true);
    begin();
    expect(await downloading).toBe("downloaded");
  });

  it("that stalls at 40 % is not complete, though the service lists the model", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, { downloadStall: { at: 40 } });
    const { startLimit, begin } = heldLimit();
    const limits = { settleMs: 100, stallMs: 3000, startLimit };
    const downloader = await downloaderFor({ url: simulator.url, cli, limits });
    const model = await known(downloader);
    const { downloading } = await downloadTo(40, downloader);
    // Its small files came first.
    simulator.setDownloaded(model.id, true);
    begin();
    await expect(downloading).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringContaining("made no progress for 3 s at 40 %"),
    });
  });

  it("is not complete by a list that was requested before its first progress", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, { delayMs: 1000, downloadStall: { at: 40 } });
    const { startLimit, begin } = heldLimit();
    const smallFiles = deferred();
    const busy = await httpService(async ({ url }, response) => {
      if (downloadsOf(cli).length > 0) await smallFiles.promise;
      const answer = await fetch(`${simulator.url}${url}`);
      response.writeHead(answer.status, { "content-type": "application/json" });
      response.end(await answer.text());
    });
    const limits = { settleMs: 100, stallMs: 3000, startLimit };
    const downloader = await downloaderFor({ url: busy.url, cli, limits });
    const model = await known(downloader);
    const { downloading } = await downloadTo(40, downloader);
    simulator.setDownloaded(model.id, true);
    smallFiles.resolve();
    begin();
    await expect(downloading).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringContaining("at 40 %"),
    });
  });

  it("that stalls is aborted with its percentage, and continues from there", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, { downloadStall: { at: 40 } });
    const { startLimit, begin, hold } = heldLimit();
    const limits = { stallMs: 1000, startLimit };
    const downloader = await downloaderFor({ url: simulator.url, cli, limits });
    const model = await known(downloader);
    const { downloading: stalled } = await downloadTo(40, downloader);
    begin();
    await expect(stalled).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: `The download of ${model.id} made no progress for 1 s at 40 % and was aborted.`,
      action: expect.stringContaining("What is there is kept"),
      retryable: true,
    });
    await cli.waitFor(({ processes }) => processes === 0);
    cli.set({ downloadStall: null });
    hold();
    const { updates, onStatus } = listener();
    expect(await downloader.download(model, { onStatus })).toBe("downloaded");
    expect(percents(updates).find((percent) => percent !== null)).toBeGreaterThanOrEqual(40);
  });

  it("stalls, too, where only the spinner turns", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, {
      downloadStyle: "spinner",
      downloadStall: { at: 12, spins: true },
    });
    const { startLimit, begin } = heldLimit();
    const limits = { stallMs: 1000, startLimit };
    const downloader = await downloaderFor({ url: simulator.url, cli, limits });
    const { downloading } = await downloadTo(12, downloader);
    begin();
    await expect(downloading).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringContaining("at 12 %"),
    });
  });

  it("that fails reports its percentage and the reason, without the service's paths", async () => {
    const simulator = await simulate({ models });
    const text =
      "There is not enough space on the disk. : 'C:\\Users\\Some One\\.foundry\\cache\\models\\x.data'";
    const cli = await standIn(simulator, { downloadFailure: { at: 52, text } });
    const downloader = await downloaderFor({ url: simulator.url, cli });
    await expect(downloader.download(await known(downloader))).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: `${MISSING.id} was not downloaded: the disk is full; foundry model download gave up at 52 %. It said: There is not enough space on the disk.`,
      action: expect.stringMatching(/^Free disk space/),
      retryable: false,
    });
  });

  it("has failed if it ends with success but the service lacks the model", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, {
      downloadFailure: { at: 96 },
      exitCode: 0,
      on: ["model download"],
    });
    const downloader = await downloaderFor({ url: simulator.url, cli });
    await expect(downloader.download(await known(downloader))).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: `The download of ${MISSING.id} ended without an error, but the service does not list the model as downloaded.`,
      retryable: true,
    });
  });

  it("waits for a service that lists the model a moment later", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, {
      downloadFailure: { at: 96 },
      exitCode: 0,
      on: ["model download"],
    });
    const downloader = await downloaderFor({
      url: simulator.url,
      cli,
      limits: { graceMs: 10_000 },
    });
    const downloading = downloader.download(await known(downloader));
    await cli.waitFor((each) => downloadsOf(each).length === 1 && each.processes === 0);
    simulator.setDownloaded(MISSING.id, true);
    expect(await downloading).toBe("downloaded");
  });
});

describe("a download with several callers", () => {
  it("runs once, with updates for all callers", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, { downloadMs: 200 });
    const downloader = await downloaderFor({ url: simulator.url, cli });
    const model = await known(downloader);
    const [one, other] = [listener(), listener()];
    const outcomes = await Promise.all([
      downloader.download(model, { onStatus: one.onStatus }),
      downloader.download(model, { onStatus: other.onStatus }),
    ]);
    expect(outcomes).toEqual(["downloaded", "downloaded"]);
    expect(downloadsOf(cli)).toHaveLength(1);
    expect(percents(one.updates).at(-1)).toBe(100);
    expect(other.updates).toEqual(one.updates);
  });

  it("continues when one of two callers aborts", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, { downloadMs: 300 });
    const downloader = await downloaderFor({ url: simulator.url, cli });
    const model = await known(downloader);
    const controller = new AbortController();
    const impatient = downloader.download(model, { signal: controller.signal });
    const patient = downloader.download(model);
    await cli.waitFor((each) => downloadsOf(each).length === 1);
    controller.abort();
    await expect(impatient).rejects.toMatchObject({
      code: "CANCELLED",
      action: expect.stringContaining("goes on"),
    });
    expect(await patient).toBe("downloaded");
    expect(downloadsOf(cli)).toHaveLength(1);
  });

  it("is aborted with the last caller, and starts again for the next one", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, { downloadStall: { at: 20 } });
    const downloader = await downloaderFor({ url: simulator.url, cli });
    const model = await known(downloader);
    const controllers = [new AbortController(), new AbortController()];
    const { updates, onStatus } = listener();
    const both = controllers.map(({ signal }) => downloader.download(model, { signal, onStatus }));
    await reaches(updates, 20);
    for (const controller of controllers) controller.abort();
    const outcomes = await Promise.allSettled(both);
    expect(outcomes).toMatchObject([
      { reason: { code: "CANCELLED" } },
      { reason: { code: "CANCELLED", action: expect.stringContaining("kept") } },
    ]);
    cli.set({ downloadStall: null });
    expect(await downloader.download(model)).toBe("downloaded");
    await cli.waitFor(({ processes }) => processes === 0);
    expect(downloadsOf(cli)).toHaveLength(2);
  });

  it("is not started for a caller that has already aborted", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator);
    const downloader = await downloaderFor({ url: simulator.url, cli });
    const model = await known(downloader);
    await expect(downloader.download(model, { signal: AbortSignal.abort() })).rejects.toMatchObject(
      { code: "CANCELLED" },
    );
    expect(cli.calls).toEqual([]);
  });
});

describe("two downloads of different models", () => {
  it("run one after the other, and the second reports that it waits", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, { downloadMs: 10_000 });
    const shared = await machine();
    const first = await downloaderFor({ url: simulator.url, cli, machine: shared });
    const second = await downloaderFor({ url: simulator.url, cli, machine: shared });
    const ends: string[] = [];
    const { updates, onStatus } = listener();
    const one = first.download(await known(first)).then(() => ends.push("first"));
    await cli.waitFor((each) => downloadsOf(each).length === 1);
    const other = second
      .download(await known(second, ANOTHER.id), { onStatus })
      .then(() => ends.push("second"));
    await expect.poll(() => updates.length).toBe(1);
    cli.set({ downloadMs: 0 });
    await Promise.all([one, other]);
    expect(ends).toEqual(["first", "second"]);
    expect(updates[0]).toEqual({
      step: "downloading",
      message: "Waiting for another download to end",
      percent: null,
    });
    expect(updates.at(-1)).toMatchObject({ message: `Downloading ${ANOTHER.id}`, percent: 100 });
  });

  it("start the second when the first is aborted, and the third when the second leaves the queue", async () => {
    const simulator = await simulate({
      models: [...models, { ...ANOTHER, id: "third-generic-cpu:1" }],
    });
    const cli = await standIn(simulator, { downloadStall: { at: 20 } });
    const downloader = await downloaderFor({ url: simulator.url, cli });
    const controllers = [new AbortController(), new AbortController()];
    const { updates, onStatus } = listener();
    const first = downloader.download(await known(downloader), {
      signal: controllers[0]?.signal,
      onStatus,
    });
    await reaches(updates, 20);
    const waiting = listener();
    const second = downloader.download(await known(downloader, ANOTHER.id), {
      signal: controllers[1]?.signal,
      onStatus: waiting.onStatus,
    });
    const third = downloader.download(await known(downloader, "third-generic-cpu:1"));
    await expect.poll(() => waiting.updates.length).toBe(1);
    controllers[1]?.abort();
    await expect(second).rejects.toMatchObject({
      code: "CANCELLED",
      action: "Nothing to do: the download had not begun.",
    });
    cli.set({ downloadStall: null });
    controllers[0]?.abort();
    await expect(first).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await third).toBe("downloaded");
    expect(downloadsOf(cli).map(([, , id]) => id)).toEqual([MISSING.id, "third-generic-cpu:1"]);
  });
});
