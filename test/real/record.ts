import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  recordChats,
  recordFailures,
  recordModels,
  recordOtherRoutes,
  recordRefusals,
  recordTools,
  recordTransport,
} from "./exchanges.js";
import { type ServiceLine, serviceLines } from "./lines.js";
import { type Recorded, Recorder } from "./recorder.js";
import { startRealServices } from "./services.js";
import {
  recordDuringLoad,
  recordEmbeddingsWithChatModel,
  recordLeaving,
  recordShutdown,
  recordUnloadDuringChat,
} from "./timing_exchanges.js";

/**
 * `npm run real:record`: sends a fixed list of requests to each of Microsoft's services and
 * keeps what they answered in packages/simulator/recordings/.
 */
const directory = fileURLToPath(new URL("../../packages/simulator/recordings/", import.meta.url));

type Part = (recorder: Recorder) => Promise<void>;

/** Each list is sent to a service of its own: some requests end the service. */
const partsByService: readonly (readonly Part[])[] = [
  [
    recordModels,
    recordChats,
    recordTools,
    recordRefusals,
    recordFailures,
    recordOtherRoutes,
    recordTransport,
    recordDuringLoad,
    recordLeaving,
  ],
  [recordUnloadDuringChat],
  [recordEmbeddingsWithChatModel],
  [recordShutdown],
];

async function recordLine(line: ServiceLine): Promise<string> {
  // Where a request is repeated until a condition is true, only the last answer is kept.
  const exchanges = new Map<string, Recorded>();
  let models: unknown;
  for (const parts of partsByService) {
    const running = await startRealServices({ lines: [line.name], slowTokenMilliseconds: 400 });
    try {
      const [service] = running.services;
      if (service === undefined) return `is left out: ${running.skipped[0]?.reason}`;
      const recorder = new Recorder(service);
      for (const part of parts) await part(recorder);
      for (const exchange of recorder.exchanges) exchanges.set(exchange.name, exchange);
      models = service.models;
    } finally {
      await running.stop();
    }
  }
  const recording = {
    service: "Foundry Local",
    line: line.name,
    version: line.sdkVersion,
    dialect: line.dialect,
    note: 'Recorded from Microsoft\'s own build with models made by test/real/make_models.py. Paths, ports, process ids, dates, random ids and content lengths are replaced. Each entry of "events" is one chunk as it was flushed.',
    models,
    exchanges: [...exchanges.values()],
  };
  await mkdir(directory, { recursive: true });
  await writeFile(`${directory}${line.name}.json`, `${JSON.stringify(recording, null, 1)}\n`);
  return `${exchanges.size} exchanges`;
}

// One after the other: on few processors they would slow one another down.
for (const line of serviceLines) {
  process.stdout.write(`${line.name} `);
  process.stdout.write(`${await recordLine(line)}\n`);
}
