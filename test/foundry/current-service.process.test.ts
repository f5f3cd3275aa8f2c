import { once } from "node:events";
import { createServer } from "node:http";
import { startFoundryCli } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { CurrentService } from "../../src/foundry/current-service.js";
import { FoundryClient } from "../../src/jobs/index.js";
import { FoundryError } from "../../src/lib/errors.js";
import { silentLogger } from "../../src/log.js";
import { Installation, running } from "./discovery/installation.js";
import { askedOf, simulate } from "./fixtures.js";

/** A client on a separate machine whose only sources of a service are the daemon's file and a command. */
async function machineOf(url: string, log = silentLogger) {
  const installation = await Installation.make();
  await installation.install({ "server status": { prints: running(url) } });
  const moveTo = (to: string) => installation.writeDaemonFile({ web_urls: [to], pid: process.pid });
  await moveTo(url);
  const { cliPath, machine } = installation;
  const options = { autostart: false, embedded: false, cliPath, log } as const;
  const current = new CurrentService(options, machine);
  onTestFinished(() => current.close());
  return { current, installation, moveTo, options };
}

/** The address of a C1 that answers one request, the probe of a search, and then ends. */
async function leavingService(): Promise<string> {
  const server = createServer((_request, response) => {
    server.close();
    response.setHeader("connection", "close").end(JSON.stringify({ modelDirPath: "/models" }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}

const REFUSED = new FoundryError("SERVICE_UNREACHABLE", "Nothing listens.", {
  action: "Wait.",
  retryable: true,
  cause: Object.assign(new Error(), { code: "ECONNREFUSED" }),
});

describe("a lost service", () => {
  it("is logged once, however many calls notice it", async () => {
    const [before, after] = [await simulate(), await simulate()];
    const lines: object[] = [];
    const warn = (fields: object, msg: string): void => {
      if (msg === "service lost") lines.push(fields);
    };
    const { current, moveTo } = await machineOf(before.url, { ...silentLogger, warn });
    await current.use({}, ({ service }) => service.models.all(service.patient()));
    await before.stop();
    await moveTo(after.url);
    await Promise.all(
      [1, 2, 3].map(() => current.use({}, ({ service }) => service.models.all(service.patient()))),
    );
    expect(lines).toEqual([{ endpoint: before.url, code: "SERVICE_UNREACHABLE" }]);
  });

  it("is searched for again by a health check whose address has just stopped answering", async () => {
    const { url } = await simulate();
    const gone = [await leavingService(), await leavingService()];
    const installation = await Installation.make();
    await installation.install({
      "server status": { printsAtFirst: gone.map((each) => running(each)), prints: running(url) },
    });
    const { cliPath, machine } = installation;
    const client = new FoundryClient({ autostart: false, embedded: false, cliPath }, machine);
    onTestFinished(() => client.close());

    expect(await client.healthCheck()).toMatchObject({ status: "healthy", endpoint: url });
  });

  it("is noticed by a call between two requests, which continues on the next service", async () => {
    const [before, after] = [await simulate(), await simulate()];
    const { current, moveTo } = await machineOf(before.url);
    const connection = await current.connection();
    let isFirst = true;

    const endpoint = await current.use({}, async ({ service }) => {
      if (isFirst) {
        isFirst = false;
        await before.stop();
        await moveTo(after.url);
        // A request of another call finds it gone.
        current.noteGone(connection, REFUSED);
      }
      await service.models.all(service.patient());
      return service.endpoint;
    });

    expect(endpoint).toBe(after.url);
  });

  it.each(["S", "C1", "C2"] as const)("of %s loads a model where it is next", async (dialect) => {
    const [before, after] = [
      await simulate({ dialect, loadMs: 60_000 }),
      await simulate({ dialect }),
    ];
    const { installation, moveTo } = await machineOf(before.url);
    const { cliPath, machine } = installation;
    const client = new FoundryClient({ autostart: false, embedded: false, cliPath }, machine);
    onTestFinished(() => client.close());

    const load = client.loadModel("qwen2.5-0.5b");
    await before.waitFor(({ requests }) => requests.find(({ path }) => path.includes("/load/")));
    await moveTo(after.url);
    await before.stop();

    expect(await load).toMatchObject({ status: "loaded" });
    expect((await client.healthCheck()).endpoint).toBe(after.url);
  });

  it("keeps its connection where it answers again while a load runs", async () => {
    const { url } = await simulate({ loadMs: 60_000 });
    const { current } = await machineOf(url);
    const first = await current.connection();
    const { loader } = first;
    const load = loader.load(await loader.resolveModel("qwen2.5-0.5b"));
    load.catch(() => {});
    await first.service.dialect();

    current.noteGone(first, REFUSED);
    const second = await current.connection();

    expect(second).toBe(first);
  });

  it("is not searched for after the end of the client", async () => {
    const service = await simulate();
    const { current } = await machineOf(service.url);
    const connection = await current.connection();
    await service.stop();
    current.noteGone(connection, REFUSED);
    const search = current.connection();

    await current.close();

    await expect(search).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
    await expect(current.connection()).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
  });
});

describe("a service that crashes at a prompt (#818)", () => {
  it("is started again and gets the prompt once more, then no further time", async () => {
    const service = await simulate({ dialect: "C1", switches: { deadlyPromptBytes: 1000 } });
    const cli = await startFoundryCli({ generation: "server", service });
    onTestFinished(() => cli.close());
    const { machine } = await Installation.make();
    const client = new FoundryClient({ cliPath: cli.path, embedded: false }, machine);
    onTestFinished(() => client.close());

    const deadly = client.complete({ prompt: "x".repeat(2000) });

    await expect(deadly).rejects.toMatchObject({
      code: "SERVER_CRASHED",
      message: expect.stringContaining("is not sent again"),
    });
    expect(askedOf(service, "/v1/chat/completions")).toHaveLength(2);
    expect((await client.complete({ prompt: "Hi" })).status).toBe("completed");
  });
});

describe("a service that crashes at a load", () => {
  it("gets the load once more, then no further time", async () => {
    const model = { id: "talker-generic-cpu:1", loadMs: 60_000 };
    const service = await simulate({ dialect: "C1", models: [model] });
    const cli = await startFoundryCli({ generation: "server", service });
    onTestFinished(() => cli.close());
    const { machine } = await Installation.make();
    const client = new FoundryClient({ cliPath: cli.path, embedded: false }, machine);
    onTestFinished(() => client.close());
    const loads = () => askedOf(service, "/models/load/").length;
    let killed = 0;
    const killer = setInterval(() => {
      if (loads() === killed) return;
      killed = loads();
      void service.stop();
    }, 20);
    onTestFinished(() => clearInterval(killer));

    const loading = client.loadModel("talker-generic-cpu:1");

    await expect(loading).rejects.toMatchObject({
      code: "SERVER_CRASHED",
      message: "The service died of this load twice, so it is not sent again.",
      retryable: false,
    });
    expect(loads()).toBe(2);
  });
});

describe("callers that share a search", () => {
  it("get each update once per caller, even if they pass the same function", async () => {
    const { url } = await simulate();
    const { current } = await machineOf(url);
    const messages: string[] = [];
    const onStatus = ({ message }: { message: string }) => messages.push(message);

    await Promise.all([current.connection({ onStatus }), current.connection({ onStatus })]);

    const [looking, found] = ["Looking for Foundry Local", `Found Foundry Local at ${url}`];
    expect(messages).toEqual([looking, looking, found, found]);
  });

  it("do not start it when they have already aborted", async () => {
    const { url } = await simulate();
    const searches: string[] = [];
    const info = (_fields: object, message: string): void => void searches.push(message);
    const { current } = await machineOf(url, { ...silentLogger, info });

    const asked = current.connection({ signal: AbortSignal.abort() });

    await expect(asked).rejects.toMatchObject({ code: "CANCELLED" });
    expect(current.lastSearch).toBeNull();
    expect(searches).toEqual([]);
    await current.connection();
    expect(searches.filter((each) => each === "searched for Foundry Local")).toHaveLength(1);
  });
});

describe("closing a client", () => {
  it("ends a download through the command line", async () => {
    const { url, modelCachePath } = await simulate({ dialect: "C1" });
    const { installation, options } = await machineOf(url);
    await installation.install({
      "server status": { prints: running(url) },
      "cache location": { prints: JSON.stringify({ path: modelCachePath }) },
      "model download": { prints: "Downloading, 5 %", hangs: true },
    });
    const client = new FoundryClient(options, installation.machine);
    let begin = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });

    const load = client.loadModel("qwen2.5-7b", {
      download: true,
      onStatus: ({ percent }) => percent === 5 && begin(),
    });
    load.catch(begin);
    await begun;
    await client.close();

    await expect(load).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
  });
});

describe("another server at the same address", () => {
  it("is detected by every running call, not only by the first", async () => {
    const before = await simulate({ dialect: "C1" });
    const { current } = await machineOf(before.url);
    const { service } = await current.connection();
    await service.dialect();
    let changed: Promise<void> | null = null;
    const change = async (): Promise<void> => {
      await before.close();
      await simulate({ dialect: "S", port: before.port });
      // Another call detects it first.
      await service.detectOnce({ limits: {} });
    };
    const refused = new FoundryError("UNSUPPORTED_BY_SERVER", "Not here.", {
      action: "Wait.",
      status: 404,
    });

    const names = await Promise.all(
      ["one", "two"].map(() => {
        let isFirst = true;
        return current.use({}, async ({ service: used }) => {
          changed ??= change();
          await changed;
          if (isFirst) {
            isFirst = false;
            throw refused;
          }
          return (await used.dialect()).name;
        });
      }),
    );

    expect(names).toEqual(["S", "S"]);
  });

  it("is detected even when it understands the requests meant for the former server", async () => {
    const before = await simulate({ dialect: "C1" });
    const { current } = await machineOf(before.url);
    const { service } = await current.connection();
    await service.models.all(service.patient());

    await before.close();
    await simulate({ dialect: "C2", port: before.port });
    const ids = await current.use({}, async ({ service: used }) => {
      const { models } = await used.models.all(used.patient());
      return models.filter(({ downloaded }) => downloaded === true).map(({ id }) => id);
    });

    expect(ids.length).toBeGreaterThan(0);
    for (const id of ids) expect(id).toMatch(/:\d+$/);
    expect((await service.dialect()).name).toBe("C2");
  });

  it("is detected when it appears between two requests of a call", async () => {
    const before = await simulate({ dialect: "C1" });
    const { current } = await machineOf(before.url);
    let isFirst = true;

    const name = await current.use({}, async ({ service }) => {
      const dialect = await service.dialect();
      if (isFirst) {
        isFirst = false;
        await before.close();
        await simulate({ dialect: "C2", port: before.port });
        await dialect.listModels({ limits: {} });
      }
      return dialect.name;
    });

    expect(name).toBe("C2");
  });
});
