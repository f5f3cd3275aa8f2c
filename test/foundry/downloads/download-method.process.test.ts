import { networkInterfaces } from "node:os";
import { setTimeout } from "node:timers/promises";
import { startSimulator } from "foundry-local-simulator";
import { describe, expect, it } from "vitest";
import { FoundryError } from "../../../src/lib/errors.js";
import { simulate } from "../fixtures.js";
import { ANOTHER, downloaderFor, known, listener, MISSING, standIn } from "./fixtures.js";

const models = [MISSING, ANOTHER];
const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((each) => each?.family === "IPv6");

describe("a download without a method", () => {
  it("reports that the command line is missing", async () => {
    const simulator = await simulate({ models });
    const downloader = await downloaderFor({ url: simulator.url });
    await expect(downloader.download(await known(downloader))).rejects.toMatchObject({
      code: "DOWNLOAD_UNAVAILABLE",
      message: expect.stringContaining("the command line of Foundry Local was not found"),
      action: expect.stringContaining("`foundry model download walker`"),
      retryable: false,
    });
  });

  it("reports that the command line belongs to an older Foundry Local", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, {}, "service");
    const downloader = await downloaderFor({ url: simulator.url, cli });
    await expect(downloader.download(await known(downloader))).rejects.toMatchObject({
      code: "DOWNLOAD_UNAVAILABLE",
      message: expect.stringContaining("of an older Foundry Local than the service"),
    });
    expect(cli.calls).not.toContainEqual(["model", "download", MISSING.id]);
  });

  it("reports that the command line and the service use different folders", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(await simulate({ models }));
    const downloader = await downloaderFor({ url: simulator.url, cli });
    await expect(downloader.download(await known(downloader))).rejects.toMatchObject({
      code: "DOWNLOAD_UNAVAILABLE",
      message: expect.stringContaining("in another folder than the command line"),
      action: expect.stringContaining("in the application that brought the service"),
    });
    expect(cli.calls).not.toContainEqual(["model", "download", MISSING.id]);
  });

  it("reports that the command line does not print its folder", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, { on: ["cache location"], exitCode: 1 });
    const downloader = await downloaderFor({ url: simulator.url, cli });
    await expect(downloader.download(await known(downloader))).rejects.toMatchObject({
      code: "DOWNLOAD_UNAVAILABLE",
      message: expect.stringContaining("does not say where it downloads to"),
    });
  });

  it.skipIf(!hasIpv6)("reports that the service runs on another machine", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator);
    // This machine, under a name that does not show it.
    const url = simulator.url.replace("127.0.0.1", "[::ffff:127.0.0.1]");
    const downloader = await downloaderFor({ url, cli });
    await expect(downloader.download(await known(downloader))).rejects.toMatchObject({
      code: "DOWNLOAD_UNAVAILABLE",
      message: expect.stringContaining("the service runs on another machine"),
      action: "Run `foundry model download walker` on that machine.",
    });
    expect(cli.calls).toEqual([]);
  });

  it("reports another machine, too, behind a tunnel on a loopback address", async () => {
    await using elsewhere = await startSimulator({ models });
    const cli = await standIn(await simulate({ models }));
    const downloader = await downloaderFor({ url: elsewhere.url, cli });
    await expect(downloader.download(await known(downloader))).rejects.toMatchObject({
      code: "DOWNLOAD_UNAVAILABLE",
      message: expect.stringContaining("the service runs on another machine"),
    });
  });

  it("names the tools of another engine", async () => {
    const simulator = await simulate({
      dialect: "openai",
      models: [{ ...MISSING, downloaded: true }],
    });
    const cli = await standIn(simulator);
    const downloader = await downloaderFor({ url: simulator.url, cli });
    const model = { ...(await known(downloader)), downloaded: false };
    await expect(downloader.download(model)).rejects.toMatchObject({
      code: "DOWNLOAD_UNAVAILABLE",
      action: expect.stringContaining("download it with the engine's own tools"),
    });
  });

  it("is not tried with a name that the command line would read as an option", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator);
    const downloader = await downloaderFor({ url: simulator.url, cli });
    const model = { ...(await known(downloader)), id: "--help" };
    await expect(downloader.download(model)).rejects.toMatchObject({
      code: "DOWNLOAD_UNAVAILABLE",
    });
    expect(cli.calls).toEqual([]);
  });
});

describe("a command line that cannot be run", () => {
  it("is reported as such", async () => {
    const simulator = await simulate({ models });
    const cli = await standIn(simulator, { on: ["model download"], ends: "killed" });
    const downloader = await downloaderFor({ url: simulator.url, cli });
    await expect(downloader.download(await known(downloader))).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      retryable: true,
    });
  });
});

describe("a service that downloads over HTTP", () => {
  it("is used with the same updates, and needs no command line", async () => {
    const simulator = await simulate({ dialect: "S", models, downloadMs: 50 });
    const downloader = await downloaderFor({ url: simulator.url });
    const { updates, onStatus } = listener();
    expect(await downloader.download(await known(downloader), { onStatus })).toBe("downloaded");
    expect((await known(downloader)).downloaded).toBe(true);
    expect(updates.at(-1)).toMatchObject({ step: "downloading", percent: 100 });
  });

  it("may continue after the last caller's abort, which the error says", async () => {
    const simulator = await simulate({ dialect: "S", models, downloadMs: 60_000 });
    const downloader = await downloaderFor({ url: simulator.url });
    const controller = new AbortController();
    const downloading = downloader.download(await known(downloader), {
      signal: controller.signal,
    });
    await simulator.waitFor(({ requests }) =>
      requests.some(({ path }) => path === "/openai/download"),
    );
    controller.abort();
    await expect(downloading).rejects.toMatchObject({
      code: "CANCELLED",
      action: expect.stringMatching(/^The service may go on with the download by itself/),
    });
  });
});

describe("an embedded service", () => {
  it("downloads a model, and has it once it lists it", async () => {
    const simulator = await simulate({ models });
    const embedded = {
      async download(
        { id }: { readonly id: string },
        { onPercent }: { readonly onPercent: (percent: number | null) => void },
      ): Promise<void> {
        onPercent(50);
        await setTimeout(1);
        onPercent(100);
        simulator.setDownloaded(id, true);
      },
    };
    const downloader = await downloaderFor({ url: simulator.url, embedded });
    const { updates, onStatus } = listener();
    expect(await downloader.download(await known(downloader), { onStatus })).toBe("downloaded");
    expect(updates.map(({ percent }) => percent)).toEqual([null, 50, 100]);
  });

  it("is aborted when it stalls, even if it ignores the abort", async () => {
    const simulator = await simulate({ models });
    const embedded = { download: () => new Promise<void>(() => {}) };
    const limits = { stallMs: 50 };
    const downloader = await downloaderFor({ url: simulator.url, embedded, limits });
    await expect(downloader.download(await known(downloader))).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: `The download of ${MISSING.id} made no progress for 50 ms and was aborted.`,
    });
  });

  it("fails with its own message", async () => {
    const simulator = await simulate({ models });
    const failure = new FoundryError("DOWNLOAD_FAILED", "No.", { action: "Try again." });
    const embedded = { download: () => Promise.reject(failure) };
    const downloader = await downloaderFor({ url: simulator.url, embedded });
    await expect(downloader.download(await known(downloader))).rejects.toBe(failure);
  });
});
