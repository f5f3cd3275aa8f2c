import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { knownModel } from "../../models/known-model.js";
import { catalogEntry, dialectOf, oldService } from "../old-service.js";

const ID = "qwen2.5-0.5b-instruct-generic-cpu:3";

/** A service with the model in its catalog; `answer` answers the download and may add to `cached`. */
async function downloading(
  answer: (response: ServerResponse, cached: string[], body: unknown) => void,
  stallMs = 5000,
) {
  const cached: string[] = [];
  const service = await oldService({
    "/foundry/list": { json: [catalogEntry(ID)] },
    "/openai/models": (response) => response.end(JSON.stringify(cached)),
    "/openai/download": (response, body) => answer(response, cached, JSON.parse(body)),
  });
  const percents: (number | null)[] = [];
  const caller = new AbortController();
  const run = () =>
    dialectOf(service).download(knownModel(ID), {
      signal: caller.signal,
      stallMs,
      onPercent: (percent) => percents.push(percent),
    });
  return { service, cached, percents, caller, run };
}

const times = (asked: readonly string[], path: string): number =>
  asked.filter((line) => line.endsWith(path)).length;

describe("a download by the legacy service", () => {
  it("is requested with the member names of Microsoft's own client, and reports its progress", async () => {
    const bodies: unknown[] = [];
    const { run, percents } = await downloading((response, _cached, body) => {
      bodies.push(body);
      response.write("Total 10.5% Downloading v3/model.onnx.data\n\n");
      response.write("Total 9% Downloading v3/model.onnx.data\n\n");
      response.end('Total 100% Downloading v3/a\n\n{"Success":true,"ErrorMessage":null}\n');
    });
    expect(await run()).toBe("downloaded");
    expect(bodies).toEqual([
      {
        model: {
          Name: ID,
          Uri: "azureml://registries/azureml/models/qwen2.5-0.5b-instruct-generic-cpu/versions/3",
          Publisher: "Microsoft",
          ProviderType: "AzureFoundryLocal",
          PromptTemplate: { system: "<|system|>\n{Content}<|im_end|>", prompt: "{Content}" },
        },
        IgnorePipeReport: true,
      },
    ]);
    expect(percents.at(-1)).toBe(100);
    expect(percents).toEqual([...new Set(percents)].sort((a, b) => Number(a) - Number(b)));
  });

  it("is not started for a downloaded model", async () => {
    const { run, cached, percents, service } = await downloading((response) => response.end());
    cached.push(ID);
    expect(await run()).toBe("already_downloaded");
    expect(percents).toEqual([100]);
    expect(times(service.asked, "/openai/download")).toBe(0);
  });

  it("ends with the service's result, even if the connection stays open", async () => {
    const { run, percents } = await downloading((response) => {
      response.write('Total 50%\n{"success":true,"error":null}');
    });
    await run();
    expect(percents.at(-1)).toBe(100);
  });

  it.each([
    [
      "the service reports a failure",
      (response: ServerResponse) =>
        response.end(
          'Total 12.9%\n{"Success":false,"ErrorMessage":"No space left on C:\\\\x\\\\y"}',
        ),
      "It said: No space left on y It came to 12 %.",
    ],
    [
      "it gives no reason",
      (response: ServerResponse) => response.end('{"Success":false,"ErrorMessage":null}'),
      "The service gave no reason.",
    ],
    [
      "the final line is missing",
      (response: ServerResponse) => response.end("Total 76.268% Downloading a\n\n"),
      "without saying that the download is complete. It came to 76 %.",
    ],
    [
      "the connection breaks",
      (response: ServerResponse) => response.write("Total 40%\n", () => response.destroy()),
      "The connection to the service broke off. It came to 40 %.",
    ],
    [
      "it is refused",
      (response: ServerResponse) => response.writeHead(500).end("Region not available"),
      "It said: Region not available",
    ],
  ])("fails when %s, and can be resumed", async (_what, answer, words) => {
    const { run, service } = await downloading((response) => void answer(response));
    await expect(run()).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      retryable: true,
      message: expect.stringContaining(words),
      action: expect.stringContaining("goes on from what is there"),
    });
    expect(times(service.asked, "/openai/download")).toBe(1);
    expect(times(service.asked, "/openai/models")).toBe(2);
  });

  it.each([
    ["silence", () => {}],
    ["blank lines", (response: ServerResponse) => response.write("\n\n")],
    ["the same line", (response: ServerResponse) => response.write("Total 40% Downloading a\n")],
  ])("is aborted after %s for too long", async (_what, sign) => {
    const { run } = await downloading((response) => {
      response.write("Total 40% Downloading a\n");
      const signs = setInterval(() => sign(response), 20);
      response.on("close", () => clearInterval(signs));
    }, 300);
    await expect(run()).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringContaining("made no progress for 300 ms. It came to 40 %."),
    });
  });

  it("is aborted when nothing comes at all", async () => {
    const { run } = await downloading(() => {}, 100);
    await expect(run()).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringContaining("made no progress"),
    });
  });

  it.each([
    ["the connection broke", (response: ServerResponse) => response.destroy()],
    ["its final line was lost", (response: ServerResponse) => response.end("Total 99%\n")],
  ])("is complete when the service lists the model, although %s", async (_what, end) => {
    const { run, percents } = await downloading((response, cached) => {
      cached.push(ID);
      end(response);
    });
    await run();
    expect(percents.at(-1)).toBe(100);
  });

  it("ends at once when the caller aborts", async () => {
    const { run, caller } = await downloading((response) => {
      response.write("Total 1%\n");
      caller.abort();
    });
    await expect(run()).rejects.toMatchObject({ code: "CANCELLED" });
  });

  const REFUSED = `{"success":false,"error":"Model ${ID} is being downloaded already."}`;

  it("that already runs in the service is waited for", async () => {
    const { run, percents, service } = await downloading((response, cached) => {
      cached.push(...(times(service.asked, "/openai/download") > 1 ? [ID] : []));
      response.end(REFUSED);
    });
    await run();
    expect(percents).toEqual([100]);
    expect(times(service.asked, "/openai/download")).toBe(2);
  });

  it("that already runs in the service for too long is an error with that reason", async () => {
    const { run, service } = await downloading((response) => response.end(REFUSED), 500);
    await expect(run()).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      retryable: true,
      message: expect.stringContaining("since the service is downloading it already"),
      action: expect.stringContaining("`listModels`"),
    });
    expect(times(service.asked, "/openai/download")).toBe(1);
  });

  it("is not possible for a model that is not in the catalog", async () => {
    const service = await oldService({ "/foundry/list": { json: [catalogEntry("other:1")] } });
    const call = { signal: new AbortController().signal, stallMs: 1000, onPercent: () => {} };
    await expect(dialectOf(service).download(knownModel(ID), call)).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
    });
  });

  it("reports what is wrong with the catalog that it needs", async () => {
    const service = await oldService({ "/foundry/list": { json: [] } });
    const call = { signal: new AbortController().signal, stallMs: 1000, onPercent: () => {} };
    await expect(dialectOf(service).download(knownModel(ID), call)).rejects.toMatchObject({
      code: "SERVICE_ERROR",
      message: expect.stringContaining("catalog"),
    });
  });
});
