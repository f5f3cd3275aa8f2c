import type { IncomingMessage, ServerResponse } from "node:http";
import { onTestFinished } from "vitest";
import { serviceDialect } from "../../../src/foundry/dialects/legacy/legacy.js";
import { HttpTransport } from "../../../src/http/index.js";
import { type HttpService, httpService } from "./http-service.js";

/** The answer of a route: a value as JSON, a text with a status, or a handler. */
type Route =
  | { readonly json: unknown }
  | { readonly status: number; readonly text?: string }
  | ((response: ServerResponse, body: string, request: IncomingMessage) => void);

/** A legacy service with the routes of the test; its other lists are empty. */
export async function oldService(routes: Readonly<Record<string, Route>>): Promise<HttpService> {
  const all: Readonly<Record<string, Route>> = {
    "/openai/status": { json: { endpoints: [], modelDirPath: "C:\\models", pipeName: null } },
    "/openai/models": { json: [] },
    "/openai/loadedmodels": { json: [] },
    "/foundry/list": { json: [] },
    "/v1/models": { status: 404 },
    ...routes,
  };
  return httpService((request, response, body) => {
    const url = request.url ?? "";
    const route = all[url] ?? all[url.replace(/\?.*$/, "")] ?? { status: 404 };
    if (typeof route === "function") route(response, body, request);
    else if ("json" in route) {
      response.writeHead(200, { "content-type": "application/json; charset=utf-8" });
      response.end(JSON.stringify(route.json));
    } else {
      response.writeHead(route.status).end(route.text);
    }
  });
}

/** The dialect on such a service; it is closed with the test. */
export function dialectOf({ url }: HttpService): ReturnType<typeof serviceDialect> {
  const transport = new HttpTransport({ baseUrl: url, retry: { retries: 2, initialPauseMs: 1 } });
  onTestFinished(() => transport.close());
  return serviceDialect(transport);
}

export const CALL = { limits: { wholeMs: 5000 } };

/** An element of the catalog, as 0.8.94 gives it. */
export const catalogEntry = (name: string, more: Readonly<Record<string, unknown>> = {}) => ({
  name,
  displayName: name,
  providerType: "AzureFoundry",
  uri: `azureml://registries/azureml/models/${name.replace(":", "/versions/")}`,
  version: "1",
  modelType: "ONNX",
  promptTemplate: { system: "<|system|>\n{Content}<|im_end|>", prompt: "{Content}" },
  publisher: "Microsoft",
  task: "chat-completion",
  testModel: false,
  runtime: { deviceType: "GPU", executionProvider: "WebGpuExecutionProvider" },
  fileSizeMb: 8570,
  modelSettings: { parameters: [] },
  alias: "phi-4",
  supportsToolCalling: false,
  license: "MIT",
  licenseDescription: "…",
  parentModelUri: "azureml://…",
  maxOutputTokens: 2048,
  minFLVersion: null,
  ...more,
});
